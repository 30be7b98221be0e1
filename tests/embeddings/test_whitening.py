"""Whitening evens out the directions that all frames share."""

import numpy as np
import pytest

from al_assets.embeddings.whitening import MOST_DIRECTIONS, Whitening


def stretched(n: int, scales: list[float]) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=(n, len(scales))) * scales + 5).astype(np.float32)


def test_every_direction_varies_alike_without_shrinkage():
    vectors = stretched(5000, [10, 1, 0.1])
    spread = Whitening.of(vectors, shrinkage=0)(vectors).std(axis=0)
    assert spread == pytest.approx(spread.mean(), rel=1e-2)


def test_narrow_directions_stay_narrower_with_shrinkage():
    vectors = stretched(5000, [10, 1, 0.1])
    spread = Whitening.of(vectors, shrinkage=1)(vectors).std(axis=0)
    assert (np.diff(spread) < 0).all()


def test_vectors_have_length_one_on_average_and_the_mean_is_the_origin():
    vectors = stretched(5000, [10, 1, 0.1])
    white = Whitening.of(vectors)(vectors)
    assert (white**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-3)
    assert white.mean(axis=0) == pytest.approx(0, abs=1e-4)


def test_wide_vectors_keep_their_widest_directions_only():
    vectors = np.random.default_rng(0).normal(size=(400, 300)).astype(np.float16)
    assert Whitening.of(vectors)(vectors).shape == (400, MOST_DIRECTIONS)


@pytest.mark.parametrize("n", [1, 2, 50])
def test_identical_vectors_are_finite(n: int):
    assert np.isfinite(Whitening.of(np.ones((n, 4), np.float16))(np.ones((3, 4), np.float16))).all()

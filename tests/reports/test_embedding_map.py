"""The map's layout: neighbours stay neighbours, old points stay where they were, new ones come among their like."""

import numpy as np
import pytest

from al_assets.reports.embedding_map import FEW, lay_out, reduce


def clusters(per_cluster: int, *, count: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around a few directions, and which one each belongs to."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(count, 32)) * 3
    group = np.repeat(np.arange(count), per_cluster)
    return (centres[group] + rng.normal(size=(len(group), 32))).astype(np.float16), group


def nowhere(count: int) -> np.ndarray:
    return np.full((count, 2), np.nan)


def own_share(xy: np.ndarray, group: np.ndarray, rows: np.ndarray) -> float:
    """Share of rows whose nearest other point is of their own group."""
    distances = ((xy[rows][:, None] - xy[None]) ** 2).sum(axis=2)
    distances[np.arange(len(rows)), rows] = np.inf
    return float((group[distances.argmin(axis=1)] == group[rows]).mean())


def test_frames_that_look_alike_lie_together() -> None:
    vectors, group = clusters(30)
    layout = lay_out(vectors, nowhere(150), seed=1)
    assert layout.xy.dtype == np.float32
    assert own_share(layout.xy, group, np.arange(150)) > 0.9
    assert not layout.kept.any()


def test_one_seed_gives_one_map() -> None:
    vectors, _ = clusters(10)
    first, second = (lay_out(vectors, nowhere(50), seed=3).xy for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_old_points_stay_to_the_bit_and_new_ones_come_among_their_like() -> None:
    vectors, group = clusters(30)
    before = lay_out(vectors, nowhere(150), seed=1).xy
    fresh = np.arange(0, 150, 10)
    shown = before.copy()
    shown[fresh] = np.nan
    layout = lay_out(vectors, shown, seed=1)
    old = np.setdiff1d(np.arange(150), fresh)
    assert layout.xy[old].tobytes() == before[old].tobytes()
    assert own_share(layout.xy, group, fresh) > 0.9
    assert layout.kept.sum() == len(old)


def test_too_many_new_points_lay_the_whole_out_anew() -> None:
    vectors, _ = clusters(10)
    before = lay_out(vectors, nowhere(50), seed=1).xy
    before[:30] = np.nan
    assert not lay_out(vectors, before, seed=1, relayout_share=0.5).kept.any()
    assert lay_out(vectors, before, seed=1, relayout_share=0.7).kept.sum() == 20


def test_nothing_new_changes_nothing() -> None:
    vectors, _ = clusters(4)
    before = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    np.testing.assert_array_equal(lay_out(vectors, before, seed=1).xy, before)


@pytest.mark.parametrize("count", [0, 1, 2, FEW - 1, FEW])
def test_a_handful_of_frames_has_a_map_too(count: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float16)
    layout = lay_out(vectors, nowhere(count), seed=1)
    assert layout.xy.shape == (count, 2)
    assert np.isfinite(layout.xy).all()


def test_frames_that_are_all_the_same_have_a_map_too() -> None:
    layout = lay_out(np.ones((40, 8), np.float16), nowhere(40), seed=1)
    assert np.isfinite(layout.xy).all()


def test_length_does_not_matter_and_distance_is_cosine() -> None:
    vectors, _ = clusters(10)
    stretched = vectors.astype(np.float64) * np.linspace(1, 7, 50)[:, None]
    np.testing.assert_allclose(reduce(vectors.astype(np.float64), 1), reduce(stretched, 1), atol=1e-8)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="places"):
        lay_out(np.zeros((3, 4)), nowhere(2), seed=1)

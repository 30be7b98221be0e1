"""Labels spread along the graph of look-alikes: as the definition says, and no further."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from al_assets.checkpoints.surroundings import ALPHA, PASSES, Surroundings, guess
from al_assets.keys import Task


def blobs(sizes: list[int], *, seed: int = 0, width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Well separated groups of vectors, and the group of each."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    centres = 6 * np.eye(len(sizes), width)
    return (centres[group] + rng.normal(size=(len(group), width))).astype(np.float32), group


def one_hot(group: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.int8)[group]


def test_spreading_comes_to_the_fixed_point_of_its_equation() -> None:
    around = Surroundings.of(blobs([30, 30])[0])
    seeds = torch.zeros(60, 2)
    seeds[0, 0] = seeds[30, 1] = 1
    edges = around.edges.to_dense().double()
    exact = (1 - ALPHA) * torch.linalg.solve(torch.eye(60).double() - ALPHA * edges, seeds.double())
    assert (around.spread(seeds).double() - exact).abs().max() < ALPHA**PASSES


def test_edges_are_symmetric_and_nobody_is_a_neighbour_of_itself() -> None:
    edges = Surroundings.of(blobs([20, 15])[0]).edges.to_dense()
    assert torch.allclose(edges, edges.T)
    assert not edges.diagonal().any()


def test_one_label_a_group_names_the_group() -> None:
    vectors, group = blobs([60, 60, 60])
    around = Surroundings.of(vectors)
    labelled = np.array([3, 70, 130])
    guesses = guess(around, around.say(vectors[labelled]), one_hot(group[labelled], 3), "single_label")
    assert (guesses.targets.argmax(axis=1) == group).mean() > 0.98


def test_a_labelled_frame_in_the_sample_speaks_through_its_twin() -> None:
    vectors, _ = blobs([40])
    say = Surroundings.of(vectors).say(vectors[7:8]).to_dense()
    assert int(say.argmax()) == 7
    assert say.sum() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_what_no_label_reaches_is_not_guessed(task: Task) -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 40)
    vectors = np.zeros((120, 6), np.float32)
    for row, which in enumerate(group):
        vectors[row, 2 * which : 2 * which + 2] = 5 + rng.random(2)
    around = Surroundings.of(vectors)
    guesses = guess(around, around.say(vectors[[1, 41]]), one_hot(group[[1, 41]], 2), task)
    assert not guesses.confidence[group == 2].any()
    assert guesses.confidence[group < 2].all()


def test_one_class_alone_is_guessed_nowhere() -> None:
    vectors, _ = blobs([40])
    around = Surroundings.of(vectors)
    guesses = guess(around, around.say(vectors[:2]), np.array([[1, 0], [1, 0]], np.int8), "single_label")
    assert not guesses.confidence.any()


def test_a_long_tail_is_not_flattened() -> None:
    vectors, group = blobs([300, 100, 20])
    around = Surroundings.of(vectors)
    rng = np.random.default_rng(1)
    labelled = np.concatenate(
        [rng.choice(np.flatnonzero(group == c), n) for c, n in ((0, 15), (1, 5), (2, 1))]
    )
    guesses = guess(around, around.say(vectors[labelled]), one_hot(group[labelled], 3), "single_label")
    assert np.bincount(guesses.targets.argmax(axis=1), minlength=3) == pytest.approx([300, 100, 20], abs=15)


def test_multi_label_classes_are_guessed_each_for_itself() -> None:
    vectors, group = blobs([50, 50, 50])
    around = Surroundings.of(vectors)
    labelled = np.array([1, 51, 101])
    targets = np.array([[1, 1, -1], [1, 0, -1], [0, 0, 1]], dtype=np.int8)
    guesses = guess(around, around.say(vectors[labelled]), targets, "multi_label")
    assert (guesses.targets[:, 0] == (group < 2)).mean() > 0.95
    assert (guesses.targets[:, 1] == (group < 1)).mean() > 0.95
    assert (guesses.targets[:, 2] == -1).all()
    assert not guesses.confidence[:, 2].any()


@pytest.mark.parametrize("vectors", [np.ones((1, 4)), np.ones((30, 4)), np.zeros((30, 4)), np.eye(3, 4)])
def test_pools_without_structure_give_finite_guesses(vectors: np.ndarray) -> None:
    around = Surroundings.of(vectors.astype(np.float16))
    targets = one_hot(np.array([0, 1]), 2)
    guesses = guess(around, around.say(np.ones((2, 4), np.float16)), targets, "single_label")
    assert np.isfinite(guesses.confidence).all()
    assert guesses.targets.shape == (len(vectors), 2)


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.empty((0, 4)), "u >= 1"),
        (np.array([[1.0, np.nan], [0, 0]]), "NaN or infinity"),
        (np.ones(4), "u >= 1"),
    ],
)
def test_a_sample_that_is_none_is_refused(vectors: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Surroundings.of(vectors)


def test_labelled_vectors_of_another_embedder_are_refused() -> None:
    with pytest.raises(ValueError, match="5 wide and the unlabelled sample 8; use one embedder"):
        Surroundings.of(blobs([20])[0]).say(np.ones((2, 5), np.float32))


def test_a_label_of_weight_zero_is_as_if_it_were_not_there() -> None:
    vectors, _ = blobs([60])
    around = Surroundings.of(vectors)
    targets, rows = np.array([[1], [0], [0]], dtype=np.int8), [3, 4, 40]
    silenced = guess(around, around.say(vectors[rows]), targets, "multi_label", np.array([1.0, 0.0, 1.0]))
    absent = guess(around, around.say(vectors[[3, 40]]), targets[[0, 2]], "multi_label")
    np.testing.assert_allclose(silenced.confidence, absent.confidence, atol=1e-6)
    np.testing.assert_array_equal(silenced.targets, absent.targets)

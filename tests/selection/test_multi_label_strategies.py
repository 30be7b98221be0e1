"""CVIRS and MMC pick what a plain reference written from the papers picks, and know how many classes frames show."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from al_assets.keys import Task
from al_assets.selection.pool import Linear, Pool
from al_assets.selection.strategies import cvirs, strategy
from support.small_pools import small_pool

TASKS: list[Task] = ["single_label", "multi_label"]


def picked(name: str, pool: Pool, budget: int = 10) -> list[int]:
    return strategy(name)(pool, budget, np.random.default_rng(0)).positions.tolist()


def best(scores: list[float], budget: int = 10) -> list[int]:
    return sorted(range(len(scores)), key=lambda row: -scores[row])[:budget]


def binary_entropy(cells: list[int]) -> float:
    total = sum(cells)
    return -sum(n / total * math.log(n / total) for n in cells if n)


def reference_distance(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Normalised entropy distance by the table of both rows; 1 for complements (Reyes et al. 2018, equations 8, 9)."""
    table = [sum(pair == cell for pair in zip(one, other, strict=True)) for cell in product((0, 1), (0, 1))]
    if table[1] + table[2] == len(one):
        return 1.0
    joint = binary_entropy(table)
    if joint == 0:
        return 0.0
    apart = [binary_entropy([row.count(0), row.count(1)]) for row in (one, other)]
    return (2 * joint - sum(apart)) / joint


def reference_cvirs(pool: Pool) -> list[float]:
    p = pool.probabilities.astype(float)  # type: ignore[union-attr]
    n, k = p.shape
    margins = np.abs(p - (1 - p))
    ranks = [[1 + sum(m < margins[row, c] for m in margins[:, c]) for c in range(k)] for row in range(n)]
    doubt = [sum((n - rank) / (n - 1) for rank in row) / k for row in ranks]
    labelled = [tuple(int(t == 1) for t in row) for row in pool.labelled_targets]
    scores = []
    for row in range(n):
        if pool.task == "single_label":
            said = tuple(int(c == p[row].argmax()) for c in range(k))
        else:
            said = tuple(int(value >= 0.5) for value in p[row])
        scores.append(doubt[row] * sum(reference_distance(said, known) for known in labelled) / len(labelled))
    return scores


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", range(5))
def test_cvirs_picks_those_of_the_definition(task: Task, seed: int) -> None:
    pool = small_pool(task=task, seed=seed)
    scores = reference_cvirs(pool)
    # Ranks tie often: which of equal ones is taken is a draw.
    assert [scores[row] for row in picked("cvirs", pool)] == pytest.approx(sorted(scores)[:-11:-1])
    assert strategy("cvirs")(pool, 10, np.random.default_rng(0)).scores == pytest.approx(
        sorted(scores)[:-11:-1]
    )


def test_without_labels_cvirs_goes_by_doubt_alone() -> None:
    pool = small_pool(
        task="multi_label", labelled_embeddings=np.empty((0, 6)), labelled_targets=np.empty((0, 4), np.int8)
    )
    assert picked("cvirs", pool) == best(cvirs.rank_of_doubt(pool.probabilities).tolist())  # type: ignore[arg-type]


def test_frames_with_the_same_doubt_share_a_rank() -> None:
    p = np.array([[0.5], [0.9], [0.9], [1.0]])
    assert cvirs.rank_of_doubt(p).tolist() == pytest.approx([1, 0.5, 0.5, 0])


def test_a_set_that_nobody_labelled_is_more_inconsistent_than_one_that_everybody_did() -> None:
    labelled = np.array([[1, 1, 0, 0, 0, 0]] * 5, bool)
    sets = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]], bool)
    same, other, complement = cvirs.inconsistency(sets, labelled, np.random.default_rng(0))
    assert (same, complement) == (0, 1)
    assert 0 < other < 1


def test_more_labelled_sets_than_are_compared_stand_in_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labelled, sets = rng.random((4000, 12)) < 0.3, rng.random((50, 12)) < 0.3
    whole = cvirs.inconsistency(sets, labelled, rng)
    monkeypatch.setattr(cvirs, "SETS", 300)
    np.testing.assert_allclose(cvirs.inconsistency(sets, labelled, rng), whole, atol=0.08)


def reference_mmc(pool: Pool) -> list[float]:
    """Number of classes by logistic regression on sorted, normalised probabilities, then sum_c (1 - y_c f_c) / 2."""
    assert pool.probabilities is not None
    assert pool.linear is not None

    def features(p: np.ndarray) -> np.ndarray:
        return np.array([[value / sum(row) for value in sorted(row, reverse=True)] for row in p])

    logits = pool.labelled_embeddings.astype(float) @ pool.linear.weight.T.astype(float) + pool.linear.bias
    known = [sum(int(t == 1) for t in row) for row in pool.labelled_targets]
    model = LogisticRegression(max_iter=200).fit(features(1 / (1 + np.exp(-logits))), known)
    p = pool.probabilities.astype(float)
    scores = []
    for row, number in zip(p, model.predict(features(p)), strict=True):
        likeliest = sorted(range(len(row)), key=lambda c: -row[c])[:number]
        said = [1 if c in likeliest else -1 for c in range(len(row))]
        scores.append(sum((1 - y * (2 * value - 1)) / 2 for y, value in zip(said, row, strict=True)))
    return scores


@pytest.mark.parametrize("seed", range(5))
def test_mmc_picks_those_of_the_definition(seed: int) -> None:
    pool = small_pool(task="multi_label", seed=seed)
    assert picked("mmc", pool) == best(reference_mmc(pool))


@pytest.mark.parametrize("seed", range(5))
def test_with_one_class_a_frame_mmc_is_least_confidence(seed: int) -> None:
    pool = small_pool(task="single_label", seed=seed)
    assert picked("mmc", pool) == picked("least_confidence", pool)


def test_mmc_learns_from_frames_that_are_judged_whole() -> None:
    pool = small_pool(task="multi_label")
    targets = pool.labelled_targets.copy()
    targets[6:, 0] = -1
    half = small_pool(
        task="multi_label",
        labelled_targets=targets[:6],
        labelled_embeddings=pool.labelled_embeddings[:6],
    )
    assert picked("mmc", small_pool(task="multi_label", labelled_targets=targets)) == picked("mmc", half)


@pytest.mark.parametrize("target", [1, -1])
def test_mmc_without_examples_of_several_numbers_expects_what_the_probabilities_sum_to(target: int) -> None:
    chances = np.array([[0.9, 0.9, 0.1], [0.9, 0.1, 0.1], [0.5, 0.5, 0.5]], np.float32)
    pool = small_pool(
        3,
        task="multi_label",
        classes=3,
        probabilities=chances,
        labelled_targets=np.full((12, 3), target, np.int8),
        linear=Linear(np.zeros((3, 6), np.float32), np.zeros(3, np.float32)),
    )
    picks = strategy("mmc")(pool, 3, np.random.default_rng(0))
    assert picks.positions[0] == 2
    assert sorted(picks.scores.tolist()) == pytest.approx([0.3, 0.3, 1.5])

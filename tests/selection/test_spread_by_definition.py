"""Strategies that spread their picks over classes, clusters or examples pick what the definition says."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from al_assets.keys import Task
from al_assets.selection.pool import Pool
from al_assets.selection.rows import seeded_rows
from al_assets.selection.strategies import class_balanced, cluster_margin, strategy
from al_assets.selection.strategies.ranking import NoExamplesError
from support.small_pools import FIRST, small_pool

TASKS: list[Task] = ["single_label", "multi_label"]


def picked(name: str, pool: Pool, budget: int = 10, seed: int = 0) -> list[int]:
    return strategy(name)(pool, budget, np.random.default_rng(seed)).positions.tolist()


def doubt(pool: Pool, row: int) -> float:
    p = sorted(pool.probabilities[row].astype(float).tolist())  # type: ignore[index]
    if pool.task == "single_label":
        return 1 - (p[-1] - p[-2])
    return 1 - min(abs(2 * value - 1) for value in p)


def reference_class_balanced(pool: Pool, budget: int, floor: float) -> list[int]:
    """Greedy: doubt plus what a pick is expected to bring to classes below their floor."""
    p = pool.probabilities.astype(float)  # type: ignore[union-attr]
    labels = (pool.labelled_targets == 1).sum(axis=0)
    a_frame = 1 if pool.task == "single_label" else p.sum() / len(p)
    lacks = [max(0.0, min(floor, (labels.sum() + budget * a_frame) / len(labels)) - n) for n in labels]
    chosen: list[int] = []
    for _ in range(budget):
        value = {
            row: doubt(pool, row) + sum(min(value, lack) for value, lack in zip(p[row], lacks, strict=True))
            for row in range(len(pool))
            if row not in chosen
        }
        chosen.append(max(value, key=lambda row: value[row]))
        lacks = [max(0.0, lack - value) for lack, value in zip(lacks, p[chosen[-1]], strict=True)]
    return chosen


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", range(5))
def test_class_balanced_picks_those_of_the_definition(
    task: Task, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_balanced, "FIRST", 3)
    targets = np.random.default_rng(seed).integers(0, 2, (12, 4)).astype(np.int8)
    targets[:, 1] = 0
    pool = small_pool(task=task, seed=seed, labelled_targets=targets)
    assert picked("class_balanced", pool, 20) == reference_class_balanced(pool, 20, class_balanced.FLOOR)


def long_tail(task: Task) -> Pool:
    """90 frames in doubt between two common classes, 10 that the model is sure are of a rare one."""
    rng = np.random.default_rng(0)
    common = rng.uniform(0.3, 0.7, 90)
    p = np.concatenate(
        [np.column_stack([common, 1 - common, np.zeros(90)]), np.tile([0.05, 0.05, 0.9], (10, 1))]
    )
    targets = np.repeat(np.eye(3, dtype=np.int8), [30, 30, 1], axis=0)
    return small_pool(
        100,
        classes=3,
        task=task,
        probabilities=p.astype(np.float32),
        labelled_embeddings=np.ones((61, 6)),
        labelled_targets=targets,
    )


@pytest.mark.parametrize("task", TASKS)
def test_a_class_below_its_floor_is_looked_for_before_doubt_between_common_ones(task: Task) -> None:
    assert all(row >= 90 for row in picked("class_balanced", long_tail(task), 8))
    assert all(row < 90 for row in picked("margin", long_tail(task), 8))


def test_where_every_class_has_its_floor_doubt_decides() -> None:
    targets = np.repeat(np.eye(4, dtype=np.int8), 30, axis=0)
    pool = small_pool(task="single_label", labelled_embeddings=np.ones((120, 6)), labelled_targets=targets)
    assert picked("class_balanced", pool) == picked("margin", pool)


def test_a_class_that_the_labels_have_never_named_lacks_all_of_its_floor() -> None:
    two = np.tile(np.array([[1, 0], [0, 1]], np.int8), (50, 1))
    p = np.full((10, 4), 0.25)
    assert class_balanced.lacking(two, p, 400, "single_label").tolist() == [0, 0, 20, 20]


def reference_cluster_margin(pool: Pool, budget: int, seed: int) -> list[int]:
    """Rounds over the clusters of the most doubtful ones, smallest first, one drawn of each (Citovsky et al. 2021)."""
    by_id = np.argsort(pool.frame_ids)
    units = pool.embeddings[by_id] / np.linalg.norm(pool.embeddings[by_id], axis=1, keepdims=True)
    cluster = np.empty(len(pool), int)
    cluster[by_id] = fcluster(linkage(units, "average"), max(cluster_margin.CLUSTERS, budget), "maxclust")
    draw = np.argsort(seeded_rows(pool, np.random.default_rng(seed)).order)
    doubtful = sorted(range(len(pool)), key=lambda row: -doubt(pool, row))[
        : cluster_margin.CANDIDATES * budget
    ]
    members = defaultdict(list)
    for row in sorted(doubtful, key=lambda row: draw[row]):
        members[cluster[row]].append(row)
    groups = sorted((len(rows), number) for number, rows in members.items())
    chosen: list[int] = []
    while len(chosen) < budget:
        for _, number in groups:
            if members[number]:
                chosen.append(members[number].pop(0))
    return chosen[:budget]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", range(5))
def test_cluster_margin_picks_those_of_the_definition(
    task: Task, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_margin, "CLUSTERS", 12)
    pool = small_pool(200, task=task, seed=seed)
    assert picked("cluster_margin", pool, 9, seed) == reference_cluster_margin(pool, 9, seed)


def two_crowds() -> Pool:
    """200 frames of one look in great doubt, 20 of another in a little less, 780 that are sure."""
    rng = np.random.default_rng(0)
    axes = np.repeat(np.eye(6, dtype=np.float32)[[0, 1, 2]], [200, 20, 780], axis=0)
    top = np.concatenate([rng.uniform(0.5, 0.52, 200), rng.uniform(0.53, 0.55, 20), rng.uniform(0.9, 1, 780)])
    return small_pool(
        1000,
        task="single_label",
        classes=2,
        embeddings=axes + rng.normal(0, 0.01, (1000, 6)).astype(np.float32),
        probabilities=np.column_stack([top, 1 - top]).astype(np.float32),
    )


@pytest.mark.parametrize("exact", [5_000, 500])
def test_a_crowd_of_look_alikes_does_not_fill_the_batch(exact: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_margin, "EXACT", exact)
    monkeypatch.setattr(cluster_margin, "CLUSTERS", 3)
    pool = two_crowds()
    monkeypatch.setattr(cluster_margin, "CANDIDATES", 40)
    chosen = picked("cluster_margin", pool, 6)
    assert sum(200 <= row < 220 for row in chosen) >= 1
    assert all(row < 200 for row in picked("margin", pool, 6))


def test_similarity_takes_the_nearest_to_any_example() -> None:
    pool = small_pool(50, task="single_label")
    examples = np.random.default_rng(1).normal(size=(3, 6))
    like = small_pool(
        50, task="single_label", examples=examples, probabilities=None, committee=None, linear=None
    )
    cosines = [
        max(float(x @ e / np.linalg.norm(x) / np.linalg.norm(e)) for e in examples)
        for x in pool.embeddings.astype(float)
    ]
    order = sorted(range(50), key=lambda row: -cosines[row])
    picks = strategy("similarity")(like, 12, np.random.default_rng(0))
    assert picks.positions.tolist() == order[:12]
    assert picks.scores == pytest.approx([cosines[row] for row in order[:12]], abs=1e-6)
    assert "to example " in picks.reasons[0]


def test_more_examples_than_are_compared_at_once_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = small_pool(50, task="single_label", examples=np.random.default_rng(1).normal(size=(9, 6)))
    whole = strategy("similarity")(pool, 12, np.random.default_rng(0))
    monkeypatch.setattr("al_assets.selection.strategies.similarity.EXAMPLES", 2)
    parts = strategy("similarity")(pool, 12, np.random.default_rng(0))
    assert (whole.positions.tolist(), whole.reasons) == (parts.positions.tolist(), parts.reasons)


@pytest.mark.parametrize("examples", [None, np.empty((0, 6))])
def test_similarity_without_an_example_says_where_to_name_one(examples: np.ndarray | None) -> None:
    with pytest.raises(NoExamplesError, match=r"under \[mining\] examples"):
        picked("similarity", small_pool(task="single_label", examples=examples))


def test_frames_without_content_are_like_nothing() -> None:
    vectors = np.array([[0, 0], [-1, 0.2], [0.1, 1]], np.float32)
    pool = Pool(
        frame_ids=FIRST + np.arange(3),
        embeddings=vectors,
        probabilities=None,
        task="multi_label",
        labelled_embeddings=np.empty((0, 2)),
        labelled_targets=np.empty((0, 1), np.int8),
        examples=np.array([[0.0, 1.0]]),
    )
    picks = strategy("similarity")(pool, 3, np.random.default_rng(0))
    assert picks.positions.tolist() == [2, 1, 0]
    assert picks.scores[2] == 0


@pytest.mark.parametrize(
    ("labels_a_class", "model", "used"),
    [(0, True, "typiclust"), (5, True, "typiclust"), (6, True, "margin"), (6, False, "typiclust")],
)
def test_tcm_is_typical_first_and_margin_from_its_switch_on(
    labels_a_class: int, model: bool, used: str
) -> None:
    targets = np.tile(np.eye(4, dtype=np.int8), (labels_a_class, 1))
    parts = {} if model else {"probabilities": None}
    pool = small_pool(
        task="single_label", labelled_targets=targets, labelled_embeddings=np.ones((len(targets), 6)), **parts
    )
    picks = strategy("tcm")(pool, 7, np.random.default_rng(0))
    alone = strategy(used)(pool, 7, np.random.default_rng(0))
    assert picks.positions.tolist() == alone.positions.tolist()
    assert picks.reasons == [f"tcm ({used}): {reason}" for reason in alone.reasons]


def test_after_so_many_picks_one_by_one_the_rest_is_ranked_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = small_pool(task="multi_label", labelled_targets=np.zeros((12, 4), np.int8))
    whole = picked("class_balanced", pool, 20)
    monkeypatch.setattr(class_balanced, "GREEDY", 4)
    cut = strategy("class_balanced")(pool, 20, np.random.default_rng(0))
    assert cut.positions[:4].tolist() == whole[:4]
    assert len(set(cut.positions.tolist())) == 20
    assert (np.diff(cut.scores[4:]) <= 0).all()

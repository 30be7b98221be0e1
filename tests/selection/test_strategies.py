"""What every strategy owes its caller, whatever the pool; then what each prefers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from al_assets.keys import Task
from al_assets.selection.pool import Linear, Pool, PoolError
from al_assets.selection.strategies import STRATEGIES, UnknownStrategyError, strategy, uncertainty_herding
from al_assets.selection.strategies.ranking import NoModelError

ALL = sorted(STRATEGIES)
UNCERTAIN = ["entropy", "least_confidence", "margin"]
SETTINGS = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.sampled_from(ALL)
TASKS = st.sampled_from(["single_label", "multi_label"])
FIRST = 16777216


def make_pool(
    n: int,
    *,
    seed: int = 0,
    classes: int | None = 3,
    task: Task = "multi_label",
    labelled: int = 0,
    kind: str = "scattered",
) -> Pool:
    """A pool of n frames; kind: scattered, identical, zero, or twins (only two distinct vectors)."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n + labelled, 4)).astype(np.float16)
    if kind == "identical":
        vectors[:] = vectors[:1]
    if kind == "zero":
        vectors[:] = 0
    if kind == "twins":
        vectors[:] = vectors[rng.integers(0, 2, n + labelled)] if n + labelled > 1 else vectors
    chances = None
    if classes is not None:
        chances = rng.dirichlet(np.full(classes, 0.3), n).astype(np.float32)
        chances[rng.random(n) < 0.3] = np.eye(classes, dtype=np.float32)[
            0
        ]  # saturated: p is 0 and 1, and ties
    pool = Pool(
        frame_ids=FIRST + rng.permutation(5 * n + 1)[:n].astype(np.int64),
        embeddings=vectors[:n],
        probabilities=chances,
        task=task,
        labelled_embeddings=vectors[n:],
        labelled_targets=np.ones((labelled, 3), dtype=np.int8),
        examples=rng.normal(size=(2, 4)).astype(np.float16),
    )
    return pool if classes is None else with_models(pool, classes, rng)


def with_models(pool: Pool, classes: int, rng: np.random.Generator) -> Pool:
    """The pool with a committee of three, a linear model, and targets that are mixed where there are several."""
    targets = rng.integers(-1, 2, pool.labelled_targets.shape).astype(np.int8)
    targets[: len(targets) // 2] = 1
    return replace(
        pool,
        committee=rng.dirichlet(np.ones(classes), (3, len(pool))).astype(np.float32),
        linear=Linear(rng.normal(size=(classes, 4)).astype(np.float32), np.zeros(classes, np.float32)),
        labelled_targets=targets,
    )


POOLS = st.builds(
    make_pool,
    st.integers(0, 60),
    seed=st.integers(0, 1000),
    classes=st.integers(1, 4),
    task=TASKS,
    labelled=st.integers(0, 20),
    kind=st.sampled_from(["scattered", "identical", "zero", "twins"]),
)


@SETTINGS
@given(NAMES, POOLS, st.integers(0, 80), st.integers(0, 20), st.integers(0, 99))
def test_picks_are_distinct_candidates_and_as_many_as_asked_for(
    name: str, pool: Pool, budget: int, spare: int, seed: int
) -> None:
    picks = strategy(name)(pool, budget, np.random.default_rng(seed), spare=spare)
    assert len(picks.positions) == min(len(pool), budget + spare)
    assert len(picks.scores) == len(picks.reasons) == len(picks.positions)
    assert len(set(picks.positions.tolist())) == len(picks.positions)
    assert all(0 <= position < len(pool) for position in picks.positions)
    assert np.isfinite(picks.scores).all()
    assert all(picks.reasons)


@SETTINGS
@given(NAMES, POOLS, st.integers(0, 80), st.integers(0, 99))
def test_the_same_seed_gives_the_same_frames_however_the_pool_is_stored(
    name: str, pool: Pool, budget: int, seed: int
) -> None:
    shuffled = pool.take(np.random.default_rng(seed + 1).permutation(len(pool)))
    here = strategy(name)(pool, budget, np.random.default_rng(seed))
    there = strategy(name)(shuffled, budget, np.random.default_rng(seed))
    assert pool.frame_ids[here.positions].tolist() == shuffled.frame_ids[there.positions].tolist()


@pytest.mark.parametrize("name", ALL)
def test_a_large_pool_gives_the_same_frames_in_any_order_too(name: str) -> None:
    pool = make_pool(300, labelled=4)
    shuffled = pool.take(np.random.default_rng(1).permutation(300))
    here, there = (strategy(name)(each, 12, np.random.default_rng(0)).positions for each in (pool, shuffled))
    assert pool.frame_ids[here].tolist() == shuffled.frame_ids[there].tolist()


@SETTINGS
@given(NAMES, POOLS, st.integers(0, 40), st.integers(0, 99))
def test_spare_picks_come_after_the_choice_and_do_not_change_it(
    name: str, pool: Pool, budget: int, seed: int
) -> None:
    without = strategy(name)(pool, budget, np.random.default_rng(seed)).positions
    spared = strategy(name)(pool, budget, np.random.default_rng(seed), spare=len(pool)).positions
    assert spared[: len(without)].tolist() == without.tolist()


@SETTINGS
@given(st.sampled_from(["auto", "coverage", "random"]), st.integers(0, 60), st.integers(0, 80))
def test_without_a_model_the_start_is_still_possible(name: str, n: int, budget: int) -> None:
    picks = strategy(name)(make_pool(n, classes=None), budget, np.random.default_rng(0))
    assert len(set(picks.positions.tolist())) == min(n, budget)


@pytest.mark.parametrize("name", ALL)
def test_the_pool_is_left_as_it_was(name: str) -> None:
    pool, fresh = make_pool(30, labelled=5), make_pool(30, labelled=5)
    strategy(name)(pool, 10, np.random.default_rng(0))
    for field in ("frame_ids", "embeddings", "probabilities", "labelled_embeddings"):
        np.testing.assert_array_equal(getattr(pool, field), getattr(fresh, field))


@pytest.mark.parametrize("name", ALL)
def test_a_negative_budget_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        strategy(name)(make_pool(5), -1, np.random.default_rng(0))


@pytest.mark.parametrize("name", UNCERTAIN)
def test_uncertainty_without_a_model_says_what_to_choose_instead(name: str) -> None:
    with pytest.raises(NoModelError, match="use 'coverage' or 'auto'"):
        strategy(name)(make_pool(5, classes=None), 2, np.random.default_rng(0))


def test_an_unknown_strategy_lists_those_there_are() -> None:
    with pytest.raises(UnknownStrategyError, match=r"'margn'; choose one of activelab, auto, "):
        strategy("margn")


def chances_pool(rows: list[list[float]], task: Task) -> Pool:
    chances = np.array(rows, dtype=np.float32)
    return Pool(
        frame_ids=FIRST + np.arange(len(rows)),
        embeddings=np.ones((len(rows), 2), dtype=np.float32),
        probabilities=chances,
        task=task,
        labelled_embeddings=np.empty((0, 2), dtype=np.float32),
        labelled_targets=np.empty((0, chances.shape[1]), dtype=np.int8),
    )


SINGLE = [[0.5, 0.5, 0.0], [0.4, 0.3, 0.3], [1.0, 0.0, 0.0], [0.48, 0.26, 0.26]]


@pytest.mark.parametrize(
    ("name", "order"),
    [("margin", [0, 1, 3, 2]), ("least_confidence", [1, 3, 0, 2]), ("entropy", [1, 3, 0, 2])],
)
def test_single_label_uncertainty_prefers_what_its_formula_says(name: str, order: list[int]) -> None:
    picks = strategy(name)(chances_pool(SINGLE, "single_label"), 4, np.random.default_rng(0))
    assert picks.positions.tolist() == order


@pytest.mark.parametrize("name", UNCERTAIN)
def test_multi_label_uncertainty_prefers_doubt_and_survives_certainty(name: str) -> None:
    rows = [[0.0, 1.0], [0.05, 0.99], [0.5, 0.5], [0.4, 0.02]]
    picks = strategy(name)(chances_pool(rows, "multi_label"), 4, np.random.default_rng(0))
    assert picks.positions.tolist() == [2, 3, 1, 0]


@pytest.mark.parametrize("name", UNCERTAIN)
def test_ties_are_drawn_and_do_not_take_one_clip_whole(name: str) -> None:
    pool = chances_pool([[0.5, 0.5]] * 200, "single_label")
    first, second = (strategy(name)(pool, 20, np.random.default_rng(seed)).positions for seed in (0, 1))
    assert set(first.tolist()) != set(second.tolist())
    assert first.max() > 100


def grouped(sizes: list[int], labelled: list[int]) -> Pool:
    """Groups of look-alikes along the axes of space."""
    rng = np.random.default_rng(3)
    axes = np.eye(len(sizes), dtype=np.float32) * 10
    group = np.repeat(np.arange(len(sizes)), sizes)
    covered = axes[np.array(labelled, dtype=int)]
    return Pool(
        frame_ids=FIRST + np.arange(len(group)),
        embeddings=axes[group] + rng.normal(scale=0.1, size=(len(group), len(sizes))).astype(np.float32),
        probabilities=None,
        task="multi_label",
        labelled_embeddings=covered,
        labelled_targets=np.ones((len(covered), 1), dtype=np.int8),
    )


def groups_of(pool: Pool, positions: Any) -> list[int]:
    return pool.embeddings[positions].argmax(axis=1).tolist()


def test_coverage_takes_one_of_every_group_however_unequal_they_are() -> None:
    pool = grouped([80, 40, 12, 8, 5, 5], [])
    picks = strategy("coverage")(pool, 6, np.random.default_rng(0))
    assert sorted(groups_of(pool, picks.positions)) == [0, 1, 2, 3, 4, 5]


def test_coverage_leaves_groups_with_labels_for_later() -> None:
    pool = grouped([80, 40, 40, 40], [0, 1])
    picks = strategy("coverage")(pool, 2, np.random.default_rng(0))
    assert sorted(groups_of(pool, picks.positions)) == [2, 3]


def test_coverage_takes_the_frame_nearest_to_the_centre() -> None:
    pool = make_pool(30, classes=None)
    directions = pool.embeddings / np.linalg.norm(pool.embeddings, axis=1, keepdims=True)
    (picked,) = strategy("coverage")(pool, 1, np.random.default_rng(0)).positions
    distances = np.linalg.norm(directions - directions.mean(axis=0), axis=1)
    assert distances[picked] <= np.sort(distances)[2]


def test_auto_herds_while_there_is_no_model_and_says_so() -> None:
    pool = make_pool(20, classes=None)
    ours = strategy("auto")(pool, 5, np.random.default_rng(0))
    theirs = strategy("max_herding")(pool, 5, np.random.default_rng(0))
    assert ours.positions.tolist() == theirs.positions.tolist()
    assert all(reason.startswith("auto (max_herding): ") for reason in ours.reasons)
    assert ours.note.startswith("auto chose max_herding: no model serves yet")


@pytest.mark.parametrize(("labels_per_class", "trust"), [(0, 0.0), (3, 0.5), (27, 0.9)])
def test_auto_trusts_doubt_the_more_labels_a_class_there_are(labels_per_class: int, trust: float) -> None:
    pool = make_pool(20, labelled=3 * labels_per_class)
    pool = replace(pool, labelled_targets=np.tile(np.eye(3, dtype=np.int8), (labels_per_class, 1)))
    note = strategy("auto")(pool, 5, np.random.default_rng(0)).note
    assert note.startswith(f"auto chose uncertainty_herding: the model's doubt is trusted by {trust:.2f}")


def test_doubt_that_is_not_trusted_leaves_coverage_and_doubt_that_is_leaves_uherding() -> None:
    pool = make_pool(60, labelled=4, task="single_label")
    doubt = uncertainty_herding.margin_doubt(pool)
    full, none = (
        uncertainty_herding.herd_doubt(pool, doubt, 6, np.random.default_rng(0), trust=trust)
        for trust in (1.0, 0.0)
    )
    assert (
        full.positions.tolist()
        == strategy("uncertainty_herding")(pool, 6, np.random.default_rng(0)).positions.tolist()
    )
    even = uncertainty_herding.herd_doubt(pool, np.ones_like(doubt), 6, np.random.default_rng(0))
    assert none.positions.tolist() == even.positions.tolist()


def test_auto_whitens_vectors_whose_variance_lies_in_few_directions() -> None:
    rng = np.random.default_rng(0)
    narrow = rng.normal(size=(200, 64)) * np.r_[30, 30, np.ones(62)]
    picks = strategy("auto")(vectors_pool(narrow), 5, np.random.default_rng(0))
    assert "(max_herding, whitened)" in picks.reasons[0]
    assert "variance lies in 2 of 64 directions" in picks.note


def test_auto_leaves_vectors_that_vary_in_all_directions_alone() -> None:
    even = np.random.default_rng(0).normal(size=(200, 64))
    assert "whitened" not in strategy("auto")(vectors_pool(even), 5, np.random.default_rng(0)).note


def vectors_pool(vectors: np.ndarray) -> Pool:
    return Pool(
        frame_ids=FIRST + np.arange(len(vectors)),
        embeddings=vectors.astype(np.float32),
        probabilities=None,
        task="multi_label",
        labelled_embeddings=np.empty((0, vectors.shape[1])),
        labelled_targets=np.empty((0, 3), np.int8),
    )


def test_a_random_draw_favours_no_frame() -> None:
    pool = make_pool(10)
    picked = np.zeros(10)
    for seed in range(1000):
        picked[strategy("random")(pool, 3, np.random.default_rng(seed)).positions] += 1
    assert np.abs(picked - 300).max() < 75  # five standard deviations of a binomial count


def test_a_random_draw_favours_candidates_by_the_frames_they_stand_for() -> None:
    weights = np.array([1, 1, 2, 4], dtype=np.float32)
    pool = replace(make_pool(4), weights=weights)
    picked = np.zeros(4)
    for seed in range(1600):
        picked[strategy("random")(pool, 1, np.random.default_rng(seed)).positions] += 1
    assert np.abs(picked - 200 * weights).max() < 100  # five standard deviations


BAD: list[tuple[dict[str, Any], str]] = [
    ({"embeddings": np.array([[0, np.nan], [0, 0]])}, "embeddings of frame 16777216 hold NaN"),
    ({"embeddings": np.array([[0, 0], [np.inf, -np.inf]])}, "embeddings of frame 16777217 hold NaN"),
    ({"labelled_embeddings": np.array([[np.nan, 0]])}, "labelled_embeddings of row 0 hold NaN"),
    ({"probabilities": np.array([[0.5, 0.5], [np.nan, 0.5]])}, "probabilities of frame 16777217 hold NaN"),
    (
        {"probabilities": np.array([[0.5, 0.5], [0.9, 0.9]])},
        "probabilities of frame 16777217 are no single_label",
    ),
    ({"probabilities": np.array([[-0.5, 1.5], [0.5, 0.5]])}, "probabilities of frame 16777216 are no"),
    ({"probabilities": np.empty((2, 0))}, "no class"),
    ({"probabilities": np.array([[0.5, 0.5]])}, "a row for each of 2 frames"),
    ({"frame_ids": np.array([FIRST, FIRST])}, "repeat 1 frames"),
    ({"frame_ids": np.array([1.0, 2.0])}, "integers"),
    ({"labelled_embeddings": np.zeros((1, 3))}, "use one embedder for both"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD)
def test_a_pool_that_nothing_could_rank_is_refused_by_name(wrong: dict[str, Any], message: str) -> None:
    right: dict[str, Any] = {
        "frame_ids": np.array([FIRST, FIRST + 1]),
        "embeddings": np.zeros((2, 2)),
        "probabilities": np.array([[0.5, 0.5], [1.0, 0.0]]),
        "task": "single_label",
        "labelled_embeddings": np.zeros((1, 2)),
        "labelled_targets": np.zeros((1, 2), dtype=np.int8),
    }
    Pool(**right)
    with pytest.raises(PoolError, match=message):
        Pool(**{**right, **wrong})

"""Diversity strategies pick what their papers' definitions say, also where they skip work or keep to a sample."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from al_assets.keys import Task
from al_assets.predictions.uncertainty import margin_uncertainty
from al_assets.selection import clustering, kernel_cover, neighbours, rows
from al_assets.selection.pool import Pool
from al_assets.selection.strategies import (
    badge,
    core_set,
    probcover,
    strategy,
    typiclust,
    uncertainty_herding,
)
from al_assets.selection.strategies.ranking import NoModelError
from support import plain_diversity as plain
from support.small_pools import FIRST, small_pool

TASKS: list[Task] = ["single_label", "multi_label"]
SEEDS = range(4)
DIVERSE = ["badge", "core_set", "dropquery", "max_herding", "probcover", "typiclust", "uncertainty_herding"]


def clustered(
    n: int = 120, *, seed: int = 0, task: Task = "single_label", labelled: int = 12, **parts: Any
) -> Pool:
    """Frames around eight directions, of which the labelled ones saw three."""
    rng = np.random.default_rng(100 + seed)
    centres = rng.normal(size=(8, 6)) * 2
    around = centres[rng.integers(0, 8, n)] + rng.normal(scale=0.6, size=(n, 6))
    seen = centres[rng.integers(0, 3, labelled)] + rng.normal(scale=0.6, size=(labelled, 6))
    vectors = {
        "embeddings": around.astype(np.float16 if seed % 2 else np.float32),
        "labelled_embeddings": seen.astype(np.float32),
        "labelled_targets": np.ones((labelled, 4), dtype=np.int8),
    }
    return small_pool(n, seed=seed, task=task, **(vectors | parts))


def picked(name: str, pool: Pool, budget: int, seed: int = 0) -> list[int]:
    return strategy(name)(pool, budget, np.random.default_rng(seed)).positions.tolist()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("labelled", [0, 12])
@pytest.mark.parametrize("working", [5, 4096])
def test_core_set_always_takes_the_frame_farthest_from_all_taken(
    seed: int, labelled: int, working: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_set, "WORKING", working)
    pool = clustered(seed=seed, labelled=labelled)
    assert picked("core_set", pool, 25, seed) == plain.core_set(pool, 25, seed)


def test_core_set_scores_are_cosine_distances_and_never_grow() -> None:
    pool = clustered()
    picks = strategy("core_set")(pool, 20, np.random.default_rng(0))
    units, held = plain.units(pool.embeddings), plain.units(pool.labelled_embeddings)
    assert picks.scores[0] == pytest.approx(1 - (held @ units[picks.positions[0]]).max(), abs=1e-5)
    assert (np.diff(picks.scores) <= 1e-6).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("labelled", "budget"), [(0, 4), (12, 8), (3, 30)])
@pytest.mark.parametrize("kept", [21, 32])
def test_typiclust_takes_the_most_typical_of_each_group_in_turn(
    seed: int, labelled: int, budget: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typiclust, "KEPT", kept)
    pool = clustered(200, seed=seed, labelled=labelled)
    assert picked("typiclust", pool, budget, seed) == plain.typiclust(pool, budget, seed)


def test_typiclust_knows_the_next_neighbours_after_more_picks_than_it_remembers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typiclust, "KEPT", 22)
    drawn = plain.Drawn(clustered(90, labelled=0), 0)
    group = typiclust._Density(drawn.rows, np.arange(90))
    left = list(range(90))
    for _ in range(60):
        place, _ = group.most_typical()
        assert place == left[int(plain.typicality(drawn.x[left]).argmax())]
        left.remove(place)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_probcover_covers_most_frames_within_the_purest_radius(
    seed: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probcover, "ROWS", 7)  # the last block of edges is a partial one
    monkeypatch.setattr(neighbours, "CELLS", 120 * 50)
    weights = np.random.default_rng(seed).integers(1, 9, 120).astype(np.float32) if weighted else None
    pool = clustered(seed=seed, labelled=2, weights=weights)
    expected, _ = plain.probcover(pool, 6, seed, classes=4)
    assert picked("probcover", pool, 6, seed) == expected


def test_probcover_falls_back_on_a_draw_when_everything_is_covered() -> None:
    pool = clustered(40, labelled=0, embeddings=np.tile(np.float32([[1, 2, 0, 0, 0, 1]]), (40, 1)))
    picks = strategy("probcover")(pool, 5, np.random.default_rng(0))
    assert picks.scores.tolist() == [40, 0, 0, 0, 0]


def test_the_radius_is_euclidean_between_unit_vectors_and_ignores_their_lengths() -> None:
    pool = clustered()
    drawn = plain.Drawn(pool, 0)
    group = drawn.groups(drawn.x[:4])
    found = probcover.radius(drawn.rows, group)
    assert found == pytest.approx(plain.purest_radius(drawn.x, group), abs=1e-5)
    longer = plain.Drawn(replace(pool, embeddings=pool.embeddings * 7), 0)
    assert probcover.radius(longer.rows, group) == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("labelled", [0, 12])
@pytest.mark.parametrize("floats", [0, 8192])
def test_max_herding_takes_the_largest_gain_in_mean_kernel_coverage(
    seed: int, labelled: int, floats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_cover, "FLOATS", floats)
    monkeypatch.setattr(kernel_cover, "FIRST_BATCH", 3)
    pool = clustered(seed=seed, labelled=labelled)
    chosen = picked("max_herding", pool, 20, seed)
    assert max(plain.herding_shortfalls(pool, chosen, np.ones(120), 1.0)) < (1e-6 if floats else 1e-5)


def test_max_herding_counts_a_candidate_as_the_frames_it_stands_for() -> None:
    weights = np.random.default_rng(0).integers(1, 30, 120).astype(np.float32)
    pool = clustered(weights=weights)
    assert max(plain.herding_shortfalls(pool, picked("max_herding", pool, 15), np.ones(120), 1.0)) < 1e-6
    assert picked("max_herding", pool, 15) != picked("max_herding", replace(pool, weights=None), 15)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("task", TASKS)
def test_uncertainty_herding_weights_coverage_by_doubt_at_the_width_of_the_labels(
    seed: int, task: Task
) -> None:
    pool = clustered(seed=seed, task=task)
    held = plain.units(pool.labelled_embeddings)
    nearest = np.sort(plain.distances(held, held), axis=1)[:, 1]
    width = float(np.clip(np.median(nearest), 0.1, 1.0))
    doubt = margin_uncertainty(pool.probabilities, task).astype(float)  # type: ignore[arg-type]
    chosen = picked("uncertainty_herding", pool, 15, seed)
    assert max(plain.herding_shortfalls(pool, chosen, doubt, width)) < 1e-6


def test_the_kernel_stays_as_wide_as_max_herdings_until_two_frames_are_labelled() -> None:
    axes = np.eye(3, dtype=np.float32)
    assert uncertainty_herding.kernel_width(axes[:1]) == 1.0
    assert uncertainty_herding.kernel_width(axes) == 1.0
    assert uncertainty_herding.kernel_width(axes[[0, 0]]) == uncertainty_herding.NARROWEST


def test_one_pair_of_twins_among_the_labelled_does_not_narrow_the_kernel() -> None:
    held = plain.units(np.random.default_rng(0).normal((4, 0, 0, 0), 1, (9, 4))).astype(np.float32)
    twins = np.concatenate([held, held[:1]])
    assert uncertainty_herding.kernel_width(twins) > 0.8 * uncertainty_herding.kernel_width(held) > 0.1


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("renew", [1, 2, 256])
def test_badge_starts_at_the_largest_gradient_and_scores_by_the_nearest_picked(
    task: Task, renew: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(badge, "RENEW", renew)
    pool = clustered(task=task)
    gradient = plain.gradients(pool)
    picks = strategy("badge")(pool, 30, np.random.default_rng(0))
    chosen = picks.positions.tolist()
    assert chosen[0] == (gradient**2).sum(axis=1).argmax()
    for step in range(1, 30):
        nearest = plain.distances(gradient[chosen[step : step + 1]], gradient[chosen[:step]]).min()
        assert picks.scores[step] == pytest.approx(nearest**2, abs=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_badge_draws_as_often_as_k_means_plus_plus_over_written_out_gradients(task: Task) -> None:
    pool = clustered(10, task=task, labelled=0)
    gradient, draws = plain.gradients(pool), 600
    found = np.zeros((3, 10))
    expected = np.zeros((3, 10))
    for seed in range(draws):
        chosen = picked("badge", pool, 3, seed)
        for step in (1, 2):
            found[step, chosen[step]] += 1
            expected[step] += plain.seeding_chances(gradient, chosen[:step])
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected + 1)).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("budget", [1, 3, 9])
def test_dropquery_takes_the_flipping_frames_nearest_to_the_centres(
    seed: int, task: Task, budget: int
) -> None:
    pool = clustered(seed=seed, task=task)
    group, distance, least = plain.dropquery(pool, budget, seed)
    chosen = picked("dropquery", pool, budget, seed)
    assert len({group[pick] for pick in chosen}) == len(chosen)
    assert [distance[pick] for pick in chosen] == pytest.approx(
        [least[group[pick]] for pick in chosen], abs=1e-5
    )


def test_dropquery_prefers_frames_whose_answer_hangs_on_few_values() -> None:
    rng = np.random.default_rng(0)
    steady = np.concatenate(
        [np.ones((100, 30)), np.zeros((100, 2))], axis=1
    )  # half a dozen values are always kept
    hanging = np.zeros((100, 32))
    hanging[:, 30:] = (1, 0.9)
    vectors = np.concatenate([steady, hanging]) + rng.normal(scale=0.01, size=(200, 32))
    weight = np.concatenate([np.tile([[1.0], [-1.0]], 30), np.eye(2)], axis=1).astype(np.float32)
    linear = type(small_pool(task="single_label").linear)(weight, np.zeros(2, np.float32))  # type: ignore[misc]
    pool = clustered(200, labelled=0, embeddings=vectors.astype(np.float32), linear=linear)
    assert min(picked("dropquery", pool, 3)) >= 100


@pytest.mark.parametrize("name", ["badge", "dropquery", "uncertainty_herding"])
def test_what_needs_a_model_says_so_without_one(name: str) -> None:
    pool = clustered(probabilities=None, linear=None)
    with pytest.raises(NoModelError, match=f"{name!r} needs .*use 'coverage' or 'auto'"):
        picked(name, pool, 3)


@pytest.mark.parametrize("name", DIVERSE)
def test_the_size_of_a_block_changes_no_choice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = clustered(300)
    whole = picked(name, pool, 20)
    for module, constant, value in (
        (rows, "BLOCK", 64),
        (clustering, "BLOCK", 64),
        (neighbours, "CELLS", 5000),
        (core_set, "CENTRES", 7),
    ):
        monkeypatch.setattr(module, constant, value)
    assert picked(name, pool, 20) == whole


@pytest.mark.parametrize("name", DIVERSE)
def test_the_number_of_threads_changes_no_choice(name: str) -> None:
    pool = clustered(6000)
    chosen = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            chosen.append(picked(name, pool, 60))
    assert chosen[0] == chosen[1]


@pytest.mark.parametrize("name", DIVERSE)
def test_pools_beyond_what_is_exact_are_still_served_in_full(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (kernel_cover, probcover, typiclust):
        monkeypatch.setattr(module, "EXACT", 40)
    monkeypatch.setattr(clustering, "FIT_ROWS", 50)
    pool = clustered(160)
    picks = strategy(name)(pool, 30, np.random.default_rng(0), spare=200)
    assert sorted(picks.positions.tolist()) == list(range(160))
    assert pool.frame_ids.min() >= FIRST
    assert np.isfinite(picks.scores).all()

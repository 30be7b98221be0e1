"""Slices of the hold-out: their metrics, that a real difference is found, and that none is made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from al_assets.checkpoints.slice_test import Parts, adjusted, p_values
from al_assets.checkpoints.slices import SliceMetric, slice_metrics

SITES = ("north", "east", "south", "west", "gate")


def measured(seed: int, *, clips: int = 50, frames: int = 8, worse_by: float = 0.0) -> list[SliceMetric]:
    """Clips of unlike difficulty at five sites, in light that changes within a clip; north is worse, or none is."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(clips), rng.integers(2, 2 * frames, clips))
    site = np.array(SITES, object)[rng.integers(0, len(SITES), clips)][groups]
    light = np.where(rng.random(len(groups)) < 0.5, "dark", "bright").astype(object)
    chance = 1 / (1 + np.exp(1.8 - rng.normal(0, 1, clips)))[groups] + worse_by * (site == "north")
    truth = rng.integers(0, 3, len(groups))
    said = np.where(rng.random(len(groups)) < chance, (truth + rng.integers(1, 3, len(groups))) % 3, truth)
    return judged(said, truth, groups, {"site": site, "light": light}, rng)


def judged(
    said: np.ndarray, truth: np.ndarray, groups: np.ndarray, slices: dict[str, Any], rng: np.random.Generator
) -> list[SliceMetric]:
    return slice_metrics(
        np.eye(3)[said],
        np.eye(3, dtype=np.int8)[truth],
        groups,
        slices,
        task="single_label",
        class_names=("a", "b", "c"),
        thresholds=np.full(3, 0.5),
        rng=rng,
    )


def row(rows: list[SliceMetric], *name: str) -> SliceMetric:
    (found,) = [each for each in rows if (each.dimension, each.slice, each.metric) == name]
    return found


def test_a_site_that_is_worse_is_found_with_its_gap() -> None:
    rows = measured(1, worse_by=0.45)
    north = row(rows, "site", "north", "accuracy")
    assert north.worse == 1
    assert north.difference is not None
    assert north.difference_low is not None
    assert north.difference_high is not None
    assert north.difference_low < north.difference < north.difference_high < 0
    assert [each.slice for each in rows if each.worse and each.dimension == "site"] == ["north"]


def test_where_nothing_differs_a_slice_is_rarely_called_worse() -> None:
    """Of 2,400 archives of three sizes 3 to 5 % had one; more than 7 of 40 is then less than one in 1,000."""
    runs = sum(any(each.worse for each in measured(seed, clips=30, frames=4)) for seed in range(40))
    assert runs <= 7


def test_values_are_shares_of_the_slice_and_differences_to_the_rest() -> None:
    groups = np.repeat(np.arange(12), 5)
    truth = np.tile(np.arange(3), 20)
    said = np.where(groups < 2, (truth + 1) % 3, truth)
    site = np.where(groups < 4, "north", "south").astype(object)
    rows = judged(said, truth, groups, {"site": site}, np.random.default_rng(0))
    north = row(rows, "site", "north", "accuracy")
    assert (north.value, north.difference, north.support, north.videos) == (0.5, -0.5, 20, 4)
    recall = row(rows, "class", "a", "recall")
    assert (recall.support, recall.videos) == (20, 12)
    assert recall.value == pytest.approx(1 - 4 / 20, abs=0.06)
    assert row(rows, "site", "south", "macro_f1").value == 1


def test_a_slice_of_few_clips_is_shown_and_not_tested() -> None:
    groups = np.repeat(np.arange(12), 10)
    truth = np.tile(np.arange(3), 40)
    said = np.where(groups < 4, (truth + 1) % 3, truth)
    site = np.where(groups < 4, "north", "south").astype(object)
    north = row(
        judged(said, truth, groups, {"site": site}, np.random.default_rng(0)), "site", "north", "accuracy"
    )
    assert (north.value, north.p_value, north.worse) == (0.0, None, 0)


def test_a_slice_that_is_everything_has_no_rest_to_differ_from() -> None:
    groups, truth = np.repeat(np.arange(12), 5), np.tile(np.arange(3), 20)
    site = np.full(60, "north", object)
    north = row(
        judged(truth, truth, groups, {"site": site}, np.random.default_rng(0)), "site", "north", "accuracy"
    )
    assert (north.value, north.difference, north.p_value) == (1.0, None, None)


def test_no_labelled_frame_gives_no_row() -> None:
    none = np.empty(0, np.int64)
    assert judged(none, none, none, {"site": np.empty(0, object)}, np.random.default_rng(0)) == []


def test_frames_of_one_clip_count_as_one_clip() -> None:
    """Six clips that are all wrong are news, however few frames they have; one long clip that is, is none."""
    cases = np.array([30.0, *[5.0] * 29])
    hits = np.where(np.arange(30) == 0, 0.0, 5.0)
    within = np.arange(30) < 6
    zero = np.zeros(30)
    parts = Parts(
        np.where(within, hits, 0),
        np.where(within, cases, 0),
        np.where(within, zero, hits),
        np.where(within, zero, cases),
    )
    all_wrong = Parts(zero, np.where(within, cases, 0), np.where(within, 0, hits), np.where(within, 0, cases))
    lone, many = p_values([parts, all_wrong], np.random.default_rng(0))
    assert lone > 0.1
    assert many < 0.002


def test_swapping_parts_of_a_clip_sees_a_difference_within_clips_that_clips_hide() -> None:
    """Clips from all wrong to all right, each a little worse in the dark."""
    level = np.repeat(np.arange(1, 10), 3)
    parts = Parts(level - 1.0, np.full(27, 10.0), level + 0.0, np.full(27, 10.0))
    assert p_values([parts], np.random.default_rng(0))[0] < 0.01


def test_adjusted_p_values_are_those_of_benjamini_and_hochberg() -> None:
    np.testing.assert_allclose(adjusted(np.array([0.04, 0.01, 0.03, 0.9])), [0.16 / 3, 0.04, 0.16 / 3, 0.9])
    assert adjusted(np.empty(0)).tolist() == []

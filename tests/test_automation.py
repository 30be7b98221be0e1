"""Decisions of the sensors: what is asked for, in which order, and what is left alone, with the reason."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.automation import (
    ENOUGH_VIDEOS,
    LoopState,
    ModelState,
    RetrainingPolicy,
    decide_first_batch,
    decide_learn,
    decide_retraining,
    decide_score,
)
from al_assets.ingest_plan import IngestState, contiguous, keys_between, plan_ingest

NOW = datetime(2026, 5, 1)
POLICY = RetrainingPolicy(drifted_share=0.5, max_age_days=30, minimum_new_labels=10)


def ranges(state: IngestState, per_run: int = 100, at_once: int = 9) -> list[tuple[str, str]]:
    return list(plan_ingest(state, videos_per_run=per_run, runs_at_once=at_once).ranges)


def test_ranges_cover_what_is_asked_for_and_nothing_else() -> None:
    assert contiguous({"a", "b", "d"}, "abcd", longest=10) == [("a", "b"), ("d", "d")]


@given(st.sets(st.integers(0, 40)), st.integers(1, 9))
def test_ranges_are_whole_disjoint_and_no_longer_than_allowed(wanted: set[int], longest: int) -> None:
    order = [f"k{i}" for i in range(41)]
    found = contiguous({f"k{i}" for i in wanted}, order, longest=longest)
    covered = [keys_between(first, last, order) for first, last in found]
    assert sorted(key for keys in covered for key in keys) == sorted(f"k{i}" for i in wanted)
    assert all(len(keys) <= longest for keys in covered)


def test_a_key_that_dagster_does_not_know_makes_no_range() -> None:
    assert contiguous({"a", "x"}, "abc", longest=9) == [("a", "a")]
    assert keys_between("a", "x", "abc") == []
    assert keys_between("x", "a", "abc") == []


class Counted(str):
    """A key that counts how often it is hashed or compared."""

    uses = 0

    def __hash__(self) -> int:
        Counted.uses += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Counted.uses += 1
        return super().__eq__(other)


def test_twenty_thousand_keys_are_planned_without_looking_at_each_for_each() -> None:
    order = tuple(Counted(f"video-{i}") for i in range(20_000))
    failed = frozenset(order[::7])
    attempts = dict.fromkeys(order[::21], 1)
    state = IngestState(order, order, in_flight=frozenset(order[:100]), failed=failed, attempts=attempts)
    Counted.uses = 0
    assert len(ranges(state, at_once=2)) == 2
    places = {key: i for i, key in enumerate(order)}
    for start in range(0, 19_000, 100):
        assert len(keys_between(order[start], order[start + 99], order, places)) == 100
    assert Counted.uses < 60 * len(order)


def test_videos_are_asked_for_in_whole_ranges_up_to_the_runs_allowed() -> None:
    state = IngestState(tuple("abcdef"), tuple("abcdef"))
    assert ranges(state, per_run=2, at_once=2) == [("a", "b"), ("c", "d")]
    assert ranges(IngestState(tuple("ab"), tuple("ab"), runs_in_flight=2), at_once=2) == []


def test_videos_in_a_run_are_not_asked_for_again() -> None:
    state = IngestState(tuple("abc"), tuple("abc"), in_flight=frozenset("ab"), runs_in_flight=1)
    assert ranges(state) == [("c", "c")]


def test_videos_of_a_failed_run_are_tried_alone_after_the_healthy_ones() -> None:
    state = IngestState(tuple("abcde"), tuple("abcde"), failed=frozenset("bc"))
    assert ranges(state) == [("a", "a"), ("d", "e"), ("b", "b"), ("c", "c")]


@pytest.mark.parametrize(
    ("failed", "attempts", "again"),
    [("", 0, True), ("", 1, True), ("a", 0, True), ("a", 1, False), ("", 2, False)],
)
def test_a_video_is_tried_twice_once_alone_and_then_left(failed: str, attempts: int, again: bool) -> None:
    state = IngestState(
        ("a",), ("a",), failed=frozenset(failed), attempts={"a": attempts} if attempts else {}
    )
    plan = plan_ingest(state, videos_per_run=9, runs_at_once=9)
    assert bool(plan.ranges) == again
    assert ("1 failed twice and waits for a person (a)" in plan.reason) == (not again)


def test_learn_waits_for_exports_and_for_its_turn() -> None:
    assert not decide_learn(LoopState()).go
    assert not decide_learn(LoopState(unclaimed_exports=1, learning=1)).go
    assert decide_learn(LoopState(unclaimed_exports=2)).reason == "2 new label exports"
    assert decide_learn(LoopState(class_changes=3)).reason == "3 changes of classes"
    assert (
        "failed on these: 1 new label export;"
        in decide_learn(LoopState(unclaimed_exports=1, ended="failed")).reason
    )


def test_score_waits_until_ingestion_is_done() -> None:
    due = LoopState(has_serving=True, unscored_videos=3)
    assert decide_score(due).go
    for guard in ("ingesting", "lacking_frames", "learning"):
        assert not decide_score(LoopState(**{**vars(due), guard: 1})).go, guard
    months = {"ingesting": 2, "lacking_frames": 90_000}
    assert decide_score(LoopState(has_serving=True, unscored_videos=ENOUGH_VIDEOS, **months)).go
    assert decide_first_batch(LoopState(embedded_videos=ENOUGH_VIDEOS, **months)).go
    assert not decide_first_batch(LoopState(embedded_videos=ENOUGH_VIDEOS - 1, **months)).go
    assert not decide_score(LoopState(**{**vars(due), "ended": "failed"})).go
    assert not decide_score(LoopState(unscored_videos=3)).go
    assert not decide_score(LoopState(has_serving=True)).go


def test_the_first_batch_is_made_once_and_only_when_nothing_else_makes_one() -> None:
    due = LoopState(embedded_videos=3)
    assert decide_first_batch(due).go
    for guard in ("batches", "unclaimed_exports", "learning", "selecting", "ingesting", "lacking_frames"):
        assert not decide_first_batch(LoopState(**{**vars(due), guard: 1})).go, guard
    assert not decide_first_batch(LoopState(**{**vars(due), "ended": "failed"})).go
    assert not decide_first_batch(LoopState()).go


def model(**values: object) -> ModelState:
    calm = {
        "trained_at": NOW - timedelta(days=1),
        "new_labels": 0,
        "open_tasks": 0,
        "drifted_videos": 0,
        "compared_videos": 10,
        "batches_since_drift": 0,
    }
    return ModelState(**{**calm, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "job", "words"),
    [
        (model(trained_at=None), None, "no model serves yet"),
        (model(), None, "0 of 10 new videos drift from what the model was trained on; from 50% on"),
        (model(compared_videos=0), None, "no video has come since"),
        (
            model(trained_at=NOW - timedelta(days=31), new_labels=10),
            "learn",
            "over 30 days old and 10 labels are new",
        ),
        (model(trained_at=NOW - timedelta(days=31), new_labels=9), None, "drift"),
        (model(trained_at=NOW - timedelta(days=30), new_labels=99), None, "drift"),
        (
            model(trained_at=NOW - timedelta(days=31), new_labels=10, open_tasks=5),
            "learn",
            "over 30 days old",
        ),
        (model(drifted_videos=5), "select_batch", "50% of new videos drift"),
        (model(drifted_videos=4), None, "4 of 10 new videos drift"),
        (model(drifted_videos=5, open_tasks=3), None, "3 tasks are still open"),
        (model(drifted_videos=5, batches_since_drift=1), None, "a batch was made since"),
    ],
)
def test_retraining_follows_the_policy_and_says_why(state: ModelState, job: str | None, words: str) -> None:
    decided, reason = decide_retraining(state, POLICY, NOW)
    assert decided == job
    assert words in reason

"""When work is asked for: pure decisions with a reason, and the policies that all assets share.

Sensors read the state and turn a decision into a run request or a skip reason; nothing here looks at the world.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

# Backfill policies are in beta; said here once instead of at every asset.
warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*backfill_policy.*")

RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For steps that talk to storage or a database server over a network."""

BATCHED = dg.BackfillPolicy.multi_run(max_partitions_per_run=100)
"""A hundred videos a run: one model load a batch, and a fault costs one batch."""

REASON_TAG = "al/reason"
WORK_TAG = "al/work"
"""What exactly a run was asked to do; a failed run is not asked for again while that is the same."""

IN_FLIGHT = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dataclass(frozen=True)
class Decision:
    """Whether to do something, and why, in words for an operator."""

    go: bool
    reason: str


def contiguous(keys: Collection[str], order: Sequence[str], *, longest: int) -> list[tuple[str, str]]:
    """Key ranges (first, last) that cover `keys` and nothing else; none longer than `longest`.

    order: all partition keys as Dagster orders them; a range run takes a slice of that order.
    contiguous({"a", "b", "d"}, "abcd", longest=10) == [("a", "b"), ("d", "d")]
    """
    wanted = [i for i, key in enumerate(order) if key in set(keys)]
    runs: list[list[int]] = []
    for position in wanted:
        if runs and position == runs[-1][-1] + 1 and len(runs[-1]) < longest:
            runs[-1].append(position)
        else:
            runs.append([position])
    return [(order[run[0]], order[run[-1]]) for run in runs]


def keys_between(first: str, last: str, order: Sequence[str]) -> list[str]:
    """Keys of a range run; empty where an end is not a key any more."""
    if first not in order or last not in order:
        return []
    return list(order[order.index(first) : order.index(last) + 1])


@dataclass(frozen=True)
class IngestState:
    """What `video_arrivals` knows when it decides."""

    order: tuple[str, ...]
    lacking: tuple[str, ...]
    in_flight: frozenset[str]
    runs_in_flight: int
    failed: frozenset[str]
    failed_alone: frozenset[str]


@dataclass(frozen=True)
class IngestPlan:
    """Key ranges to ask for, and what is left alone."""

    ranges: tuple[tuple[str, str], ...]
    reason: str


def plan_ingest(state: IngestState, *, videos_per_run: int, runs_at_once: int) -> IngestPlan:
    """Which key ranges `ingest_videos` should be run for.

    A video in a run that failed is tried once more alone, so that it holds up nobody; after that it waits for
    a person or for a new version of its file.
    """
    free = [key for key in state.lacking if key not in state.in_flight]
    healthy = [key for key in free if key not in state.failed]
    suspects = [key for key in free if key in state.failed and key not in state.failed_alone]
    given_up = len(free) - len(healthy) - len(suspects)
    ranges = contiguous(healthy, state.order, longest=videos_per_run)
    ranges += [(key, key) for key in suspects if key in state.order]
    slots = max(0, runs_at_once - state.runs_in_flight)
    chosen = ranges[:slots]
    notes = [f"{len(state.lacking)} videos lack frames or vectors"]
    if state.in_flight:
        notes.append(f"{len(state.in_flight)} are in a run now")
    if given_up:
        notes.append(f"{given_up} failed twice and wait for a person: see the failed runs of ingest_videos")
    return IngestPlan(tuple(chosen), "; ".join(notes))


@dataclass(frozen=True)
class LoopState:
    """What the loop's sensors know when they decide."""

    ingesting: int = 0
    learning: int = 0
    selecting: int = 0
    unclaimed_exports: int = 0
    embedded_videos: int = 0
    lacking_frames: int = 0
    batches: int = 0
    open_tasks: int = 0
    has_serving: bool = False
    unscored_videos: int = 0
    failed_before: bool = False


def decide_learn(state: LoopState) -> Decision:
    """One `learn` run for new exports, when none runs."""
    if not state.unclaimed_exports:
        return Decision(False, "every label export is imported")
    if state.learning:
        return Decision(False, f"{state.unclaimed_exports} exports wait for the learn run in progress")
    if state.failed_before:
        return Decision(False, "learn failed on these exports; see its run, then re-execute it")
    return Decision(True, f"{state.unclaimed_exports} new label exports")


def decide_score(state: LoopState) -> Decision:
    """One `score` run for videos that the serving model has not scored, when nothing is being ingested."""
    if not state.has_serving:
        return Decision(False, "no model serves yet")
    if not state.unscored_videos:
        return Decision(False, "every video has the serving model's scores")
    if state.ingesting or state.lacking_frames:
        return Decision(False, f"{state.unscored_videos} videos to score once ingestion is done")
    if state.learning:
        return Decision(False, f"{state.unscored_videos} videos to score after the run in progress")
    if state.failed_before:
        return Decision(False, "score failed on these videos; see its run, then re-execute it")
    return Decision(True, f"{state.unscored_videos} videos lack the serving model's scores")


def decide_first_batch(state: LoopState) -> Decision:
    """A first batch once there are vectors and nothing else will make one."""
    if state.batches or state.unclaimed_exports or state.learning or state.selecting:
        return Decision(False, "batches are made by learn")
    if not state.embedded_videos or state.ingesting or state.lacking_frames:
        return Decision(False, "the first batch waits for ingestion")
    if state.failed_before:
        return Decision(False, "select_batch failed; see its run, then re-execute it")
    return Decision(True, f"{state.embedded_videos} videos and no batch yet")


@dataclass(frozen=True)
class RetrainingPolicy:
    """The owner's policy from `[retraining]`."""

    drifted_share: float
    max_age_days: float
    minimum_new_labels: int


@dataclass(frozen=True)
class ModelState:
    """Age, gain and drift of the serving model."""

    trained_at: datetime | None
    new_labels: int
    open_tasks: int
    drifted_videos: int
    compared_videos: int
    batches_since_drift: int


def decide_retraining(state: ModelState, policy: RetrainingPolicy, now: datetime) -> tuple[str | None, str]:
    """Job to ask for (`learn`, `select_batch` or None) and why.

    An old model is trained again when new labels stand; drift asks for labels, that is for a batch, since
    training again on the same labels cannot help; neither is asked for while tasks are open.
    """
    if state.trained_at is None:
        return None, "no model serves yet; it begins with a label export"
    old = now - state.trained_at > timedelta(days=policy.max_age_days)
    if old and state.new_labels >= policy.minimum_new_labels:
        return (
            "learn",
            f"the model is over {policy.max_age_days:g} days old and {state.new_labels} labels are new",
        )
    share = state.drifted_videos / state.compared_videos if state.compared_videos else 0.0
    if share < policy.drifted_share:
        counted = f"{state.drifted_videos} of {state.compared_videos} new videos drift"
        return None, f"{counted}; the policy asks at {policy.drifted_share:.0%}"
    if state.open_tasks:
        return None, f"{share:.0%} of new videos drift, but {state.open_tasks} tasks are still open"
    if state.batches_since_drift:
        return None, f"{share:.0%} of new videos drift, and a batch was made since"
    return "select_batch", f"{share:.0%} of new videos drift from what the model was trained on"

"""When work is asked for: pure decisions with a reason, and the policies that all assets share.

Sensors read the state and turn a decision into a run request or a skip reason; nothing here looks at the world.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import dagster as dg

Asset: TypeAlias = dg.AssetsDefinition | dg.AssetSpec

# Backfill policies are in beta; said here once instead of at every asset.
warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*backfill_policy.*")

RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For steps that talk to storage or a database server over a network."""

BATCHED = dg.BackfillPolicy.multi_run(max_partitions_per_run=100)
"""A batch of videos a run: one model load a batch, and a fault costs one batch. `in_batches` sets the owner's size."""

SQL_WRITE = "sql_write"
"""Pool of unpartitioned assets that write or delete much in one transaction and compute little besides.

SQLite has one writer: two of them at once would keep each other waiting beyond its time-out. Assets that decode or
compute for long do not hold it, since their slices are short transactions that take turns by themselves. An asset is
in one pool; those that run a model are in `gpu`. Limits are in dagster.yaml: one at a time unless the owner says more.
"""

REASON_TAG = "al/reason"
FAILED_TAG = "al/failed_videos"
"""Videos that a failed run over several could not take in; the others of its range are not to blame."""
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


def in_batches(assets: Iterable[Asset], videos_per_run: int) -> list[Asset]:
    """The assets, those of videos with the owner's batch: a backfill of the Dagster UI keeps to it as sensors do.

    Unpartitioned assets have no policy: Dagster runs each once in a backfill, whatever the partitions beside it.
    """
    policy = dg.BackfillPolicy.multi_run(max_partitions_per_run=videos_per_run)
    return [
        asset.with_attributes(backfill_policy=policy)
        if isinstance(asset, dg.AssetsDefinition) and asset.backfill_policy == BATCHED
        else asset
        for asset in assets
    ]


def counted(number: int, thing: str, things: str = "") -> str:
    """The number and the thing in its number: counted(1, "video") == "1 video"; `things` where it is not thing + s."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


@dataclass(frozen=True)
class LoopState:
    """What the loop's sensors know when they decide.

    ended: how a run that was asked for exactly this ended, where the work is still to be done; empty for none.
    """

    ingesting: int = 0
    learning: int = 0
    selecting: int = 0
    unclaimed_exports: int = 0
    class_changes: int = 0
    embedded_videos: int = 0
    lacking_frames: int = 0
    batches: int = 0
    open_tasks: int = 0
    has_serving: bool = False
    unscored_videos: int = 0
    ended: str = ""


def decide_learn(state: LoopState) -> Decision:
    """One `learn` run for new exports, or for classes that were merged or split since, when none runs."""
    if not state.unclaimed_exports and not state.class_changes:
        return Decision(False, "every label export is imported")
    news = counted(state.unclaimed_exports, "new label export")
    if not state.unclaimed_exports:
        news = counted(state.class_changes, "change of classes", "changes of classes")
    if state.learning:
        return Decision(False, f"{news}, to be learnt from after the run in progress")
    if state.ended:
        return Decision(False, f"learn {state.ended} on these: {news}; see its run, then re-execute it")
    return Decision(True, news)


ENOUGH_VIDEOS = 1_000
"""Videos that are worth scoring, or selecting from, while others are still to come: an archive may take months."""


def decide_score(state: LoopState) -> Decision:
    """One `score` run for videos that the serving model has not scored, when nothing is being ingested."""
    if not state.has_serving:
        return Decision(False, "no model serves yet")
    if not state.unscored_videos:
        return Decision(False, "every video has the serving model's scores")
    due = counted(state.unscored_videos, "video")
    if (state.ingesting or state.lacking_frames) and state.unscored_videos < ENOUGH_VIDEOS:
        return Decision(
            False, f"{due} to score once every video has frames and vectors, or {ENOUGH_VIDEOS} wait"
        )
    if state.learning:
        return Decision(False, f"{due} to score after the run in progress")
    if state.ended:
        return Decision(False, f"score {state.ended} on these videos; see its run, then re-execute it")
    return Decision(True, f"{due} without the serving model's scores")


def decide_first_batch(state: LoopState) -> Decision:
    """A first batch once there are vectors and nothing else will make one."""
    if state.batches or state.unclaimed_exports or state.learning or state.selecting:
        return Decision(False, "a batch is there or on its way; learn makes the next one")
    coming = state.ingesting or state.lacking_frames
    if not state.embedded_videos or (coming and state.embedded_videos < ENOUGH_VIDEOS):
        return Decision(
            False, f"the first batch comes once every video has frames and vectors, or {ENOUGH_VIDEOS} have"
        )
    if state.ended:
        return Decision(False, f"select_batch {state.ended}; see its run, then re-execute it")
    return Decision(True, f"{counted(state.embedded_videos, 'video')} and no batch yet")


@dataclass(frozen=True)
class RetrainingPolicy:
    """The owner's policy from `[retraining]`."""

    drifted_share: float
    max_age_days: float
    minimum_new_labels: int


NAMED_VIDEOS = 5
"""Videos adrift that a reason names; the batch finds all of them in `drift_results`."""


@dataclass(frozen=True)
class ModelState:
    """Age and drift of the serving model, and the labels that no training has seen."""

    trained_at: datetime | None
    new_labels: int
    open_tasks: int
    drifted_videos: int
    compared_videos: int
    batches_since_drift: int
    drifted_ids: tuple[str, ...] = ()


def decide_retraining(state: ModelState, policy: RetrainingPolicy, now: datetime) -> tuple[str | None, str]:
    """Job to ask for (`learn`, `select_batch` or None) and why.

    An old model is trained again when labels are new; drift asks for labels, that is for a batch, since
    training again on the same labels cannot help, and waits while tasks are open.
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
    if not state.compared_videos:
        return None, "no video has come since the model was trained, and the model is not due for its age"
    if share < policy.drifted_share:
        drifted = f"{state.drifted_videos} of {state.compared_videos} new videos drift"
        return (
            None,
            f"{drifted} from what the model was trained on; from {policy.drifted_share:.0%} on a batch is made",
        )
    if state.open_tasks:
        return None, f"{share:.0%} of new videos drift, but {state.open_tasks} tasks are still open"
    if state.batches_since_drift:
        return None, f"{share:.0%} of new videos drift, and a batch was made since"
    more = len(state.drifted_ids) - NAMED_VIDEOS
    named = ", ".join(state.drifted_ids[:NAMED_VIDEOS]) + (f" and {more} more" if more > 0 else "")
    reason = f"{share:.0%} of new videos drift from what the model was trained on"
    return "select_batch", f"{reason}: {named}" if named else reason

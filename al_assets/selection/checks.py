"""Checks on batches: statements about what may be sent to a person. Aggregates only."""

import dagster as dg

from al_assets.batch_audit import class_floors, near_duplicates
from al_assets.selection.assets import selection_batch
from al_assets.selection.hand_picked import BY_HAND
from al_assets.settings import Settings
from resources.archive import Archive

SHOWN = 20


@dg.asset_check(
    asset=selection_batch, blocking=True, description="Only the evaluation arm takes hold-out frames."
)
def hold_out_frames_are_for_evaluation_only(archive: Archive) -> dg.AssetCheckResult:
    """An error that keeps the tasks back: a hold-out frame that is trained on is lost for ever."""
    batch = archive.selection.latest_batch()
    misplaced = archive.monitoring.misplaced_selections(batch["batch_id"]) if batch else 0
    return dg.AssetCheckResult(passed=misplaced == 0, metadata={"misplaced_frames": misplaced})


@dg.asset_check(asset=selection_batch, description="The newest batch is as large as asked.")
def batch_is_as_large_as_asked(archive: Archive) -> dg.AssetCheckResult:
    """A warning when candidates ran out, with what the redundancy rule left out."""
    batch = archive.selection.latest_batch()
    if batch is None:
        return dg.AssetCheckResult(passed=True, description="no batch yet")
    return dg.AssetCheckResult(
        passed=batch["selected"] >= batch["budget"],
        severity=dg.AssetCheckSeverity.WARN,
        description=str(batch["reason"]),
        metadata={
            "selected": batch["selected"],
            "asked": batch["budget"],
            "left_out": str(batch["left_out"]),
        },
    )


@dg.asset_check(
    asset=selection_batch, blocking=True, description="The newest batch holds no near-duplicates."
)
def batch_holds_no_near_duplicates(
    archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """An error that keeps the tasks back: two frames closer in time or more alike than [selection] allows.

    A batch that is out already is not judged again: the settings may be others by now. A person who chose the frames
    is only told.
    """
    batch = archive.selection.latest_batch()
    if batch is None or batch["tasks_uri"] or not batch["embedder_id"]:
        return dg.AssetCheckResult(passed=True, description="no batch that is yet to be sent")
    compared, pairs = near_duplicates(archive, settings, batch)
    shown = [f"{first} and {second}: {why}" for each in pairs for first, second, why in each.shown]
    count = sum(each.count for each in pairs)
    return dg.AssetCheckResult(
        passed=count == 0,
        severity=dg.AssetCheckSeverity.WARN if batch["strategy"] == BY_HAND else dg.AssetCheckSeverity.ERROR,
        description=f"{compared} frames compared, {count} pairs too close"
        + (f", e.g. {shown[0]}; run `select_batch` for another batch" if shown else ""),
        metadata={"compared": compared, "pairs": count, "first": "; ".join(shown[:SHOWN]) or "none"},
    )


@dg.asset_check(
    asset=selection_batch, blocking=True, description="Class floors that the pool could meet are met."
)
def class_floors_are_met(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """An error that keeps the tasks back: [selection] class_floor asks for frames of a class, there are some, and the
    batch has not got them. A warning where a class has too many frames to look at all of them."""
    batch = archive.selection.latest_batch()
    if not settings.selection.class_floor:
        return dg.AssetCheckResult(
            passed=True, description="[selection] class_floor is 0: no floor is asked for"
        )
    if batch is None or batch["tasks_uri"] or batch["strategy"] == BY_HAND:
        return dg.AssetCheckResult(passed=True, description="no batch of a strategy that is yet to be sent")
    floors = class_floors(archive, settings, batch)
    unmet = [floor for floor in floors if floor.there < floor.asked and floor.more]
    short = [floor for floor in floors if floor.there < floor.asked]
    told = [f"{floor.name}: {floor.there} of {floor.asked} places" for floor in (unmet or short)[:SHOWN]]
    certain = any(floor.whole for floor in unmet) or not unmet
    return dg.AssetCheckResult(
        passed=not unmet,
        severity=dg.AssetCheckSeverity.ERROR if certain else dg.AssetCheckSeverity.WARN,
        description=f"{len(floors)} classes have places of their own, {len(unmet)} could have more, "
        f"{len(short) - len(unmet)} fall short for want of frames"
        + (f" ({'; '.join(told)})" if told else ""),
        metadata={"classes": len(floors), "unmet": len(unmet), "short": len(short)},
    )


CHECKS = (
    hold_out_frames_are_for_evaluation_only,
    batch_holds_no_near_duplicates,
    class_floors_are_met,
    batch_is_as_large_as_asked,
)

"""Checks on batches: statements about what may be sent to a person. Aggregates only."""

import dagster as dg

from al_assets.selection.assets import selection_batch
from resources.archive import Archive


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


CHECKS = (hold_out_frames_are_for_evaluation_only, batch_is_as_large_as_asked)

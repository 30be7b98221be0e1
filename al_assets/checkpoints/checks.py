"""Checks on training: statements about leaks, calibration and the decision. Aggregates only."""

import dagster as dg

from al_assets.checkpoints.assets import candidate_checkpoint, evaluation, training_set
from resources.archive import Archive

CALIBRATION_BOUND = 0.15
"""Expected calibration error above which confidences should not be read as probabilities."""


@dg.asset_check(asset=training_set, blocking=True, description="No hold-out video is trained on.")
def hold_out_videos_are_not_trained_on(archive: Archive) -> dg.AssetCheckResult:
    """An error that stops training: a leak makes every metric a lie."""
    training_set_id = archive.models.latest_training_set() or ""
    leaks = archive.monitoring.leaks(training_set_id)
    return dg.AssetCheckResult(
        passed=leaks == 0, metadata={"leaking_rows": leaks, "training_set": training_set_id}
    )


@dg.asset_check(asset=evaluation, description="Confidences can be read as probabilities.")
def confidences_are_calibrated(archive: Archive) -> dg.AssetCheckResult:
    """A warning when the expected calibration error on the hold-out exceeds its bound."""
    newest = archive.models.latest()
    error, support = (
        archive.models.metric(newest.checkpoint_id, "expected_calibration_error") if newest else (None, 0)
    )
    measured = error is not None
    return dg.AssetCheckResult(
        passed=not measured or float(error or 0) <= CALIBRATION_BOUND,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"expected calibration error {error:.3f} on {support} frames"
        if measured
        else "not measured yet",
        metadata={"bound": CALIBRATION_BOUND, "frames": support, **({"error": error} if measured else {})},
    )


@dg.asset_check(asset=candidate_checkpoint, description="The newest model is good enough to serve.")
def newest_checkpoint_was_promoted(archive: Archive) -> dg.AssetCheckResult:
    """A warning when the gate kept the serving model, with its reason. The run goes on: promotion is data."""
    decisions = archive.models.decisions()
    if decisions.empty:
        return dg.AssetCheckResult(passed=True, description="no decision yet")
    last = decisions.iloc[-1]
    return dg.AssetCheckResult(
        passed=bool(last["promoted"]),
        severity=dg.AssetCheckSeverity.WARN,
        description=str(last["reason"]),
        metadata={"checkpoint": str(last["checkpoint_id"]), "decided_by": str(last["decided_by"])},
    )


CHECKS = (hold_out_videos_are_not_trained_on, confidences_are_calibrated, newest_checkpoint_was_promoted)

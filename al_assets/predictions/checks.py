"""Checks on predictions: statements about completeness and bounds. Aggregates only."""

import dagster as dg

from al_assets.predictions.assets import predictions, serving_checkpoint
from resources.archive import Archive

SLACK = 1e-6
"""Rounding of float32."""


@dg.asset_check(
    asset=predictions, blocking=True, description="Probabilities and margins lie between 0 and 1."
)
def scores_are_within_bounds(archive: Archive) -> dg.AssetCheckResult:
    """An error that keeps the serving pointer where it is."""
    bad = archive.monitoring.bad_rows(
        "frame_scores",
        {
            "confidence": lambda c: (c.confidence < -SLACK) | (c.confidence > 1 + SLACK),
            "margin": lambda c: (c.margin < -SLACK) | (c.margin > 1 + SLACK),
            "entropy": lambda c: c.entropy < -SLACK,
        },
    )
    return dg.AssetCheckResult(passed=not any(bad.values()), metadata=dict(bad))


@dg.asset_check(asset=serving_checkpoint, description="The serving model has scored every frame.")
def every_frame_is_scored(archive: Archive) -> dg.AssetCheckResult:
    """A warning while new videos wait for the next `score` run."""
    serving = archive.models.serving()
    if serving is None:
        return dg.AssetCheckResult(passed=True, description="no model serves yet")
    lacking = archive.videos.lacking_predictions(serving.checkpoint_id, serving.embedder_id)
    return dg.AssetCheckResult(
        passed=not lacking,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(lacking)} videos wait for scores"
        if lacking
        else "every frame has the serving model's scores",
        metadata={"videos_without_scores": len(lacking), "checkpoint": serving.checkpoint_id},
    )


CHECKS = (scores_are_within_bounds, every_frame_is_scored)

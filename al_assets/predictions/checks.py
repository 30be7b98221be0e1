"""Checks on predictions: statements about completeness. Aggregates only."""

import dagster as dg

from al_assets.predictions.assets import serving_checkpoint
from resources.archive import Archive


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


CHECKS = (every_frame_is_scored,)

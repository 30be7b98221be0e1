"""Checks on predictions: statements about completeness and bounds. Aggregates only."""

import dagster as dg

from al_assets.predictions.assets import predictions, serving_checkpoint
from resources.archive import Archive


@dg.asset_check(asset=predictions, blocking=True, description="Probabilities and margins lie between 0 and 1.")
def scores_are_within_bounds(archive: Archive) -> dg.AssetCheckResult:
    """An error that keeps the serving pointer where it is."""
    slack = "{0} < -0.000001 OR {0} > 1.000001"
    bad = archive.monitoring.bad_rows(
        "frame_scores",
        {name: slack.format(name) for name in ("confidence", "margin")} | {"entropy": "entropy < -0.000001"},
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
        description=f"{len(lacking)} videos wait for scores" if lacking else "every frame has the serving model's scores",
        metadata={"videos_without_scores": len(lacking), "checkpoint": serving.checkpoint_id},
    )


CHECKS = (scores_are_within_bounds, every_frame_is_scored)

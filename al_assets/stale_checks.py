"""Checks that say what is stale and why, of frames, vectors and scores. Warnings: the sensor asks for the videos."""

import dagster as dg

from al_assets.embeddings.assets import embeddings
from al_assets.frames.assets import frames
from al_assets.predictions.assets import predictions
from al_assets.settings import Settings
from al_assets.staleness import Stale, stale_frames, stale_scores, stale_vectors
from resources.archive import Archive


@dg.asset_check(asset=frames, description="No frames are of another file version, sampling rate or code.")
def frames_are_up_to_date(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """A warning with the videos to be read again, by reason."""
    return _result(stale_frames(archive, settings))


@dg.asset_check(asset=embeddings, description="No vectors are of another embedder or of earlier frames.")
def vectors_are_up_to_date(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """A warning with the videos to be embedded or converted again, by reason."""
    return _result(stale_vectors(archive, settings))


@dg.asset_check(asset=predictions, description="No scores are of another model or of earlier frames.")
def scores_are_up_to_date(archive: Archive) -> dg.AssetCheckResult:
    """A warning with the videos to be scored again, by reason."""
    return _result(stale_scores(archive))


def _result(found: list[Stale]) -> dg.AssetCheckResult:
    rows = [
        dg.TableRecord({"reason": s.reason, "videos": s.videos, "for example": ", ".join(s.examples)})
        for s in found
    ]
    names = ("reason", "videos", "for example")
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(stale.line for stale in found) or "nothing is stale",
        metadata={
            "stale_videos": sum(stale.videos for stale in found),
            "reasons": dg.MetadataValue.table(
                rows, schema=dg.TableSchema([dg.TableColumn(name) for name in names])
            ),
        },
    )


CHECKS = (frames_are_up_to_date, vectors_are_up_to_date, scores_are_up_to_date)

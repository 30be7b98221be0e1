"""Checks on `embeddings`: statements about coverage. Drift of the vectors is checked in the drift room."""

import dagster as dg

from al_assets.embedder_choice import lacking_vectors, wanted_embedder
from al_assets.embeddings.assets import embeddings
from al_assets.settings import Settings
from resources.archive import Archive


@dg.asset_check(
    asset=embeddings, description="Every readable video has vectors by the embedder in the settings."
)
def every_video_has_vectors(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """A warning: videos still being ingested count as lacking."""
    embedder_id = wanted_embedder(archive, settings.embeddings)
    lacking = lacking_vectors(archive, settings.embeddings)
    covered = archive.videos.covered_by("embeddings", embedder_id)
    return dg.AssetCheckResult(
        passed=not lacking,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(covered)} videos have vectors, {len(lacking)} do not yet",
        metadata={
            "videos_with_vectors": len(covered),
            "videos_without": len(lacking),
            "embedder": embedder_id,
        },
    )


CHECKS = (every_video_has_vectors,)

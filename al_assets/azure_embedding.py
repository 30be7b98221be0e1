"""The asset `embeddings` as a job of Azure ML, this side: who goes, and whether all came back.

The other side is `remote_embedding.py`; how a job is submitted and watched is in `resources/azure_ml.py`.
"""

from collections.abc import Sequence

import dagster as dg

from al_assets.automation import counted
from al_assets.embedder_choice import wanted_embedder
from al_assets.settings import EmbeddingsSettings
from resources.archive import Archive
from resources.azure_ml import AzureML
from resources.errors import OneMachineError
from resources.queries.videos import Video
from resources.slices import SliceStream

MODULE = "al_assets.remote_embedding"


def embed_in_azure(
    context: dg.AssetExecutionContext,
    archive: Archive,
    settings: EmbeddingsSettings,
    videos: Sequence[Video],
    engine: AzureML,
) -> SliceStream:
    """Embed those of the videos that lack vectors in one job, which writes them as a run here does.

    No slice is left to write here; the metadata is what the job reported. Raises dagster.Failure where the job did
    not come to its end, or left videos without vectors.
    """
    embedder_id = wanted_embedder(archive, settings)
    due = _lacking(archive, embedder_id, [video.video_id for video in videos])
    if not due:
        return SliceStream()
    context.log.info(f"{counted(len(due), 'video')} of {len(context.partition_keys)} go to Azure ML")
    asked = {"videos": due, "embedder_id": embedder_id, "settings": settings.model_dump(mode="json")}
    try:
        reported = engine.run(context, archive, MODULE, asked)
    except OneMachineError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    # Messages may be lost, rows not: what counts is what stands in the database.
    if left := _lacking(archive, embedder_id, due):
        raise dg.Failure(
            f"the job in Azure ML ended well, and {counted(len(left), 'video')} of {len(due)} still lack vectors: "
            f"{', '.join(left[:5])}; its image may hold another version of the platform"
        )
    return SliceStream(metadata=dict(reported))


def _lacking(archive: Archive, embedder_id: str, keys: list[str]) -> list[str]:
    """Of these videos those that the embedder does not cover as their frames are now, oldest first."""
    among = set(keys)
    return [key for key in archive.videos.lacking("embeddings", embedder_id) if key in among]

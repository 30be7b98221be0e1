"""The assets `embeddings` and `similarity_index`: frames become vectors, and vectors an index of look-alikes.

Backbones, batching and the index itself live in the modules beside.
"""

from itertools import chain

import dagster as dg

from al_assets.automation import BATCHED, RETRY
from al_assets.azure_embedding import embed_in_azure
from al_assets.code_versions import PICTURES
from al_assets.conversion import converted, split
from al_assets.embedding_slices import EmbeddingSlices
from al_assets.embedding_work import ITEM_FRAMES, SHARED_ITEM_FRAMES, EmbeddingWork, on_cluster
from al_assets.embeddings.configured import configured_embedder
from al_assets.frame_slices import FRAMES_TOLD
from al_assets.frames.assets import frames
from al_assets.frames.decoding import read_frames
from al_assets.frames.images import read_image
from al_assets.partitions import VIDEOS
from al_assets.settings import Settings
from al_assets.similarity_files import update_index
from al_assets.vector_versions import vector_versions
from resources.archive import Archive
from resources.azure_ml import AzureML
from resources.compute import Compute
from resources.pixels import StoragePixels

__all__ = ["configured_embedder", "embeddings", "pixels_of", "similarity_index"]


def pixels_of(archive: Archive) -> StoragePixels:
    """Reader of the archive's pixels."""
    return StoragePixels(archive.storage, archive.videos, archive.frames, read_frames, read_image)


@dg.asset(
    partitions_def=VIDEOS,
    group_name="scoring",
    kinds={"pytorch", "sql"},
    deps=[frames],
    pool="gpu",
    backfill_policy=BATCHED,
    retry_policy=RETRY,
    code_version=PICTURES,
    metadata={"table": "embeddings"},
)
def embeddings(
    context: dg.AssetExecutionContext,
    archive: Archive,
    compute: Compute,
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:
    """One packed float16 vector per sampled frame and embedder; a frame that has one is not embedded again.

    Vectors that a projection makes of others are made of those, without the video.
    A video that cannot be read is named when all others are done, and the run fails then.
    """
    own = settings.embeddings
    work = EmbeddingWork(archive.storage, on_cluster(own, compute.cpus) if compute.shared else own)
    chosen = [v for v in archive.videos.get(context.partition_keys) if v.status in ("indexed", "partial")]
    versions = vector_versions(archive, settings.embeddings)
    blocks, rest = split(archive, versions, chosen)
    if isinstance(compute, AzureML):
        embedded = embed_in_azure(context, archive, settings.embeddings, rest, compute)
    else:
        slices = EmbeddingSlices(archive, versions, rest, context.log.info, told_from=FRAMES_TOLD)
        frames_an_item = SHARED_ITEM_FRAMES if compute.shared else ITEM_FRAMES
        embedded = slices.written(compute.stream(work, slices.items(frames_an_item)))
    embedded.slices = chain(converted(archive, versions, blocks), embedded.slices)
    return dg.MaterializeResult(
        value=embedded,
        metadata={
            "videos": len(chosen),
            "embedder": versions.wanted,
            "videos_converted": sum(len(block.videos) for block in blocks),
        },
    )


@dg.asset(
    group_name="scoring",
    kinds={"faiss", "file"},
    # Which embedder's vectors are asked for is the serving model's matter.
    deps=[embeddings, dg.AssetKey("serving_checkpoint")],
    retry_policy=RETRY,
    code_version="1",
)
def similarity_index(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """The index by which `al similar` finds look-alikes in a large archive; a small one is searched without it."""
    embedder_id = archive.maps.embedder_in_use()
    frames = archive.maps.count(embedder_id) if embedder_id else 0
    if embedder_id is None or frames <= settings.similar.exact_frames:
        why = f"{frames} frames are compared one by one; above [similar] exact_frames there is an index"
        return dg.MaterializeResult(metadata={"why": why})
    return dg.MaterializeResult(metadata=dict(update_index(archive, embedder_id)))

"""The assets `embeddings` and `similarity_index`: frames become vectors, and vectors an index of look-alikes.

Backbones, batching and the index itself live in the modules beside.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa

from al_assets.automation import BATCHED, RETRY
from al_assets.embeddings.backbones import Backbone, describe_backbone, load_backbone
from al_assets.embeddings.batching import VECTOR_SCHEMA, embed_frames
from al_assets.embeddings.vectors import pack
from al_assets.frames.assets import frames
from al_assets.frames.decoding import read_frames
from al_assets.frames.images import read_image
from al_assets.keys import frame_index_of, frame_range
from al_assets.partitions import VIDEOS
from al_assets.settings import EmbeddingsSettings, Settings
from al_assets.similarity_files import update_index
from resources.archive import Archive
from resources.pixels import StoragePixels
from resources.queries.videos import Video, coverage_row
from resources.slices import KeyRange, Slice


def configured_embedder(settings: EmbeddingsSettings) -> str:
    """Id of the embedder that the settings name, without loading it."""
    return describe_backbone(settings.backbone, _weights(settings)).embedder_id


def _weights(settings: EmbeddingsSettings) -> Path | None:
    return Path(settings.weights) if settings.weights else None


def load_configured(settings: EmbeddingsSettings) -> Backbone:
    """The backbone that the settings name, on the device they name."""
    import torch

    device = (
        settings.device if settings.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    )
    return load_backbone(
        settings.backbone, weights_path=_weights(settings), device=device, threads=settings.threads or None
    )


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
    code_version="1",
    metadata={"table": "embeddings"},
)
def embeddings(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """One packed float16 vector per sampled frame and embedder; a frame that has one is not embedded again."""
    backbone = load_configured(settings.embeddings)
    archive.frames.register_embedder(
        {
            "embedder_id": backbone.embedder_id,
            "backbone": backbone.name,
            "weights_sha256": backbone.weights_sha256,
            "projection": None,
            "dimensions": backbone.dimensions,
            "created_at": archive.now(),
        }
    )
    chosen = [v for v in archive.videos.get(context.partition_keys) if v.status in ("indexed", "partial")]
    slices = (_slice(context, archive, backbone, settings.embeddings.batch_size, video) for video in chosen)
    return dg.MaterializeResult(
        value=slices, metadata={"videos": len(chosen), "embedder": backbone.embedder_id}
    )


def _slice(
    context: dg.AssetExecutionContext, archive: Archive, backbone: Backbone, batch_size: int, video: Video
) -> Slice:
    keys = archive.frames.of_video(video.video_no)["frame_id"].to_pylist()
    kept, vectors = archive.frames.vectors_of_video(backbone.embedder_id, video.video_no)
    stands = {int(key) for key in kept}
    todo = [key for key in keys if key not in stands]
    context.log.info(f"{video.path}: {len(todo)} frames to embed, {len(keys) - len(todo)} stand")

    def rows() -> Iterator[pa.RecordBatch]:
        wanted = set(keys)
        keep = [i for i, key in enumerate(kept) if int(key) in wanted]
        if keep:
            yield _batch(
                backbone, pa.record_batch([pa.array(kept[keep]), pack(vectors[keep])], VECTOR_SCHEMA)
            )
        images = pixels_of(archive).stream(video, [frame_index_of(key) for key in todo]) if todo else iter(())
        for batch in embed_frames(images, backbone, batch_size=batch_size):
            yield _batch(backbone, batch)

    return Slice(
        where={
            "embeddings.embedder_id": backbone.embedder_id,
            "embeddings.frame_id": KeyRange(*frame_range(video.video_no)),
            "video_coverage.asset": "embeddings",
            "video_coverage.version": backbone.embedder_id,
            "video_coverage.video_id": video.video_id,
        },
        rows={
            "embeddings": rows(),
            "video_coverage": pa.Table.from_pylist(
                [coverage_row("embeddings", backbone.embedder_id, video, len(keys))]
            ),
        },
        name=f"video_id = {video.video_id}, embedder_id = {backbone.embedder_id}",
    )


def _batch(backbone: Backbone, batch: pa.RecordBatch) -> pa.RecordBatch:
    ids = pa.array([backbone.embedder_id] * batch.num_rows, pa.string())
    return pa.record_batch({"embedder_id": ids, **{name: batch[name] for name in VECTOR_SCHEMA.names}})


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

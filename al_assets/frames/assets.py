"""The assets `videos` and `frames`: files in storage become rows. Decoding lives in the modules beside."""

from collections.abc import Iterator

import dagster as dg

from al_assets.automation import BATCHED, RETRY
from al_assets.frames.indexing import IndexOutcome, VideoIndex, index_images, index_video
from al_assets.keys import frame_range
from al_assets.partitions import VIDEOS
from al_assets.settings import FramesSettings, Settings
from resources.archive import Archive
from resources.errors import FileMissingError
from resources.pixels import VIDEOS as AREA
from resources.queries.videos import Video, expected_version
from resources.slices import KeyRange, Slice, Update
from resources.table_metadata import column_schema

videos = dg.AssetSpec(
    "videos",
    group_name="archive",
    kinds={"azure", "file"},
    description="Video files and folders of stills under `videos/` in storage. The world makes them; the sensor "
    "`video_arrivals` registers them once they stand still.",
    metadata={"dagster/table_name": "videos", "dagster/column_schema": column_schema("videos")},
)


@dg.asset(
    partitions_def=VIDEOS,
    group_name="archive",
    kinds={"python", "sql"},
    deps=[videos],
    backfill_policy=BATCHED,
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "frames", "partition_expr": "video_id"},
)
def frames(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """One row per sampled frame: its time, size, brightness, sharpness, perceptual hash, and what it repeats.

    A video that cannot be read ends with a status and an error in `videos` and stops nothing else; what could
    be decoded of it is kept.
    """
    chosen = archive.videos.get(context.partition_keys)
    slices = (index_slice(context, archive, settings.frames, video) for video in chosen)
    return dg.MaterializeResult(value=slices, metadata={"videos": len(chosen)})


def index_slice(
    context: dg.AssetExecutionContext, archive: Archive, settings: FramesSettings, video: Video
) -> Slice:
    """The rows of one video and what becomes known of it, to be committed together."""
    index = _index(archive, settings, video)
    try:
        batches = list(index.batches())
        outcome = index.outcome
    except FileMissingError:
        batches, outcome = [], IndexOutcome("failed", "the file is gone from storage", None, 0, 0)
    if outcome.error:
        context.log.warning(f"{video.path}: {outcome.status}: {outcome.error}")
    else:
        context.log.info(f"{video.path}: {outcome.sampled} frames of {outcome.decoded}")
    return Slice(
        where={"frame_id": KeyRange(*frame_range(video.video_no))},
        rows={"frames": batches},
        updates=[Update("videos", {"video_id": video.video_id}, _facts(archive, settings, video, outcome))],
        name=f"video_id = {video.video_id}",
    )


def _index(archive: Archive, settings: FramesSettings, video: Video) -> VideoIndex:
    common = {
        "video_no": video.video_no,
        "video_id": video.video_id,
        "duplicate_distance": settings.duplicate_distance,
    }
    if video.kind == "images":
        return index_images(list(_images(archive, video)), **common)  # type: ignore[arg-type]
    source = archive.storage.source(f"{AREA}/{video.path}")
    return index_video(source, frames_per_second=settings.frames_per_second, **common)  # type: ignore[arg-type]


def _images(archive: Archive, video: Video) -> Iterator:
    """Members of a folder of stills: those numbered before keep their number, new ones follow in order of arrival."""
    prefix = f"{AREA}/{video.path}/" if video.path != "." else f"{AREA}/"
    numbers = archive.frames.images_of(video.video_no)
    here = [
        file
        for file in archive.storage.list(prefix)
        if "/" not in file.path.removeprefix(prefix) and is_image(file.path)
    ]
    fresh = sorted(
        (file for file in here if file.path.removeprefix(f"{AREA}/") not in numbers),
        key=lambda file: (file.modified_at, file.path),
    )
    start = max(numbers.values(), default=-1) + 1
    numbered = {file.path.removeprefix(f"{AREA}/"): start + i for i, file in enumerate(fresh)} | numbers
    for file in sorted(here, key=lambda file: numbered[file.path.removeprefix(f"{AREA}/")]):
        path = file.path.removeprefix(f"{AREA}/")
        yield numbered[path], path, lambda full=file.path: archive.storage.open(full)


def is_image(path: str) -> bool:
    """Whether a file name is that of a still."""
    from al_assets.frames.images import IMAGE_SUFFIXES

    return "." in path and path[path.rindex(".") :].lower() in IMAGE_SUFFIXES


def _facts(
    archive: Archive, settings: FramesSettings, video: Video, outcome: IndexOutcome
) -> dict[str, object]:
    info = outcome.info
    return {
        "status": outcome.status,
        "error": outcome.error,
        "container": info.container if info else None,
        "codec": info.codec if info else None,
        "frames_per_second": info.frames_per_second if info else None,
        "width": info.width if info else None,
        "height": info.height if info else None,
        "duration_ms": info.duration_ms if info else None,
        "indexed_at": archive.now(),
        "frames_version": expected_version(video.etag, settings.frames_per_second),
    }

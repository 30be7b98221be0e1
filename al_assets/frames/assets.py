"""The assets `videos` and `frames`: files in storage become rows. Decoding lives in the modules beside."""

from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import dagster as dg
import pyarrow as pa

from al_assets.automation import BATCHED, RETRY
from al_assets.frames.images import IMAGE_SUFFIXES
from al_assets.frames.indexing import FRAME_SCHEMA, ImageEntry, IndexOutcome, index_images, index_video
from al_assets.frames.numbering import next_number, number_stills, renumber_replaced
from al_assets.keys import frame_range
from al_assets.partitions import VIDEOS
from al_assets.settings import FramesSettings, Settings
from resources.archive import Archive
from resources.errors import FileMissingError
from resources.pixels import VIDEOS as AREA
from resources.queries.videos import LIVE, Video, expected_version
from resources.slices import KeyRange, Slice, Update
from resources.stored_files import StoredFile
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
    chosen = due(context, archive)
    parts = (index_slice(context, archive, settings.frames, video) for video in chosen)
    return dg.MaterializeResult(
        value=(part for part in parts if part is not None), metadata={"videos": len(chosen)}
    )


def due(context: dg.AssetExecutionContext, archive: Archive) -> list[Video]:
    """Videos of this run that are part of the archive and there; on a retry those it has not committed yet.

    A person may launch all partitions: replaced and retired videos keep their key, and must stay what they are.
    """
    known = archive.videos.get(context.partition_keys)
    live = [video for video in known if video.status in LIVE and video.missing_at is None]
    if len(live) < len(known):
        context.log.info(
            f"{len(known) - len(live)} videos are replaced, retired or missing and left as they are"
        )
    done = archive.videos.committed_by("frames", context.run.run_id) if context.retry_number else set()
    return [video for video in live if slice_name(video) not in done]


def slice_name(video: Video) -> str:
    """Name of a video's slice in `materializations`."""
    return f"video_id = {video.video_id}"


@dataclass(frozen=True)
class Indexed:
    """Rows of a video, how reading it ended, and what is to be noted of it besides."""

    rows: Sequence[pa.RecordBatch | pa.Table]
    outcome: IndexOutcome
    facts: dict[str, object]


def index_slice(
    context: dg.AssetExecutionContext, archive: Archive, settings: FramesSettings, video: Video
) -> Slice | None:
    """The rows of one video and what becomes known of it, to be committed together.

    None where the file is gone or was replaced meanwhile: nothing is known then, and what stands is kept.
    """
    try:
        found = (
            _index_images(archive, settings, video)
            if video.kind == "images"
            else _index(archive, settings, video)
        )
    except FileMissingError:
        found = None
    if found is None or (found.outcome.status == "failed" and not _is_there(archive, video)):
        context.log.warning(f"{video.path} is gone from storage; what is known of it stands")
        return None
    (now,) = archive.videos.get([video.video_id])
    if now.status not in LIVE:
        context.log.info(f"{video.path} is {now.status} since this run began; nothing is written")
        return None
    if found.outcome.error:
        context.log.warning(f"{video.path}: {found.outcome.status}: {found.outcome.error}")
    else:
        context.log.info(f"{video.path}: {found.outcome.sampled} frames of {found.outcome.decoded}")
    return _slice(archive, settings, video, now, found)


def _slice(archive: Archive, settings: FramesSettings, video: Video, now: Video, found: Indexed) -> Slice:
    """What was found of a video, for its row as it is now: a change in between writes nothing."""
    # A video that was touched or moved meanwhile is the same; a folder that grew is to be read again.
    etag = now.etag if video.kind == "video" and now.content_hash == video.content_hash else video.etag
    facts = {
        "status": found.outcome.status,
        "error": found.outcome.error,
        "indexed_at": archive.now(),
        "frames_version": expected_version(etag, settings.frames_per_second),
        **found.facts,
    }
    key = {"video_id": video.video_id, "etag": now.etag, "status": now.status}
    return Slice(
        where={"frame_id": KeyRange(*frame_range(video.video_no))},
        rows={"frames": list(found.rows)},
        updates=[Update("videos", key, facts)],
        name=slice_name(video),
    )


def _is_there(archive: Archive, video: Video) -> bool:
    if video.kind == "images":
        return bool(_stills(archive, video))
    return archive.storage.exists(f"{AREA}/{video.path}")


def _index(archive: Archive, settings: FramesSettings, video: Video) -> Indexed:
    source = archive.storage.source(f"{AREA}/{video.path}")
    with nullcontext(source) if isinstance(source, str) else closing(source):
        index = index_video(
            source,
            video_no=video.video_no,
            video_id=video.video_id,
            frames_per_second=settings.frames_per_second,
            duplicate_distance=settings.duplicate_distance,
        )
        rows = list(index.batches())
    info = index.outcome.info
    names = ("container", "codec", "frames_per_second", "width", "height", "duration_ms")
    return Indexed(rows, index.outcome, {name: getattr(info, name, None) for name in names})


def _index_images(archive: Archive, settings: FramesSettings, video: Video) -> Indexed:
    """Rows of a folder of stills. Its duration, a second a number, remembers how many numbers it ever gave."""
    before = archive.frames.of_video(video.video_no)
    known = dict(zip(before["image_path"].to_pylist(), before["frame_index"].to_pylist(), strict=True))
    stills = {file.path.removeprefix(f"{AREA}/"): file for file in _stills(archive, video)}
    given = (video.duration_ms or 0) // 1000
    fresh = sorted(stills.keys() - known.keys(), key=lambda path: (stills[path].modified_at, path))
    numbers = number_stills(fresh, known, given)
    entries: list[ImageEntry] = [
        (numbers[path], path, partial(archive.storage.open, stills[path].path))
        for path in sorted(stills, key=numbers.__getitem__)
    ]
    index = index_images(
        entries,
        video_no=video.video_no,
        video_id=video.video_id,
        duplicate_distance=settings.duplicate_distance,
    )
    read = pa.Table.from_batches(index.batches(), FRAME_SCHEMA)
    given = next_number(numbers, given)
    rows = renumber_replaced(read, before, video_no=video.video_no, start=given)
    given = max([given, *(number + 1 for number in rows["frame_index"].to_pylist())])
    return Indexed([rows], index.outcome, {"duration_ms": given * 1000})


def _stills(archive: Archive, video: Video) -> list[StoredFile]:
    """Images that lie in the folder itself."""
    prefix = f"{AREA}/{video.path}/" if video.path != "." else f"{AREA}/"
    return [
        file
        for file in archive.storage.list(prefix)
        if "/" not in file.path.removeprefix(prefix)
        and PurePosixPath(file.path).suffix.lower() in IMAGE_SUFFIXES
    ]

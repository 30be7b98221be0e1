"""The assets `videos` and `frames`: files in storage become rows. Decoding lives in the modules beside."""

import dagster as dg

from al_assets.automation import BATCHED, RETRY
from al_assets.code_versions import FRAMES
from al_assets.frame_slices import frame_slices, is_done
from al_assets.one_by_one import OneByOne
from al_assets.partitions import VIDEOS
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.videos import LIVE, Video
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
    code_version=FRAMES,
    metadata={"table": "frames", "partition_expr": "video_id"},
)
def frames(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """One row per sampled frame: its time, size, brightness, sharpness, perceptual hash, and what it repeats.

    A video that cannot be read ends with a status and an error in `videos` and stops nothing else; what could
    be decoded of it is kept. Where storage fails for a video, the others are committed before the run fails.
    """
    chosen = due(context, archive)
    one_by_one = OneByOne(context, archive, chosen)
    slices = one_by_one.slices(lambda video: frame_slices(archive, settings.frames, video, context.log))
    return dg.MaterializeResult(value=slices, metadata={"videos": len(chosen)})


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
    return [video for video in live if not is_done(video, done)]

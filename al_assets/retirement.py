"""Taking a video out of the archive: rows, stills, then the partition key, in that order. Nothing automatic."""

import dagster as dg
from pydantic import Field

from al_assets.automation import IN_FLIGHT, keys_between
from al_assets.partitions import VIDEOS
from resources.archive import Archive


class RetireConfig(dg.Config):
    """What to retire."""

    video_id: str = Field(description="Video to remove from tables, stills and partitions.")


@dg.op
def retire(context: dg.OpExecutionContext, config: RetireConfig, archive: Archive) -> None:
    """Remove a video; refuses while a run of `ingest_videos` works on it. Annotations stay, as history."""
    name = str(VIDEOS.name)
    order = context.instance.get_dynamic_partitions(name)
    for run in context.instance.get_runs(dg.RunsFilter(job_name="ingest_videos", statuses=list(IN_FLIGHT))):
        tags = run.tags
        first = tags.get("dagster/asset_partition_range_start", tags.get("dagster/partition", ""))
        last = tags.get("dagster/asset_partition_range_end", first)
        if config.video_id in keys_between(first, last, order):
            raise dg.Failure(
                f"run {run.run_id[:8]} is ingesting {config.video_id}; retire it when the run is done",
                allow_retries=False,
            )
    found = archive.videos.get([config.video_id])
    if not found:
        raise dg.Failure(
            f"no video {config.video_id!r} in the archive; see the videos table", allow_retries=False
        )
    rows = archive.videos.retire(config.video_id)
    stills = archive.storage.list(f"stills/{config.video_id}/")
    for still in stills:
        archive.storage.delete(still.path)
    context.instance.delete_dynamic_partition(name, config.video_id)
    context.log.info(f"retired {config.video_id}: {rows} rows and {len(stills)} stills removed")

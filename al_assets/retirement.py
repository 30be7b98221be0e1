"""Taking a video out of the archive: rows, stills, then the partition key, in that order. Nothing automatic."""

import dagster as dg
from pydantic import Field

from al_assets.automation import IN_FLIGHT, keys_between
from al_assets.partitions import VIDEOS
from resources.archive import Archive

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
READERS = ("learn", "score", "select_batch")
"""Jobs that read all videos: one that began before would write rows of the video after it is gone."""


class RetireConfig(dg.Config):
    """What to retire."""

    video_id: str = Field(description="Video to remove from tables, stills and partitions.")


@dg.op
def retire(context: dg.OpExecutionContext, config: RetireConfig, archive: Archive) -> None:
    """Remove a video; refuses while a run works on it. Annotations stay, as history, and so does its number."""
    name = str(VIDEOS.name)
    busy = _in_the_way(context.instance, config.video_id, name)
    if busy is not None:
        raise dg.Failure(
            f"run {busy.run_id[:8]} of {busy.job_name} works on {config.video_id}; retire it when the run is done",
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
    if context.instance.has_dynamic_partition(name, config.video_id):
        context.instance.delete_dynamic_partition(name, config.video_id)
    context.log.info(f"retired {config.video_id}: {rows} rows and {len(stills)} stills removed")


def _in_the_way(instance: dg.DagsterInstance, video_id: str, partitions: str) -> dg.DagsterRun | None:
    """A run in flight that reads or writes the video, in whatever job it was launched."""
    order = instance.get_dynamic_partitions(partitions)
    for run in instance.get_runs(dg.RunsFilter(statuses=list(IN_FLIGHT))):
        first = run.tags.get(RANGE_START) or run.tags.get("dagster/partition", "")
        covers = video_id in keys_between(first, run.tags.get(RANGE_END) or first, order)
        if covers or run.job_name in READERS:
            return run
    return None

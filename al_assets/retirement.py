"""Taking a video out of the archive: rows, stills, then the partition key, in that order. Nothing automatic."""

import dagster as dg
from pydantic import Field

from al_assets.automation import IN_FLIGHT
from al_assets.ingest_plan import keys_between
from al_assets.partitions import VIDEOS, range_of
from resources.archive import Archive

HARMLESS = ("simulate", "sync_labels", "make_reports", "retire_video")
"""Jobs over all videos that write no row of a video. Any other, if it began before, could write rows of the video after
it is gone."""
LATEST_BACKFILLS = 50


class RetireConfig(dg.Config):
    """What to retire."""

    video_id: str = Field(description="Video to remove from tables, stills and partitions.")


@dg.op
def retire(context: dg.OpExecutionContext, config: RetireConfig, archive: Archive) -> None:
    """Remove a video; refuses while a run writes. Annotations stay, as history, and so does its number."""
    name, video_id = str(VIDEOS.name), config.video_id
    if (busy := _in_the_way(context.instance, video_id, name)) is not None:
        raise _refusal(busy, video_id)
    found = archive.videos.get([video_id])
    if not found:
        raise dg.Failure(f"no video {video_id!r} in the archive; see the videos table", allow_retries=False)
    before = found[0].status
    if before != "retired" and not archive.videos.change_status(video_id, before, "retired"):
        raise dg.Failure(f"{video_id} changes just now; try again", allow_retries=False)
    # A run that began before the mark does not see it; one that begins from now on leaves the video alone.
    if (busy := _in_the_way(context.instance, video_id, name)) is not None:
        archive.videos.change_status(video_id, "retired", before)
        raise _refusal(busy, video_id)
    rows = archive.videos.retire(video_id)
    stills = archive.storage.list(f"stills/{video_id}/")
    for still in stills:
        archive.storage.delete(still.path)
    if context.instance.has_dynamic_partition(name, video_id):
        context.instance.delete_dynamic_partition(name, video_id)
    context.log.info(f"retired {video_id}: {rows} rows and {len(stills)} stills removed")


def _refusal(busy: str, video_id: str) -> dg.Failure:
    return dg.Failure(f"{busy} works on {video_id}; retire it when that is done", allow_retries=False)


def _in_the_way(instance: dg.DagsterInstance, video_id: str, partitions: str) -> str | None:
    """A run or backfill in flight that may write the video, in whatever job it was launched."""
    order = instance.get_dynamic_partitions(partitions)
    for run in instance.get_runs(dg.RunsFilter(statuses=list(IN_FLIGHT))):
        first, last = range_of(run)
        keys = keys_between(first, last, order)
        # A range whose end is no key any more may hold any video.
        covers = video_id in keys or not keys
        if covers if first else run.job_name not in HARMLESS:
            return f"run {run.run_id[:8]} of {run.job_name}"
    for backfill in instance.get_backfills(limit=LATEST_BACKFILLS):
        if backfill.status.value == "REQUESTED":
            return f"backfill {backfill.backfill_id}, which may have runs to come,"
    return None

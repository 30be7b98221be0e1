"""What `al archive verify --repair` does about findings. Looking is the verification's; SQL is in resources.

Only what can be made again is removed or made anew. Files are never deleted: those that no row names are moved to
`removed/`, since after a restore from a backup they may be all there is of the time since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import dagster as dg
import pandas as pd

from al_assets.automation import IN_FLIGHT, counted
from al_assets.findings import Finding, Repair
from al_assets.keys import frame_index_of, video_no_of
from al_assets.selection.assets import write_stills
from al_assets.settings import Settings
from al_assets.vector_versions import vector_versions
from resources.archive import Archive
from resources.queries.repairs import RepairQueries

REMOVED = "removed"


class RepairRefusedError(RuntimeError):
    """Something is under way that may be writing what a repair would change."""


def refuse_beside_runs(instance: dg.DagsterInstance) -> None:
    """Raises RepairRefusedError while any run is queued or under way: its rows would look like leftovers."""
    runs = instance.get_runs(dg.RunsFilter(statuses=list(IN_FLIGHT)), limit=1)
    if runs:
        raise RepairRefusedError(
            f"run {runs[0].run_id[:8]} of {runs[0].job_name} is under way; repair when no run is"
        )


def repaired(
    archive: Archive,
    settings: Settings,
    findings: Iterable[Finding],
    instance: dg.DagsterInstance | None = None,
) -> Iterator[tuple[Finding, str]]:
    """Each finding with what was done about it; empty where it is for a person.

    A repair that fails says why and stops nothing else, and so does one before which a run has begun in `instance`.
    """
    for finding in findings:
        if finding.repair is None:
            yield finding, ""
            continue
        try:
            if instance is not None:
                refuse_beside_runs(instance)
            yield finding, finding.repair(archive, settings)
        except Exception as error:
            # The other repairs matter as much, and the finding stands in the next look.
            yield finding, f"not repaired: {error}"


def read_again(video_id: str) -> Repair:
    """Frames are read anew from the video, where it is there."""

    def repair(archive: Archive, settings: Settings) -> str:
        (video,) = archive.videos.get([video_id])
        if video.missing_at is not None:
            return f"not repaired: {video.path} is gone from storage, and its frames cannot be read from it"
        RepairQueries(archive.database).read_again(video_id)
        return "its frames are read anew by the next ingest_videos"

    return repair


def retire_again(video_id: str) -> Repair:
    """What a retirement left is removed."""
    return lambda archive, _: f"{counted(archive.videos.retire(video_id), 'row')} removed"


def make_again(asset: str, version: str, video_id: str) -> Repair:
    """A version's rows of a video are made anew by the job that makes them."""
    job = "ingest_videos" if asset == "embeddings" else "score"

    def repair(archive: Archive, settings: Settings) -> str:
        if asset == "embeddings":
            (video,) = archive.videos.get([video_id])
            if video.missing_at is not None:
                return f"not repaired: {video.path} is gone from storage, and these are the vectors there are"
            if version not in vector_versions(archive, settings.embeddings).written:
                return f"not repaired: neither the settings nor a model in use ask for {version}"
        RepairQueries(archive.database).make_again(asset, version, video_id)
        return f"made anew by the next {job}, if a model or the settings ask for {version}"

    return repair


def remove_uncovered(table: str, asset: str, version: str, video_no: int) -> Repair:
    """Rows of a version that no coverage knows are removed."""
    return lambda archive, _: _removed(
        RepairQueries(archive.database).remove_uncovered(table, asset, version, video_no)
    )


def remove_frameless(table: str, version: str, video_no: int) -> Repair:
    """Rows without a frame are removed."""
    return lambda archive, _: _removed(
        RepairQueries(archive.database).remove_frameless(table, version, video_no)
    )


def remove_unregistered(table: str, version: str) -> Repair:
    """Rows of a version that nobody registered are removed."""
    return lambda archive, _: _removed(RepairQueries(archive.database).remove_unregistered(table, version))


def remove_strangers(table: str, version: str | None) -> Repair:
    """Rows with keys of videos that were never registered are removed."""
    return lambda archive, _: _removed(RepairQueries(archive.database).remove_strangers(table, version))


def _removed(rows: int) -> str:
    return f"{counted(rows, 'row')} removed"


def set_aside(path: str) -> Repair:
    """A file that no row names is moved to `removed/`, under the path that it had."""

    def repair(archive: Archive, _: Settings) -> str:
        goal = str(PurePosixPath(REMOVED) / path)
        archive.storage.write(goal, archive.storage.read(path))
        archive.storage.delete(path)
        return f"moved to {goal}"

    return repair


def write_still(frame_id: int) -> Repair:
    """A still that a batch needs is decoded again."""

    def repair(archive: Archive, settings: Settings) -> str:
        (video,) = archive.videos.numbered([video_no_of(frame_id)])
        row = {"frame_id": frame_id, "video_id": video.video_id, "frame_index": frame_index_of(frame_id)}
        ((_, path),) = write_stills(archive, settings, pd.DataFrame([row]))
        return f"{path} written from {video.path}"

    return repair

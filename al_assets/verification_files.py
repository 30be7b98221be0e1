"""SQL against storage: files that rows name and that are not there or changed, and files that no row names.

Of each folder rows are read first and files are listed then, since the platform writes a file before the row that
names it and deletes it after; a young file that no row names yet is therefore left alone. No transaction stays open
while files are read. Memory grows with a listing, as it does in the sensors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from al_assets.findings import Finding
from al_assets.frames.registration import Arrival, group_arrivals
from al_assets.keys import FRAMES_PER_VIDEO, frame_id, frame_index_of, video_no_of
from al_assets.repairs import set_aside, write_still
from resources import kept_exports
from resources.archive import Archive
from resources.errors import FileMissingError
from resources.pixels import still_path
from resources.queries.verification import ExportVersion, RowState, VideoRow, open_rows
from resources.queries.videos import LIVE
from resources.stored_files import StoredFile

TASK_FILES = ("label_studio.json", "label_studio.xml", "tasks.csv")
Answer = TypeVar("Answer")
YOUNG = timedelta(hours=1)
STILL = re.compile(r"stills/([^/]+)/(\d{1,8})\.jpg")
DRIFT_REPORT = "reports/drift-"
"""Other reports are named by no row: they are written anew in place."""
FROM_BACKUP = "copy it back from a backup (sql/BACKUP.md)"
DECODE = "`al archive verify --repair` decodes it again"
BLOCK = 10_000


@dataclass(frozen=True)
class FileChecks:
    """One look at storage. now: the time, UTC with zone."""

    archive: Archive
    deep: bool
    now: datetime

    def run(self) -> Iterator[Finding]:
        """Findings, folder by folder."""
        yield from self._videos()
        yield from self._exports()
        yield from self._checkpoints()
        yield from self._projections()
        yield from self._stills()
        yield from self._tasks()
        yield from self._reports()

    def _read(self, question: Callable[[RowState], Answer]) -> Answer:
        with open_rows(self.archive.database) as state:
            return question(state)

    def _list(self, area: str) -> list[StoredFile]:
        return self.archive.storage.list(f"{area}/")

    def _videos(self) -> Iterator[Finding]:
        """Live videos; the sensor's own rule says whether a file under another etag is the same."""
        from al_assets.arrivals import content_hash

        videos = self._read(RowState.videos)
        files = [(f.path.removeprefix("videos/"), f.etag, f.size_bytes) for f in self._list("videos")]
        arrivals = {arrival.path: arrival for arrival in group_arrivals(files)}
        touched = 0
        for video in videos:
            if video.status not in LIVE:
                continue
            arrival = arrivals.get(video.path)
            if arrival is None:
                yield _missing_video(video)
            elif self.deep or arrival.etag != video.etag:
                try:
                    same = content_hash(self.archive, arrival) == video.content_hash
                except FileMissingError:
                    yield _missing_video(video)
                    continue
                touched += same and arrival.etag != video.etag
                if not same:
                    yield _changed_video(video, arrival)
        if touched:
            what = f"{touched} videos have another etag and the same content"
            yield Finding("note", what, "nothing to do, the sensor takes the etag over at its next look")
        known = {video.path for video in videos}
        if waiting := sum(path not in known for path in arrivals):
            yield Finding(
                "note", f"{waiting} videos are not registered yet", "the sensor video_arrivals does it"
            )

    def _exports(self) -> Iterator[Finding]:
        rows, versions = self._read(lambda state: (state.exports(), state.export_versions()))
        there = {file.path: file for file in self._list("label_exports")}
        kept = self._list(kept_exports.AREA)
        copies = {file.path for file in kept}
        for uri, etag, sha256 in rows:
            if uri not in there:
                if kept_exports.kept_path(sha256) not in copies:
                    what = f"{uri}, which was imported, is not in storage"
                    advice = f"{FROM_BACKUP}: its judgements stand, but an undo reads it"
                    yield Finding("missing", what, advice)
            elif (self.deep or there[uri].etag != etag) and self.archive.storage.sha256(uri) != sha256:
                what = f"{uri} is not the file that was imported"
                advice = (
                    "the next learn run imports it as a new version; if that is not meant, " + FROM_BACKUP
                )
                yield Finding("changed", what, advice)
        latest = {(uri, sha256) for uri, _, sha256 in rows}
        yield from self._copies(kept, versions, latest)

    def _copies(
        self, kept: list[StoredFile], versions: list[ExportVersion], latest: set[tuple[str, str]]
    ) -> Iterator[Finding]:
        """Copies of exports, and earlier versions that have none, as where copies were not made yet."""
        sources = {kept_exports.kept_path(version.sha256): version for version in versions}
        for file in kept:
            source = sources.get(file.path)
            if source is None:
                if self.now - file.modified_at > YOUNG:
                    what = f"{file.path} is a copy of no export that is registered"
                    advice = "it does no harm; put it into label_exports/ to have it imported"
                    yield Finding("orphan file", what, advice)
            elif self.deep and self.archive.storage.sha256(file.path) != source.sha256:
                what = f"{file.path} is not the export {source.uri} that it was a copy of (sha256)"
                yield Finding("changed", what, f"{FROM_BACKUP}; an undo reads it")
        imported = {(each.uri, each.sha256) for each in versions if each.status == "imported"}
        paths = {file.path for file in kept}
        lost = sum(kept_exports.kept_path(sha256) not in paths for _, sha256 in imported - latest)
        if lost:
            what = f"earlier versions of exports without a copy: {lost}"
            yield Finding("note", what, "their judgements stand, and an undo cannot read them again")

    def _checkpoints(self) -> Iterator[Finding]:
        rows = self._read(RowState.checkpoints)
        files = self._list("checkpoints")
        there = {file.path for file in files}
        for checkpoint_id, uri, sha256 in rows:
            if uri not in there:
                what = f"{uri}, the file of {checkpoint_id}, is not in storage"
                yield Finding("missing", what, f"{FROM_BACKUP}, or train again (job learn)")
            elif self.deep and self.archive.storage.sha256(uri) != sha256:
                what = f"{uri} is not the file that {checkpoint_id} was saved as (sha256)"
                yield Finding("changed", what, FROM_BACKUP)
        yield from self._orphans(files, {uri for _, uri, _ in rows}, "checkpoint")

    def _projections(self) -> Iterator[Finding]:
        """Without its matrix no new video can have the vectors of a projected embedder."""
        for row in self.archive.embedders.projected():
            uri = row.projection_uri or ""
            if not self.archive.storage.exists(uri):
                what = f"{uri}, the projection of {row.embedder_id}, is not in storage"
                yield Finding("missing", what, FROM_BACKUP)
            elif self.deep and self.archive.storage.sha256(uri) != row.projection_sha256:
                what = f"{uri} is not the projection that {row.embedder_id} was made with (sha256)"
                yield Finding("changed", what, FROM_BACKUP)

    def _stills(self) -> Iterator[Finding]:
        videos, tasked = self._read(lambda state: (state.videos(), list(state.tasked_frames())))
        named = {video.video_no: video.video_id for video in videos if video.status != "retired"}
        files = self._list("stills")
        there = {file.path for file in files}
        for key in tasked:
            video_id = named.get(video_no_of(key))
            if video_id is None:
                continue
            path = still_path(video_id, frame_index_of(key))
            if path not in there:
                what = f"{path}, a frame of a batch, is not in storage"
                yield Finding("missing", what, f"{DECODE}, or {FROM_BACKUP}", write_still(key))
        yield from self._stray_stills(files, {video.video_id: video.video_no for video in videos})

    def _stray_stills(self, files: list[StoredFile], numbers: dict[str, int]) -> Iterator[Finding]:
        for start in range(0, len(files), BLOCK):
            block = files[start : start + BLOCK]
            keys = {file.path: _key(file.path, numbers) for file in block}
            wanted = [key for key in keys.values() if key is not None]
            with open_rows(self.archive.database) as state:
                known = state.known_frames(wanted)
            named = {path for path, key in keys.items() if key in known}
            yield from self._orphans(block, named, "frame")

    def _tasks(self) -> Iterator[Finding]:
        folders = [uri for _, _, _, uri in self._read(RowState.batches) if uri is not None]
        files = self._list("labelling_tasks")
        there = {file.path for file in files}
        for folder in folders:
            for name in TASK_FILES:
                if f"{folder}/{name}" not in there:
                    what = f"{folder}/{name} of a batch is not in storage"
                    yield Finding(
                        "missing", what, f"materialise labelling_tasks for the newest batch, or {FROM_BACKUP}"
                    )
        owned = {file.path for file in files if file.path.rpartition("/")[0] in set(folders)}
        yield from self._orphans(files, owned, "batch")

    def _reports(self) -> Iterator[Finding]:
        named = self._read(RowState.reports)
        files = self._list("reports")
        for uri in sorted(named - {file.path for file in files}):
            what = f"{uri}, a report that drift_results name, is not in storage"
            yield Finding("missing", what, FROM_BACKUP)
        drift = [file for file in files if file.path.startswith(DRIFT_REPORT)]
        yield from self._orphans(drift, named, "drift result")

    def _orphans(self, files: Iterable[StoredFile], named: set[str], owner: str) -> Iterator[Finding]:
        for file in files:
            if file.path not in named and self.now - file.modified_at > YOUNG:
                what = f"{file.path} belongs to no {owner}"
                advice = "it does no harm; `al archive verify --repair` sets it aside"
                yield Finding("orphan file", what, advice, set_aside(file.path))


def _missing_video(video: VideoRow) -> Finding:
    known = f", known since {video.missing_at:%Y-%m-%d %H:%M} UTC" if video.missing_at else ""
    what = f"videos/{video.path} ({video.video_id}) is not in storage{known}"
    return Finding("missing", what, f"{FROM_BACKUP}, or run the job retire_video for it")


def _changed_video(video: VideoRow, arrival: Arrival) -> Finding:
    advice = "the sensor takes what is there now for new" if arrival.kind == "video" else "its stills changed"
    what = f"videos/{video.path} is not the content that {video.video_id} was registered with"
    return Finding("changed", what, f"{advice}; if that is not meant, {FROM_BACKUP}")


def _key(path: str, numbers: dict[str, int]) -> int | None:
    """The frame that a still's path names; None for another path or an unknown video."""
    found = STILL.fullmatch(path)
    if found is None or found[1] not in numbers or int(found[2]) >= FRAMES_PER_VIDEO:
        return None
    return frame_id(numbers[found[1]], int(found[2]))

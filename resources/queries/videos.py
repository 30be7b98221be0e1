"""The register of videos: what is known, what changes, what is left to do. No frames, no decoding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from al_assets.code_versions import frames_suffix
from al_assets.keys import frame_range
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.registrar import Registrar, SplitRule
from resources.tables import (
    arrivals,
    decoding_points,
    embeddings,
    frame_scores,
    frames,
    implausible_labels,
    labels,
    materializations,
    predictions,
    second_opinions,
    video_coverage,
    video_scores,
    video_summaries,
    videos,
)

LIVE = ("registered", "indexed", "partial", "failed")
"""Statuses of videos that are part of the archive; the others are superseded or copies."""
READABLE = ("indexed", "partial")


@dataclass(frozen=True)
class Video:
    """A row of `videos`, as far as the assets need it."""

    video_id: str
    video_no: int
    kind: str
    path: str
    etag: str
    content_hash: str
    split: str
    status: str
    site: str | None
    camera: str | None
    recorded_at: datetime | None
    frames_version: str | None
    missing_at: datetime | None
    superseded_by: str | None
    registered_at: datetime
    duration_ms: int | None
    indexed_at: datetime | None = None


COLUMNS = tuple(Video.__dataclass_fields__)
# Made once: building it anew takes longer than the query.
_ONE = sa.select(*(videos.c[name] for name in COLUMNS)).where(videos.c.video_id == sa.bindparam("video_id"))


def expected_version(etag: Any, rate: float) -> Any:
    """Version of a video's frames: its file, the sampling rate and the code (works on columns too)."""
    return etag + f"@{rate:g}{frames_suffix()}"


def covered(asset: str, version: str) -> sa.ColumnElement[bool]:
    """A version of an asset covers the video as its frames are now. Uses the key of `video_coverage`."""
    return sa.exists().where(
        video_coverage.c.asset == asset,
        video_coverage.c.version == version,
        video_coverage.c.video_id == videos.c.video_id,
        video_coverage.c.frames_version == videos.c.frames_version,
    )


@dataclass(frozen=True)
class VideoRegister:
    """Reads and changes of `videos`, `arrivals` and `video_coverage`."""

    database: Database

    def all(self) -> list[Video]:
        """Every video, in order of its number."""
        return self._select(sa.true())

    def known(self) -> list[Video]:
        """Videos that nothing replaced: live ones, copies, and retired ones (whose file may still be there)."""
        return self._select(videos.c.status.in_((*LIVE, "copy", "retired")))

    def get(self, video_ids: Iterable[str]) -> list[Video]:
        """The named videos, in order of their number; unknown ids are left out."""
        found = [
            video
            for ids in in_chunks(sorted(set(video_ids)))
            for video in self._select(videos.c.video_id.in_(ids))
        ]
        return sorted(found, key=lambda video: video.video_no)

    def one(self, video_id: str) -> Video:
        """The named video as it is now. Raises LookupError."""
        with self.database.read() as connection:
            row = connection.execute(_ONE, {"video_id": video_id}).one_or_none()
        if row is None:
            raise LookupError(f"no video {video_id!r} in the archive")
        return Video(*row)

    def numbered(self, video_nos: Iterable[int]) -> list[Video]:
        """The videos with these numbers, in order of their number; unknown numbers are left out."""
        parts = in_chunks(sorted(set(video_nos)))
        return [video for numbers in parts for video in self._select(videos.c.video_no.in_(numbers))]

    def files(self) -> list[tuple[str, str, str, str, str, bool, str]]:
        """What a look at storage compares, of every video ever by its number.

        video_id, path, kind, etag, content_hash, whether it is missing, status.
        """
        names = ("video_id", "path", "kind", "etag", "content_hash", "missing_at", "status")
        query = sa.select(*(videos.c[name] for name in names)).order_by(videos.c.video_no)
        with self.database.read() as connection:
            return [(*row[:5], row[5] is not None, row[6]) for row in connection.execute(query)]

    def partition_keys(self) -> list[str]:
        """Videos that have a partition, by their number: all but copies, retired and replaced ones."""
        return self._ids(videos.c.status.in_(LIVE))

    def _select(self, condition: sa.ColumnElement[bool]) -> list[Video]:
        query = sa.select(*(videos.c[name] for name in COLUMNS)).where(condition).order_by(videos.c.video_no)
        with self.database.read() as connection:
            return [Video(*row) for row in connection.execute(query)]

    def looks(self, area: str) -> dict[str, tuple[str, int]]:
        """Path -> (etag, looks) of files not yet taken up."""
        query = sa.select(arrivals.c.path, arrivals.c.etag, arrivals.c.looks).where(arrivals.c.area == area)
        with self.database.read() as connection:
            return {path: (etag, looks) for path, etag, looks in connection.execute(query)}

    def record_looks(self, area: str, looks: Mapping[str, tuple[str, int, int]], now: datetime) -> None:
        """Bring the looks of an area in line: path -> (etag, size in bytes, looks). Writes what changed."""
        before = self.looks(area)
        gone = [path for path in before if path not in looks]
        rows = [
            {
                "area": area,
                "path": path,
                "etag": etag,
                "size_bytes": size,
                "looks": count,
                "last_seen_at": now,
            }
            for path, (etag, size, count) in looks.items()
            if before.get(path) != (etag, count)
        ]
        if not before and not rows:
            return
        # Another daemon may have noted the same path meanwhile.
        stale = [*gone, *(str(row["path"]) for row in rows)]
        here = arrivals.c.area == area
        with self.database.write() as connection:
            for part in in_chunks(stale):
                connection.execute(sa.delete(arrivals).where(here, arrivals.c.path.in_(part)))
            connection.execute(sa.update(arrivals).where(here).values(last_seen_at=now))
            if rows:
                connection.execute(sa.insert(arrivals), rows)

    def register(
        self, registration: Any, facts: Mapping[str, Any], rule: SplitRule, *, now: datetime
    ) -> list[str]:
        """Carry out a Registration in one transaction; returns the new video_ids. Nothing to do writes nothing."""
        if not any(vars(registration).values()):
            return []
        with self.database.write() as connection:
            return Registrar(connection, facts, rule, now).apply(registration)

    def update_facts(self, facts: Mapping[str, Any]) -> int:
        """Bring site, camera and recorded_at in line with the owner's table; returns the videos changed."""
        changed = [
            {"key": video.video_id, "site": fact.site, "camera": fact.camera, "recorded_at": fact.recorded_at}
            for video in (self.known() if facts else ())
            if (fact := facts.get(video.path)) is not None
            and (video.site, video.camera, video.recorded_at) != (fact.site, fact.camera, fact.recorded_at)
        ]
        if changed:
            statement = (
                sa.update(videos)
                .where(videos.c.video_id == sa.bindparam("key"))
                .values({name: sa.bindparam(name) for name in ("site", "camera", "recorded_at")})
            )
            with self.database.write() as connection:
                connection.execute(statement, changed)
        return len(changed)

    def lacking_frames(self, rate: float) -> list[str]:
        """Live videos whose frames are of another file version or sampling rate, or not there; oldest first."""
        version = expected_version(videos.c.etag, rate)
        stale = sa.or_(videos.c.frames_version.is_(None), videos.c.frames_version != version)
        return self._ids(videos.c.status.in_(LIVE), stale, videos.c.missing_at.is_(None))

    def lacking(self, asset: str, version: str) -> list[str]:
        """Readable videos that a version of an asset does not cover as their frames are now, oldest first.

        Those whose file is gone are left out: there is nothing to make it from.
        """
        return self._ids(
            videos.c.status.in_(READABLE), videos.c.missing_at.is_(None), ~covered(asset, version)
        )

    def covered_by(self, asset: str, version: str) -> list[str]:
        """Readable videos that a version of an asset covers as their frames are now, oldest first."""
        return self._ids(videos.c.status.in_(READABLE), covered(asset, version))

    def lacking_predictions(self, checkpoint_id: str, embedder_id: str) -> list[str]:
        """Videos with vectors whose frames the checkpoint has not all scored, oldest first."""
        return self._ids(
            videos.c.status.in_(READABLE),
            covered("embeddings", embedder_id),
            ~covered("predictions", checkpoint_id),
        )

    def _ids(self, *conditions: sa.ColumnElement[bool]) -> list[str]:
        query = sa.select(videos.c.video_id).where(*conditions).order_by(videos.c.video_no)
        with self.database.read() as connection:
            return list(connection.scalars(query))

    def change_status(self, video_id: str, before: str, status: str) -> bool:
        """Give a video another status and change nothing else of it; False where it has not the one of before."""
        with self.database.write() as connection:
            row = sa.update(videos).where(videos.c.video_id == video_id, videos.c.status == before)
            return connection.execute(row.values(status=status)).rowcount == 1

    def retire(self, video_id: str) -> int:
        """Remove a video's frames, vectors, scores and coverage in one transaction; returns rows removed.

        The row in `videos` stays, so that its number is never used again, and so do annotations.
        """
        with self.database.write() as connection:
            number = connection.scalar(sa.select(videos.c.video_no).where(videos.c.video_id == video_id))
            if number is None:
                return 0
            first, last = frame_range(int(number))
            removed = 0
            reviews = (implausible_labels, second_opinions)
            for table in (predictions, frame_scores, embeddings, labels, *reviews, frames, decoding_points):
                result = connection.execute(sa.delete(table).where(table.c.frame_id.between(first, last)))
                removed += result.rowcount
            for table in (video_coverage, video_summaries, video_scores):
                connection.execute(sa.delete(table).where(table.c.video_id == video_id))
            row = sa.update(videos).where(videos.c.video_id == video_id)
            connection.execute(row.values(status="retired", frames_version=None))
            return removed

    def committed_by(self, asset: str, run_id: str) -> set[str]:
        """Names of the slices of an asset that a run has committed. Uses ix_materializations_asset_slice."""
        query = sa.select(materializations.c.slice).where(
            materializations.c.asset == asset, materializations.c.run_id == run_id
        )
        with self.database.read() as connection:
            return set(connection.scalars(query))

    def by_status(self) -> dict[str, int]:
        """Number of videos by status."""
        query = (
            sa.select(videos.c.status, sa.func.count()).group_by(videos.c.status).order_by(videos.c.status)
        )
        with self.database.read() as connection:
            return {status: count for status, count in connection.execute(query)}

    def failures(self) -> list[tuple[str, str, str]]:
        """Path, status and error of every live video that could not be read whole."""
        query = (
            sa.select(videos.c.path, videos.c.status, videos.c.error)
            .where(faulty())
            .order_by(videos.c.video_no)
        )
        with self.database.read() as connection:
            return [(path, status, error or "") for path, status, error in connection.execute(query)]


def faulty() -> sa.ColumnElement[bool]:
    """Live videos that could not be read, or not whole."""
    unread = sa.or_(videos.c.status.in_(("failed", "partial")), videos.c.error.is_not(None))
    return sa.and_(videos.c.status.in_(LIVE), unread)


def coverage_row(asset: str, version: str, video: Video, frames: int) -> dict[str, Any]:
    """Row of `video_coverage` that says: this version of the asset covers the video as its frames are now."""
    return {
        "asset": asset,
        "version": version,
        "video_id": video.video_id,
        "frames_version": video.frames_version,
        "frames": frames,
    }

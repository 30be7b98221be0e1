"""The register of videos: what is known, what changes, what is left to do. No frames, no decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from al_assets.keys import frame_range, make_video_id
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.tables import (
    arrivals,
    embeddings,
    frame_scores,
    frames,
    labels,
    predictions,
    video_coverage,
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


COLUMNS = tuple(Video.__dataclass_fields__)


def expected_version(etag: Any, rate: float) -> Any:
    """Version of a video's frames: its file and the sampling rate (works on columns too)."""
    return etag + f"@{rate:g}"


def _covered(asset: str, version: str) -> sa.ColumnElement[bool]:
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
        """Replace the looks of an area: path -> (etag, size in bytes, looks)."""
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
        ]
        with self.database.write() as connection:
            connection.execute(sa.delete(arrivals).where(arrivals.c.area == area))
            if rows:
                connection.execute(sa.insert(arrivals), rows)

    def register(
        self,
        registration: Any,
        facts: Mapping[str, Any],
        split_of: Callable[[int], str],
        *,
        now: datetime,
    ) -> list[str]:
        """Carry out a Registration in one transaction; returns the new video_ids.

        split_of: number of videos (or of sites) registered before -> split. A video's site decides where
        `split_of` is made for sites: the first video of a site fixes the split of all.
        """
        with self.database.write() as connection:
            return _Registrar(connection, facts, split_of, now).apply(registration)

    def update_facts(self, facts: Mapping[str, Any]) -> int:
        """Bring site, camera and recorded_at in line with the owner's table; returns the videos changed."""
        changed = [
            {"key": video.video_id, "site": fact.site, "camera": fact.camera, "recorded_at": fact.recorded_at}
            for video in self.known()
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
        """Readable videos that a version of an asset does not cover as their frames are now, oldest first."""
        return self._ids(videos.c.status.in_(READABLE), ~_covered(asset, version))

    def covered_by(self, asset: str, version: str) -> list[str]:
        """Readable videos that a version of an asset covers as their frames are now, oldest first."""
        return self._ids(videos.c.status.in_(READABLE), _covered(asset, version))

    def lacking_predictions(self, checkpoint_id: str, embedder_id: str) -> list[str]:
        """Videos with vectors whose frames the checkpoint has not all scored, oldest first."""
        return self._ids(
            videos.c.status.in_(READABLE),
            _covered("embeddings", embedder_id),
            ~_covered("predictions", checkpoint_id),
        )

    def _ids(self, *conditions: sa.ColumnElement[bool]) -> list[str]:
        query = sa.select(videos.c.video_id).where(*conditions).order_by(videos.c.video_no)
        with self.database.read() as connection:
            return list(connection.scalars(query))

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
            for table in (predictions, frame_scores, embeddings, labels, frames):
                result = connection.execute(sa.delete(table).where(table.c.frame_id.between(first, last)))
                removed += result.rowcount
            connection.execute(sa.delete(video_coverage).where(video_coverage.c.video_id == video_id))
            row = sa.update(videos).where(videos.c.video_id == video_id)
            connection.execute(row.values(status="retired", frames_version=None))
            return removed

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
            .where(videos.c.status.in_(("failed", "partial")))
            .order_by(videos.c.video_no)
        )
        with self.database.read() as connection:
            return [(path, status, error or "") for path, status, error in connection.execute(query)]


@dataclass(frozen=True)
class _Registrar:
    """One transaction of registration."""

    connection: sa.Connection
    facts: Mapping[str, Any]
    split_of: Callable[[int], str]
    now: datetime

    def apply(self, registration: Any) -> list[str]:
        for video_id, _ in registration.superseded:
            self._set(video_id, status="superseded")
        for video_id, arrival in registration.moved:
            copy = sa.delete(videos).where(videos.c.path == arrival.path, videos.c.status == "copy")
            self.connection.execute(copy)
            self._rename(video_id, arrival)
        for video_id, arrival in registration.touched:
            self._rename(video_id, arrival)
        for video_id, arrival, content_hash in registration.grown:
            self._set(video_id, etag=arrival.etag, size_bytes=arrival.size_bytes, content_hash=content_hash)
        ids = self._insert_all(registration)
        for video_id, path in registration.superseded:
            self._set(video_id, superseded_by=ids.get(path))
        for video_id in registration.missing:
            self._set(video_id, missing_at=self.now)
        for video_id in registration.returned:
            self._set(video_id, missing_at=None)
        return [ids[arrival.path] for arrival, _ in registration.new]

    def _set(self, video_id: str, **values: Any) -> None:
        self.connection.execute(sa.update(videos).where(videos.c.video_id == video_id).values(**values))

    def _rename(self, video_id: str, arrival: Any) -> None:
        """Same content, new path or file version: frames made from it stay valid."""
        etag, version = self.connection.execute(
            sa.select(videos.c.etag, videos.c.frames_version).where(videos.c.video_id == video_id)
        ).one()
        still_valid = version is not None and version.startswith(f"{etag}@")
        self._set(
            video_id,
            path=arrival.path,
            etag=arrival.etag,
            missing_at=None,
            frames_version=arrival.etag + version[len(etag) :] if still_valid else version,
        )
        if still_valid:
            covered = sa.update(video_coverage).where(
                video_coverage.c.video_id == video_id, video_coverage.c.frames_version == version
            )
            self.connection.execute(covered.values(frames_version=arrival.etag + version[len(etag) :]))

    def _insert_all(self, registration: Any) -> dict[str, str]:
        number = self.connection.scalar(sa.select(sa.func.coalesce(sa.func.max(videos.c.video_no), 0)))
        ids: dict[str, str] = {}
        fresh = [(arrival, content, None) for arrival, content in registration.new]
        for arrival, content, original in (*fresh, *registration.copies):
            number = int(number or 0) + 1
            ids[arrival.path] = make_video_id(arrival.path, content)
            taken = self.connection.scalar(
                sa.select(videos.c.video_id).where(videos.c.video_id == ids[arrival.path])
            )
            if taken:  # the same content came back to a path that something else held meanwhile
                ids[arrival.path] = make_video_id(arrival.path, f"{content}{number}")
            self._insert(ids[arrival.path], number, arrival, content, ids.get(original or "", original))
        return ids

    def _insert(self, video_id: str, number: int, arrival: Any, content: str, original: str | None) -> None:
        fact = self.facts.get(arrival.path)
        site = fact.site if fact else None
        row = {
            "video_id": video_id,
            "video_no": number,
            "kind": arrival.kind,
            "path": arrival.path,
            "etag": arrival.etag,
            "size_bytes": arrival.size_bytes,
            "content_hash": content,
            "site": site,
            "camera": fact.camera if fact else None,
            "recorded_at": fact.recorded_at if fact else None,
            "split": self._split(number, site),
            "status": "copy" if original else "registered",
            "superseded_by": original,
            "registered_at": self.now,
        }
        self.connection.execute(sa.insert(videos).values(row))

    def _split(self, number: int, site: str | None) -> str:
        by_site = getattr(self.split_of, "by_site", False)
        if not by_site or site is None:
            return self.split_of(number - 1)
        fixed = self.connection.scalar(sa.select(videos.c.split).where(videos.c.site == site).limit(1))
        if fixed is not None:
            return str(fixed)
        sites = self.connection.scalar(sa.select(sa.func.count(sa.distinct(videos.c.site))))
        return self.split_of(int(sites or 0))


def coverage_row(asset: str, version: str, video: Video, frames: int) -> dict[str, Any]:
    """Row of `video_coverage` that says: this version of the asset covers the video as its frames are now."""
    return {
        "asset": asset,
        "version": version,
        "video_id": video.video_id,
        "frames_version": video.frames_version,
        "frames": frames,
    }

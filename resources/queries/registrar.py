"""Carrying out a registration: changes of `videos` in one transaction. What to change is planned by the frames room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from al_assets.keys import frame_range, make_video_id
from resources.tables import frames, video_coverage, videos

STANDING = videos.c.status != "superseded"


@dataclass(frozen=True)
class SplitRule:
    """Which split the next video gets: by its ordinal, or by its site's where `by_site` is given.

    by_video, by_site: ordinal from 0 -> train, validation or test.
    """

    by_video: Callable[[int], str]
    by_site: Callable[[int], str] | None = None


@dataclass(frozen=True)
class Registrar:
    """One transaction of registration. Facts (site, camera, recorded_at) are by path."""

    connection: sa.Connection
    facts: Mapping[str, Any]
    rule: SplitRule
    now: datetime

    def apply(self, registration: Any) -> list[str]:
        """Carry out a Registration of the frames room; returns the ids of new videos."""
        for video_id, _ in registration.superseded:
            self._set(video_id, status="superseded")
        for video_id, arrival in (*registration.moved, *registration.touched):
            self._rename(video_id, arrival)
        for video_id, arrival in registration.revived:
            self._rename(video_id, arrival)
            self._set(video_id, status=self._status_of(video_id), superseded_by=None)
        for video_id, arrival, content_hash in registration.grown:
            self._set(
                video_id,
                etag=arrival.etag,
                size_bytes=arrival.size_bytes,
                content_hash=content_hash,
                missing_at=None,
            )
        ids = self._insert_all(registration)
        here = ids | {
            arrival.path: video_id for video_id, arrival in (*registration.moved, *registration.revived)
        }
        for video_id, path in registration.superseded:
            self._set(video_id, superseded_by=here.get(path))
        for video_id in registration.missing:
            self._set(video_id, missing_at=self.now)
        for video_id in registration.returned:
            self._set(video_id, missing_at=None)
        return [ids[arrival.path] for arrival, _ in registration.new]

    def _set(self, video_id: str, **values: Any) -> None:
        self.connection.execute(sa.update(videos).where(videos.c.video_id == video_id).values(**values))

    def _rename(self, video_id: str, arrival: Any) -> None:
        """Same content, new path or file version: frames made from it stay valid."""
        etag, version, number, path = self.connection.execute(
            sa.select(videos.c.etag, videos.c.frames_version, videos.c.video_no, videos.c.path).where(
                videos.c.video_id == video_id
            )
        ).one()
        follows = version is not None and version.startswith(f"{etag}@")
        renewed = arrival.etag + version[len(etag) :] if follows else version
        self._set(video_id, path=arrival.path, etag=arrival.etag, missing_at=None, frames_version=renewed)
        if renewed != version:
            covered = sa.update(video_coverage).where(
                video_coverage.c.video_id == video_id, video_coverage.c.frames_version == version
            )
            self.connection.execute(covered.values(frames_version=renewed))
        if arrival.kind == "images" and path != arrival.path:
            self._rename_stills(number, arrival.path)

    def _rename_stills(self, number: int, folder: str) -> None:
        """The stills moved with their folder. Their number hangs on their path, so it must follow."""
        first, last = frame_range(number)
        prefix = "" if folder == "." else f"{folder}/"
        query = sa.select(frames.c.frame_id, frames.c.image_path).where(
            frames.c.frame_id.between(first, last)
        )
        renamed = [
            {"key": key, "now_at": prefix + path.rsplit("/", 1)[-1]}
            for key, path in self.connection.execute(query)
            if path is not None
        ]
        if renamed:
            row = sa.update(frames).where(frames.c.frame_id == sa.bindparam("key"))
            self.connection.execute(row.values(image_path=sa.bindparam("now_at")), renamed)

    def _status_of(self, video_id: str) -> str:
        """What a video was before it was superseded, as its row and its frames tell."""
        number, version, error = self.connection.execute(
            sa.select(videos.c.video_no, videos.c.frames_version, videos.c.error).where(
                videos.c.video_id == video_id
            )
        ).one()
        if version is None or error is None:
            return "registered" if version is None else "indexed"
        query = sa.select(frames.c.frame_id).where(frames.c.frame_id.between(*frame_range(number))).limit(1)
        return "failed" if self.connection.scalar(query) is None else "partial"

    def _insert_all(self, registration: Any) -> dict[str, str]:
        """Insert what is new; returns path -> video_id. What another look inserted meanwhile is left as it is."""
        number = int(
            self.connection.scalar(sa.select(sa.func.coalesce(sa.func.max(videos.c.video_no), 0))) or 0
        )
        ids: dict[str, str] = {}
        fresh = [(arrival, content, None) for arrival, content in registration.new]
        for arrival, content, original in (*fresh, *registration.copies):
            same = sa.select(videos.c.video_id).where(
                videos.c.path == arrival.path, videos.c.content_hash == content, STANDING
            )
            there = self.connection.scalar(same)
            if there is not None:
                ids[arrival.path] = there
                continue
            number += 1
            ids[arrival.path] = self._free_id(arrival.path, content, number)
            self._insert(ids[arrival.path], number, arrival, content, ids.get(original or "", original))
        return ids

    def _free_id(self, path: str, content: str, number: int) -> str:
        video_id = make_video_id(path, content)
        taken = self.connection.scalar(sa.select(videos.c.video_id).where(videos.c.video_id == video_id))
        # A copy that was replaced bears the id that the same copy, put back, would get.
        return make_video_id(path, f"{content}{number}") if taken else video_id

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
            "split": self._split(site, original),
            "status": "copy" if original else "registered",
            "superseded_by": original,
            "registered_at": self.now,
        }
        self.connection.execute(sa.insert(videos).values(row))

    def _split(self, site: str | None, original: str | None) -> str:
        """A copy is on its original's side; of a site, the first video decides for all."""
        if original is not None:
            return str(self.connection.scalar(sa.select(videos.c.split).where(videos.c.video_id == original)))
        originals = sa.select(sa.func.count()).where(videos.c.status != "copy")
        if self.rule.by_site is None or site is None:
            return self.rule.by_video(int(self.connection.scalar(originals) or 0))
        of_site = sa.select(videos.c.split).where(videos.c.site == site).order_by(videos.c.video_no).limit(1)
        fixed = self.connection.scalar(of_site)
        sites = sa.select(sa.func.count(sa.distinct(videos.c.site)))
        return str(fixed) if fixed is not None else self.rule.by_site(int(self.connection.scalar(sites) or 0))

"""Carrying out a registration: changes of `videos` in one transaction. What to change is planned by the frames room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from al_assets.keys import frame_range, make_video_id
from resources.queries.chunks import in_chunks
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
        self._set_all([video_id for video_id, _ in registration.superseded], status="superseded")
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
        self._set_all(registration.missing, missing_at=self.now)
        self._set_all(registration.returned, missing_at=None)
        return [ids[arrival.path] for arrival, _ in registration.new]

    def _set(self, video_id: str, **values: Any) -> None:
        self.connection.execute(sa.update(videos).where(videos.c.video_id == video_id).values(**values))

    def _set_all(self, video_ids: Sequence[str], **values: Any) -> None:
        """The same values for many: a disk that was renamed takes along all its videos."""
        for part in in_chunks(video_ids):
            self.connection.execute(sa.update(videos).where(videos.c.video_id.in_(part)).values(**values))

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
        fresh: list[tuple[Any, str, str | None]] = [(a, content, None) for a, content in registration.new]
        fresh += registration.copies
        if not fresh:
            return {}
        ids = self._standing([(arrival.path, content) for arrival, content, _ in fresh])
        fresh = [item for item in fresh if item[0].path not in ids]
        taken = self._column(
            "video_id", [make_video_id(arrival.path, content) for arrival, content, _ in fresh]
        )
        splits = _Splits(
            self.connection, self.rule, [ids.get(named, named) for _, _, named in fresh if named]
        )
        number = int(
            self.connection.scalar(sa.select(sa.func.coalesce(sa.func.max(videos.c.video_no), 0))) or 0
        )
        rows = []
        for arrival, content, named in fresh:
            number += 1
            video_id = make_video_id(arrival.path, content)
            # A copy that was replaced bears the id that the same copy, put back, would get.
            video_id = make_video_id(arrival.path, f"{content}{number}") if video_id in taken else video_id
            ids[arrival.path] = video_id
            original = ids.get(named or "", named)
            fact = self.facts.get(arrival.path)
            site = fact.site if fact else None
            rows.append(
                {
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
                    "split": splits.take(video_id, site, original),
                    "status": "copy" if original else "registered",
                    "superseded_by": original,
                    "registered_at": self.now,
                }
            )
        if rows:
            self.connection.execute(sa.insert(videos), rows)
        return ids

    def _standing(self, wanted: Sequence[tuple[str, str]]) -> dict[str, str]:
        """path -> video_id of those of the (path, content hash) that are registered already. Uses ix_videos_path."""
        contents = dict(wanted)
        found: dict[str, str] = {}
        for part in in_chunks(list(contents)):
            query = sa.select(videos.c.path, videos.c.content_hash, videos.c.video_id)
            for path, content, video_id in self.connection.execute(
                query.where(videos.c.path.in_(part), STANDING)
            ):
                if contents[path] == content:
                    found[path] = video_id
        return found

    def _column(self, name: str, values: Sequence[str]) -> set[str]:
        """Those of the values that the column holds."""
        column = videos.c[name]
        return {
            value
            for part in in_chunks(values)
            for value in self.connection.scalars(sa.select(column).where(column.in_(part)))
        }


class _Splits:
    """Gives splits to new videos: a copy is on its original's side; of a site, the first video decides for all."""

    def __init__(self, connection: sa.Connection, rule: SplitRule, originals: Sequence[str]) -> None:
        self.rule = rule
        self.of_video: dict[str, str] = {}
        for part in in_chunks(originals):
            query = sa.select(videos.c.video_id, videos.c.split).where(videos.c.video_id.in_(part))
            self.of_video |= {str(video_id): str(split) for video_id, split in connection.execute(query)}
        counted = sa.select(sa.func.count()).where(videos.c.status != "copy")
        self.originals = int(connection.scalar(counted) or 0)
        self.of_site: dict[str, str] = {}
        if rule.by_site is not None:
            first = (
                sa.select(sa.func.min(videos.c.video_no))
                .where(videos.c.site.is_not(None))
                .group_by(videos.c.site)
            )
            query = sa.select(videos.c.site, videos.c.split).where(videos.c.video_no.in_(first))
            self.of_site = {str(site): str(split) for site, split in connection.execute(query)}

    def take(self, video_id: str, site: str | None, original: str | None) -> str:
        """Split of the next video."""
        split = self._split(site, original)
        self.of_video[video_id] = split
        self.originals += original is None
        if site is not None:
            self.of_site.setdefault(site, split)
        return split

    def _split(self, site: str | None, original: str | None) -> str:
        if original is not None:
            return self.of_video[original]
        if self.rule.by_site is None or site is None:
            return self.rule.by_video(self.originals)
        return self.of_site.get(site) or self.rule.by_site(len(self.of_site))

"""Videos whose frames, vectors or scores are not of what stands now, with what they are of. No reasons, no counting."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from resources.database import Database
from resources.queries.videos import LIVE, READABLE, expected_version
from resources.tables import video_coverage, videos


@dataclass(frozen=True)
class StaleFrames:
    """A video to be read: its file version as it is now, and the version of its frames (None: never read)."""

    path: str
    etag: str
    frames_version: str | None


@dataclass(frozen=True)
class StaleRows:
    """A video that a version of an asset does not cover as its frames are now.

    before: whether that version covered it as its frames were once. other: another version that covers it now, if any.
    """

    path: str
    before: bool
    other: str | None


@dataclass(frozen=True)
class StalenessQueries:
    """Only what is stale is read: a whole archive is so only after a change of settings or code."""

    database: Database

    def frames(self, rate: float) -> list[StaleFrames]:
        """Live videos with a file whose frames are of another file version, sampling rate or code, oldest first."""
        version = expected_version(videos.c.etag, rate)
        query = (
            sa.select(videos.c.path, videos.c.etag, videos.c.frames_version)
            .where(
                videos.c.status.in_(LIVE),
                videos.c.missing_at.is_(None),
                sa.or_(videos.c.frames_version.is_(None), videos.c.frames_version != version),
            )
            .order_by(videos.c.video_no)
        )
        with self.database.read() as connection:
            return [StaleFrames(*row) for row in connection.execute(query)]

    def vectors(self, embedder_id: str) -> list[StaleRows]:
        """Readable videos with a file that the embedder does not cover as their frames are now, oldest first."""
        return self._rows("embeddings", embedder_id, videos.c.missing_at.is_(None))

    def scores(self, checkpoint_id: str, embedder_id: str) -> list[StaleRows]:
        """Readable videos with vectors by the embedder that the checkpoint has not scored as they are now."""
        return self._rows("predictions", checkpoint_id, _covers("embeddings", embedder_id))

    def _rows(self, asset: str, version: str, condition: sa.ColumnElement[bool]) -> list[StaleRows]:
        own, other = video_coverage.alias("own"), video_coverage.alias("other")
        of_this = sa.and_(own.c.asset == asset, own.c.version == version, own.c.video_id == videos.c.video_id)
        others = sa.select(sa.func.min(other.c.version)).where(
            other.c.asset == asset,
            other.c.version != version,
            other.c.video_id == videos.c.video_id,
            other.c.frames_version == videos.c.frames_version,
        )
        query = (
            sa.select(videos.c.path, own.c.version, others.scalar_subquery())
            .select_from(videos)
            .outerjoin(own, of_this)
            .where(videos.c.status.in_(READABLE), ~_covers(asset, version), condition)
            .order_by(videos.c.video_no)
        )
        with self.database.read() as connection:
            return [
                StaleRows(path, before is not None, name) for path, before, name in connection.execute(query)
            ]


def _covers(asset: str, version: str) -> sa.ColumnElement[bool]:
    covering = video_coverage.alias()
    return sa.exists().where(
        covering.c.asset == asset,
        covering.c.version == version,
        covering.c.video_id == videos.c.video_id,
        covering.c.frames_version == videos.c.frames_version,
    )

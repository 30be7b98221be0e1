"""What embedders there are, which of them project another's vectors, and how much of the archive each covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.videos import READABLE
from resources.tables import embedders, video_coverage, videos


@dataclass(frozen=True)
class Embedder:
    """A row of `embedders`."""

    embedder_id: str
    backbone: str
    weights_sha256: str
    projection: str | None
    dimensions: int
    created_at: datetime
    source_embedder_id: str | None
    projection_uri: str | None
    projection_sha256: str | None
    variance_kept: float | None


@dataclass(frozen=True)
class EmbedderQueries:
    """Reads of `embedders`, and of `video_coverage` by embedder."""

    database: Database

    def get(self, embedder_id: str) -> Embedder | None:
        """An embedder by id; None for one that has made no vector yet."""
        return self._newest(embedders.c.embedder_id == embedder_id)

    def projected(self) -> list[Embedder]:
        """Embedders that project another's vectors, in order of their names."""
        columns = [embedders.c[name] for name in Embedder.__dataclass_fields__]
        query = sa.select(*columns).where(embedders.c.source_embedder_id.is_not(None))
        with self.database.read() as connection:
            return [Embedder(*row) for row in connection.execute(query.order_by(embedders.c.embedder_id))]

    def projection_of(self, source: str, dimensions: int) -> Embedder | None:
        """The newest embedder that projects the vectors of `source` to so many dimensions."""
        return self._newest(embedders.c.source_embedder_id == source, embedders.c.dimensions == dimensions)

    def _newest(self, *conditions: sa.ColumnElement[bool]) -> Embedder | None:
        columns = [embedders.c[name] for name in Embedder.__dataclass_fields__]
        newest = (embedders.c.created_at.desc(), embedders.c.embedder_id)
        query = sa.select(*columns).where(*conditions).order_by(*newest).limit(1)
        with self.database.read() as connection:
            row = connection.execute(query).one_or_none()
        return Embedder(*row) if row is not None else None

    def frames_covered(self, embedder_id: str) -> int:
        """Frames of the readable videos whose frames as they are now the embedder covers."""
        query = sa.select(sa.func.sum(video_coverage.c.frames)).select_from(_current(embedder_id))
        with self.database.read() as connection:
            return int(connection.scalar(query) or 0)

    def covering(self, embedder_id: str, video_ids: Sequence[str]) -> dict[str, int]:
        """Those of the videos that the embedder covers as their frames are now: video_id -> frames."""
        found: dict[str, int] = {}
        columns = sa.select(videos.c.video_id, video_coverage.c.frames).select_from(_current(embedder_id))
        with self.database.read() as connection:
            for part in in_chunks(video_ids):
                rows = connection.execute(columns.where(videos.c.video_id.in_(part)))
                found.update((video_id, int(frames)) for video_id, frames in rows)
        return found

    def behind(self, old: str, new: str) -> list[str]:
        """Readable videos that one embedder covers as their frames are now and another does not, oldest first."""
        theirs = video_coverage.alias("theirs")
        lacks = ~sa.exists().where(
            theirs.c.asset == "embeddings",
            theirs.c.version == new,
            theirs.c.video_id == videos.c.video_id,
            theirs.c.frames_version == videos.c.frames_version,
        )
        query = sa.select(videos.c.video_id).select_from(_current(old)).where(lacks)
        with self.database.read() as connection:
            return list(connection.scalars(query.order_by(videos.c.video_no)))


def _current(embedder_id: str) -> sa.Join:
    """Readable videos with the embedder's coverage of their frames as they are now. Uses the key of the coverage."""
    own = sa.and_(
        video_coverage.c.asset == "embeddings",
        video_coverage.c.version == embedder_id,
        video_coverage.c.video_id == videos.c.video_id,
        video_coverage.c.frames_version == videos.c.frames_version,
        videos.c.status.in_(READABLE),
    )
    return sa.join(videos, video_coverage, own)

"""What a model has yet to score, with its size as the ledger knows it. No model, no vectors, no scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from resources.database import Database
from resources.queries.videos import READABLE
from resources.tables import video_coverage, videos


@dataclass(frozen=True)
class Unscored:
    """A video with vectors that a model has not scored whole: its frames as the ledger counts them."""

    video_id: str
    video_no: int
    frames_version: str
    frames: int


@dataclass(frozen=True)
class ScoringQueries:
    """Reads of `videos` and `video_coverage` for scoring."""

    database: Database

    def unscored(self, checkpoint_id: str, embedder_id: str) -> list[Unscored]:
        """Videos with vectors whose frames the checkpoint has not all scored, in order of their number.

        The same videos as `VideoRegister.lacking_predictions`. Uses the key of `video_coverage`.
        """
        with_vectors, scored = video_coverage.alias("with_vectors"), video_coverage.alias("scored")
        query = (
            sa.select(
                videos.c.video_id, videos.c.video_no, with_vectors.c.frames_version, with_vectors.c.frames
            )
            .join(with_vectors, _covers(with_vectors, "embeddings", embedder_id))
            .outerjoin(scored, _covers(scored, "predictions", checkpoint_id))
            .where(videos.c.status.in_(READABLE), scored.c.video_id.is_(None))
            .order_by(videos.c.video_no)
        )
        with self.database.read() as connection:
            return [Unscored(*row) for row in connection.execute(query)]


def _covers(ledger: Any, asset: str, version: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        ledger.c.asset == asset,
        ledger.c.version == version,
        ledger.c.video_id == videos.c.video_id,
        ledger.c.frames_version == videos.c.frames_version,
    )

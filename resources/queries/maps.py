"""What the map of the archive is made from, and the newest map itself. No layout, no drawing.

An archive may have tens of millions of frames: what is held in memory here grows with videos and what is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.open_frames import answered
from resources.queries.videos import READABLE
from resources.tables import (
    checkpoints,
    embedders,
    embedding_maps,
    embeddings,
    frame_scores,
    frames,
    labels,
    map_points,
    selections,
    serving,
    video_coverage,
    videos,
)

_VIEW = sa.table(
    "embedding_map",
    *(sa.column(name, sa.BigInteger()) for name in ("frame_id", "pts_ms")),
    *(sa.column(name, sa.Integer()) for name in ("frame_index", "class_id", "labelled")),
    *(sa.column(name, sa.REAL()) for name in ("x", "y", "confidence")),
    *(sa.column(name, sa.Unicode(400)) for name in ("map_id", "video_id", "class_name", "source")),
)


_LABELS = sa.table(
    "frame_labels",
    sa.column("frame_id", sa.BigInteger()),
    sa.column("class_name", sa.Unicode(400)),
    sa.column("source", sa.Unicode(16)),
    sa.column("confidence", sa.REAL()),
)


@dataclass(frozen=True)
class Standing:
    """Whether a frame may go to people: its video's split, whether that is readable, and what happened to the frame."""

    frame_id: int
    split: str
    readable: bool
    judged: bool
    queued: bool


def _flag(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """1 or 0: SQL Server has no column of truths."""
    return sa.case((condition, 1), else_=0)


@dataclass(frozen=True)
class MapQueries:
    """Reads of `embedding_maps` and `map_points`, and of the frames that may be on a map."""

    database: Database

    def counts(self, embedder_id: str) -> pa.Table:
        """video_no and frames with a vector by the embedder, of readable videos that it covers whole, in order."""
        return self.database.fetch(self._covered(embedder_id))

    @staticmethod
    def _covered(embedder_id: str, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
        return (
            sa.select(videos.c.video_no, video_coverage.c.frames, *more)
            .join(video_coverage, video_coverage.c.video_id == videos.c.video_id)
            .where(
                video_coverage.c.asset == "embeddings",
                video_coverage.c.version == embedder_id,
                video_coverage.c.frames_version == videos.c.frames_version,
                video_coverage.c.frames > 0,
                videos.c.status.in_(READABLE),
            )
            .order_by(videos.c.video_no)
        )

    def versions(self, embedder_id: str) -> dict[int, tuple[str, int]]:
        """video_no -> (version of its frames, frames with a vector) of the same videos."""
        query = self._covered(embedder_id, videos.c.frames_version)
        with self.database.read() as connection:
            return {int(no): (str(version), int(count)) for no, count, version in connection.execute(query)}

    def count(self, embedder_id: str) -> int:
        """How many frames those are."""
        return sum(count for _, count in self.versions(embedder_id).values())

    def embedder_in_use(self) -> str | None:
        """The serving model's embedder; without one that which covers most videos; None before the first vector."""
        ours = sa.select(checkpoints.c.embedder_id).join(
            serving, serving.c.checkpoint_id == checkpoints.c.checkpoint_id
        )
        most = (
            sa.select(video_coverage.c.version)
            .join(embedders, embedders.c.embedder_id == video_coverage.c.version)
            .where(video_coverage.c.asset == "embeddings")
            .group_by(video_coverage.c.version)
            .order_by(sa.func.count().desc(), sa.func.max(embedders.c.created_at).desc())
            .limit(1)
        )
        latest = sa.select(embedders.c.embedder_id).order_by(embedders.c.created_at.desc()).limit(1)
        with self.database.read() as connection:
            return next(filter(None, map(connection.scalar, (ours, most, latest))), None)

    def standing(self, frame_ids: Sequence[int]) -> list[Standing]:
        """How the named frames stand; those that are not there are left out."""
        judged, queued = sa.select(answered().subquery().c.frame_id), sa.select(selections.c.frame_id)
        query = sa.select(
            frames.c.frame_id,
            videos.c.split,
            _flag(videos.c.status.in_(READABLE)),
            _flag(frames.c.frame_id.in_(judged)),
            _flag(frames.c.frame_id.in_(queued)),
        ).join(videos, videos.c.video_id == frames.c.video_id)
        with self.database.read() as connection:
            return [
                Standing(key, split, *map(bool, flags))
                for part in in_chunks([int(key) for key in frame_ids])
                for key, split, *flags in connection.execute(query.where(frames.c.frame_id.in_(part)))
            ]

    def names_of(self, frame_ids: Sequence[int]) -> pd.DataFrame:
        """What is known of the named frames: frame_id, class_names (joined by a comma), source, confidence (the most).

        From the view `frame_labels`; frames without a class are left out.
        """
        columns = [_LABELS.c[name] for name in ("frame_id", "class_name", "source", "confidence")]
        query = sa.select(*columns).order_by(_LABELS.c.frame_id, _LABELS.c.class_name)
        parts = [
            self.database.fetch(query.where(_LABELS.c.frame_id.in_(ids))).to_pandas()
            for ids in in_chunks([int(key) for key in frame_ids])
        ]
        rows = pd.concat(parts) if parts else self.database.fetch(query.limit(0)).to_pandas()
        grouped = rows.groupby("frame_id", as_index=False)
        # "human" comes before "model": where people spoke of one class, the frame is theirs.
        return grouped.agg(
            class_names=("class_name", ", ".join), source=("source", "min"), confidence=("confidence", "max")
        )

    def frames_of(self, embedder_id: str, checkpoint_id: str | None, video_no: int) -> pa.Table:
        """frame_id of a video's frames with a vector, and class_id of the model's likeliest class, null without one.

        Two ranges of clustered keys.
        """
        scored = sa.and_(
            frame_scores.c.checkpoint_id == (checkpoint_id or ""),
            frame_scores.c.frame_id == embeddings.c.frame_id,
        )
        query = (
            sa.select(embeddings.c.frame_id, frame_scores.c.top_class_id.label("class_id"))
            .select_from(embeddings.outerjoin(frame_scores, scored))
            .where(
                embeddings.c.embedder_id == embedder_id,
                embeddings.c.frame_id.between(*frame_range(video_no)),
            )
            .order_by(embeddings.c.frame_id)
        )
        return self.database.fetch(query)

    def labelled(self) -> np.ndarray:
        """Judged frames of readable videos: (n,) int64, ascending."""
        query = (
            sa.select(labels.c.frame_id)
            .distinct()
            .join(frames, frames.c.frame_id == labels.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(videos.c.status.in_(READABLE))
            .order_by(labels.c.frame_id)
        )
        return self.database.fetch(query)["frame_id"].to_numpy()

    def newest(self) -> dict[str, Any] | None:
        """The newest map as a row."""
        query = (
            sa.select(embedding_maps)
            .order_by(embedding_maps.c.made_at.desc(), embedding_maps.c.map_id.desc())
            .limit(1)
        )
        with self.database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return dict(row) if row else None

    def points(self, map_id: str) -> pa.Table:
        """frame_id, x and y of a map's points, in order of frame_id."""
        query = sa.select(map_points.c.frame_id, map_points.c.x, map_points.c.y)
        return self.database.fetch(query.where(map_points.c.map_id == map_id).order_by(map_points.c.frame_id))

    def shown(self) -> pd.DataFrame:
        """The view `embedding_map`, in order of frame_id."""
        return self.database.fetch(sa.select(_VIEW).order_by(_VIEW.c.frame_id)).to_pandas()

    def image_paths(self, frame_ids: Sequence[int]) -> dict[int, str]:
        """frame_id -> path under videos/ of those of the named frames that are stills of a folder."""
        query = sa.select(frames.c.frame_id, frames.c.image_path).where(frames.c.image_path.is_not(None))
        found: dict[int, str] = {}
        with self.database.read() as connection:
            for part in in_chunks([int(key) for key in frame_ids]):
                rows = connection.execute(query.where(frames.c.frame_id.in_(part)))
                found.update((key, path) for key, path in rows)
        return found

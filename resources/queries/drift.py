"""Videos in a few numbers for drift statistics, and labels that came after a model. No statistics, no vectors.

What is written here once a video is read in place of its frames ever after.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.videos import Video
from resources.tables import (
    annotations,
    classes,
    drift_results,
    frame_scores,
    frames,
    label_exports,
    labels,
    selections,
    video_scores,
    video_summaries,
    videos,
)

BLOCK_VIDEOS = 200
"""Videos whose scores are summed up by one statement."""
REPRESENTATIVE = ("random", "evaluation")
"""Arms whose frames were drawn at random; those of a strategy are hard by choice."""


@dataclass(frozen=True)
class DriftQueries:
    """Reads and changes of `video_summaries` and `video_scores`; reads of what labels say of a model."""

    database: Database

    def summaries(self, embedder_id: str, of: Sequence[Video]) -> pd.DataFrame:
        """Rows of `video_summaries` of these videos as their frames are now, in order of video_id."""
        return self._current(video_summaries, video_summaries.c.embedder_id == embedder_id, of)

    def record_summaries(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write summaries; that of the same embedder and video is replaced."""
        self._replace(video_summaries, "embedder_id", rows)

    def scores(self, checkpoint_id: str, of: Sequence[Video]) -> pd.DataFrame:
        """Rows of `video_scores` of these videos as their frames are now, in order of video_id."""
        return self._current(video_scores, video_scores.c.checkpoint_id == checkpoint_id, of)

    def sum_up_scores(self, checkpoint_id: str, of: Sequence[Video], now: datetime) -> int:
        """Write `video_scores` of these videos from their `frame_scores`; returns the videos that have some.

        One aggregate a block of videos, each a range of the clustered key of `frame_scores`.
        """
        versions = {video.video_id: video.frames_version for video in of}
        written = 0
        for part in in_chunks(sorted(versions), BLOCK_VIDEOS):
            query = _SUMS.where(videos.c.video_id.in_(part), frame_scores.c.checkpoint_id == checkpoint_id)
            found = self.database.fetch(query.group_by(videos.c.video_id, frame_scores.c.top_class_id))
            rows = [
                {
                    "checkpoint_id": checkpoint_id,
                    "video_id": str(video_id),
                    "frames_version": versions[str(video_id)],
                    **_means(own),
                    "measured_at": now,
                }
                for video_id, own in found.to_pandas().groupby("video_id")
            ]
            self._replace(video_scores, "checkpoint_id", rows)
            written += len(rows)
        return written

    def compared_since(self, check_name: str, checkpoint_id: str, since: datetime) -> pd.DataFrame:
        """One row per video registered after `since` that a check compared: subject, drifted (0 or 1), measured_at."""
        query = (
            sa.select(
                drift_results.c.subject,
                sa.func.max(drift_results.c.drifted).label("drifted"),
                sa.func.max(drift_results.c.measured_at).label("measured_at"),
            )
            .join(videos, videos.c.video_id == drift_results.c.subject)
            .where(
                drift_results.c.check_name == check_name,
                drift_results.c.reference_id == checkpoint_id,
                videos.c.registered_at > since,
            )
            .group_by(drift_results.c.subject)
            .order_by(drift_results.c.subject)
        )
        return self.database.fetch(query).to_pandas()

    def judged(self, checkpoint_id: str, since: datetime) -> pd.DataFrame:
        """What people said of frames drawn at random, beside the checkpoint's likeliest class.

        One row per frame and class that is present or is the likeliest one: frame_id, video_id, split, propensity (of
        the first draw), class_id and top_class_id (merged classes resolved), present, confidence, fresh (1 where the
        label was imported after `since`). Uses the keys of labels, annotations and frame_scores.
        """
        drawn = (
            sa.select(selections.c.frame_id, sa.func.min(selections.c.propensity).label("propensity"))
            .where(selections.c.arm.in_(REPRESENTATIVE))
            .group_by(selections.c.frame_id)
            .subquery()
        )
        said, likeliest = classes.alias("said"), classes.alias("likeliest")
        class_id = sa.func.coalesce(said.c.merged_into, labels.c.class_id)
        top_class_id = sa.func.coalesce(likeliest.c.merged_into, frame_scores.c.top_class_id)
        fresh = sa.case((label_exports.c.imported_at > since, 1), else_=0)
        query = (
            sa.select(
                drawn.c.frame_id,
                frames.c.video_id,
                videos.c.split,
                drawn.c.propensity,
                class_id.label("class_id"),
                labels.c.present,
                top_class_id.label("top_class_id"),
                frame_scores.c.confidence,
                fresh.label("fresh"),
            )
            .select_from(drawn)
            .join(labels, labels.c.frame_id == drawn.c.frame_id)
            .join(frames, frames.c.frame_id == drawn.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .join(annotations, annotations.c.annotation_id == labels.c.annotation_id)
            .join(label_exports, label_exports.c.export_id == annotations.c.export_id)
            .join(said, said.c.class_id == labels.c.class_id)
            .join(
                frame_scores,
                sa.and_(
                    frame_scores.c.frame_id == drawn.c.frame_id,
                    frame_scores.c.checkpoint_id == checkpoint_id,
                ),
            )
            .join(likeliest, likeliest.c.class_id == frame_scores.c.top_class_id)
            .where(sa.or_(labels.c.present == 1, class_id == top_class_id))
            .order_by(drawn.c.frame_id, class_id)
        )
        return self.database.fetch(query).to_pandas()

    def _current(self, table: sa.Table, version: sa.ColumnElement[bool], of: Sequence[Video]) -> pd.DataFrame:
        current = {video.video_id: video.frames_version for video in of}
        parts = [
            self.database.fetch(sa.select(table).where(version, table.c.video_id.in_(ids))).to_pandas()
            for ids in in_chunks(sorted(current))
        ]
        if not parts:
            return pd.DataFrame(columns=[column.name for column in table.columns])
        rows = pd.concat(parts, ignore_index=True).sort_values("video_id", ignore_index=True)
        return rows[rows["frames_version"] == rows["video_id"].map(current)].reset_index(drop=True)

    def _replace(self, table: sa.Table, version: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        with self.database.write() as connection:
            for part in in_chunks(rows):
                for value in {row[version] for row in part}:
                    ids = [row["video_id"] for row in part if row[version] == value]
                    stale = sa.delete(table).where(table.c[version] == value, table.c.video_id.in_(ids))
                    connection.execute(stale)
            connection.execute(sa.insert(table), list(rows))


def _sum(column: sa.ColumnElement[Any]) -> sa.ColumnElement[float]:
    return sa.func.sum(sa.cast(column, sa.Double), type_=sa.Double())


_FIRST = sa.cast(videos.c.video_no, sa.BigInteger) * FRAMES_PER_VIDEO
_SUMS = (
    sa.select(
        videos.c.video_id,
        frame_scores.c.top_class_id,
        sa.func.count().label("frames"),
        *(_sum(frame_scores.c[name]).label(name) for name in ("confidence", "margin", "entropy")),
    )
    .select_from(videos)
    .join(frame_scores, frame_scores.c.frame_id.between(_FIRST, _FIRST + (FRAMES_PER_VIDEO - 1)))
)


def _means(own: pd.DataFrame) -> dict[str, Any]:
    """A row's numbers from those of its classes."""
    frames_scored = int(own["frames"].sum())
    counts = {str(int(c)): int(n) for c, n in zip(own["top_class_id"], own["frames"], strict=True)}
    means = {name: float(own[name].sum() / frames_scored) for name in ("confidence", "margin", "entropy")}
    return {"frames": frames_scored, **means, "class_frames": json.dumps(counts)}

"""What frames are sliced by, metrics of slices, and frames of a slice to choose from. No statistics, no strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.videos import READABLE
from resources.tables import (
    frames,
    predictions,
    selection_batches,
    selections,
    slice_metrics,
    videos,
)


@dataclass(frozen=True)
class SliceQueries:
    """Reads of `slice_metrics`, and of frames by what they are sliced by."""

    database: Database

    def facts(self, frame_ids: Sequence[int]) -> pd.DataFrame:
        """site, camera, recorded_at, pts_ms and brightness of the named frames, by frame_id, ascending."""
        query = sa.select(
            frames.c.frame_id,
            videos.c.site,
            videos.c.camera,
            videos.c.recorded_at,
            frames.c.pts_ms,
            frames.c.brightness,
        ).join(videos, videos.c.video_id == frames.c.video_id)
        parts = [
            self.database.fetch(query.where(frames.c.frame_id.in_(ids)))
            for ids in in_chunks(sorted(set(frame_ids)))
        ]
        table = pa.concat_tables(parts) if parts else self.database.fetch(query.limit(0))
        return table.sort_by("frame_id").to_pandas().set_index("frame_id")

    def training_videos(self) -> pd.DataFrame:
        """video_no, video_id, site, camera, recorded_at and duration_ms of readable training videos."""
        columns = ("video_no", "video_id", "site", "camera", "recorded_at", "duration_ms")
        query = sa.select(*(videos.c[name] for name in columns)).where(
            videos.c.split == "train", videos.c.status.in_(READABLE)
        )
        return self.database.fetch(query.order_by(videos.c.video_no)).to_pandas()

    def frames_of(self, video_no: int) -> np.ndarray:
        """Frames of a video that repeat no earlier one: (n,) int64, ascending. Uses the clustered key."""
        first, last = frame_range(video_no)
        query = sa.select(frames.c.frame_id).where(
            frames.c.frame_id.between(first, last), frames.c.duplicate_of.is_(None)
        )
        return self.database.fetch(query.order_by(frames.c.frame_id))["frame_id"].to_numpy()

    def predicted(self, checkpoint_id: str, frame_ids: Sequence[int]) -> pa.Table:
        """frame_id and class_id of what a checkpoint predicts on the named frames."""
        query = sa.select(predictions.c.frame_id, predictions.c.class_id).where(
            predictions.c.checkpoint_id == checkpoint_id
        )
        parts = [
            self.database.fetch(query.where(predictions.c.frame_id.in_(ids)))
            for ids in in_chunks(sorted(set(frame_ids)))
        ]
        return pa.concat_tables(parts) if parts else self.database.fetch(query.limit(0))

    def predicted_as(
        self, checkpoint_id: str, class_ids: Sequence[int], limit: int, start: int = 0
    ) -> np.ndarray:
        """Frames on which a checkpoint predicts one of these classes: (n,) int64, the first `limit` of those whose
        frame_id is `start` or higher, then of the others.

        No index leads to a class: a rare one costs a pass over the predictions, in the order they are stored.
        """
        query = (
            sa.select(predictions.c.frame_id)
            .where(predictions.c.checkpoint_id == checkpoint_id, predictions.c.class_id.in_(list(class_ids)))
            .order_by(predictions.c.frame_id)
        )
        found: list[int] = []
        for part in (predictions.c.frame_id >= start, predictions.c.frame_id < start):
            rows = self.database.fetch(query.where(part).limit(limit))["frame_id"].to_pylist()
            found += rows[: limit - len(found)]
        return np.unique(np.array(found, dtype=np.int64))

    def worse(self, checkpoint_id: str) -> list[tuple[str, str]]:
        """Dimension and slice of every slice on which a checkpoint was found worse than on the rest."""
        query = (
            sa.select(slice_metrics.c.dimension, slice_metrics.c.slice)
            .where(slice_metrics.c.checkpoint_id == checkpoint_id, slice_metrics.c.worse == 1)
            .distinct()
            .order_by(slice_metrics.c.dimension, slice_metrics.c.slice)
        )
        with self.database.read() as connection:
            return [(str(dimension), str(name)) for dimension, name in connection.execute(query)]

    def metrics(self, checkpoint_id: str) -> pd.DataFrame:
        """All metrics of a checkpoint's slices, the slices that are worse first, the largest gap first."""
        query = sa.select(slice_metrics).where(slice_metrics.c.checkpoint_id == checkpoint_id)
        table = self.database.fetch(query).to_pandas()
        order = ["worse", "difference", "dimension", "slice", "metric"]
        return table.sort_values(order, ascending=[False, True, True, True, True], ignore_index=True)

    def drawn_on(self, checkpoint_id: str) -> set[str]:
        """Videos of which the strategy put a frame into a batch while this checkpoint served."""
        query = (
            sa.select(frames.c.video_id)
            .join(selections, selections.c.frame_id == frames.c.frame_id)
            .join(selection_batches, selection_batches.c.batch_id == selections.c.batch_id)
            .where(selection_batches.c.checkpoint_id == checkpoint_id, selections.c.arm == "strategy")
            .distinct()
        )
        with self.database.read() as connection:
            return set(connection.scalars(query))

    def chosen_by(self, batch_id: int, arm: str) -> dict[int, str]:
        """frame_id -> reason of an arm's frames in a batch."""
        query = sa.select(selections.c.frame_id, selections.c.reason)
        with self.database.read() as connection:
            rows = connection.execute(query.where(selections.c.batch_id == batch_id, selections.c.arm == arm))
            return {int(key): str(reason) for key, reason in rows}

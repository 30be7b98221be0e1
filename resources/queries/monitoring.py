"""Drift results, and the numbers that checks and `al status` show. No statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources import restrictions
from resources.database import Database
from resources.partition_rows import of_partitions
from resources.queries.videos import READABLE
from resources.table_metadata import PREVIEW_ROWS, column_schema, preview
from resources.tables import drift_results, frames, metadata, selections, training_sets, videos

VIDEO_DRIFT = "new_videos_resemble_the_training_data"
"""Name under which the comparison of single videos is kept in `drift_results`."""


@dataclass(frozen=True)
class MonitoringQueries:
    """Reads and changes of `drift_results`; counts over all tables."""

    database: Database

    def record_drift(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write results; the same check of the same subject against the same reference replaces its own."""
        keys = {(row["check_name"], row["subject"], row["reference_id"]) for row in rows}
        with self.database.write() as connection:
            for check, subject, reference in sorted(keys):
                connection.execute(
                    sa.delete(drift_results).where(
                        drift_results.c.check_name == check,
                        drift_results.c.subject == subject,
                        drift_results.c.reference_id == reference,
                    )
                )
            if rows:
                connection.execute(sa.insert(drift_results), list(rows))

    def drift(self, check_name: str, reference_id: str) -> pd.DataFrame:
        """Results of a check against a reference."""
        query = sa.select(drift_results).where(
            drift_results.c.check_name == check_name, drift_results.c.reference_id == reference_id
        )
        return self.database.fetch(
            query.order_by(drift_results.c.subject, drift_results.c.statistic)
        ).to_pandas()

    def videos_adrift(self, checkpoint_id: str) -> list[str]:
        """Readable videos that drift by the newest comparison with what a checkpoint was trained on, by video_id."""
        query = (
            sa.select(videos.c.video_id)
            .distinct()
            .join(drift_results, drift_results.c.subject == videos.c.video_id)
            .where(
                drift_results.c.check_name == VIDEO_DRIFT,
                drift_results.c.reference_id == checkpoint_id,
                drift_results.c.drifted == 1,
                videos.c.status.in_(READABLE),
            )
            .order_by(videos.c.video_id)
        )
        with self.database.read() as connection:
            return list(connection.scalars(query))

    def quality(self, video_ids: Sequence[str]) -> pd.DataFrame:
        """Image quality of the frames of videos: frame_id, video_id, brightness, sharpness."""
        query = sa.select(frames.c.frame_id, frames.c.video_id, frames.c.brightness, frames.c.sharpness)
        parts = []
        for video_id in video_ids:
            rows = of_partitions(self.database, frames, [video_id])
            for condition in restrictions.conditions(frames, rows):
                found = self.database.fetch(query.where(*condition).order_by(frames.c.frame_id))
                parts.append(found.to_pandas())
        columns = ["frame_id", "video_id", "brightness", "sharpness"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    def light(self, video_no: int) -> np.ndarray:
        """Brightness and sharpness of a video's frames in order: (n, 2) float64."""
        span = frames.c.frame_id.between(*frame_range(video_no))
        query = sa.select(frames.c.brightness, frames.c.sharpness).where(span).order_by(frames.c.frame_id)
        parts = [np.array([tuple(row) for row in rows], np.float64) for rows in self.database.raw_rows(query)]
        return np.concatenate(parts) if parts else np.empty((0, 2))

    def trained_on(self, training_set_id: str) -> list[str]:
        """Videos with frames in the training part of a training set."""
        query = (
            sa.select(frames.c.video_id)
            .distinct()
            .join(training_sets, training_sets.c.frame_id == frames.c.frame_id)
            .where(training_sets.c.training_set_id == training_set_id, training_sets.c.split == "train")
        )
        with self.database.read() as connection:
            return sorted(connection.scalars(query))

    def leaks(self, training_set_id: str) -> int:
        """Rows of the training part that come from hold-out videos: must be none."""
        query = (
            sa.select(sa.func.count())
            .select_from(training_sets)
            .join(frames, frames.c.frame_id == training_sets.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(
                training_sets.c.training_set_id == training_set_id,
                training_sets.c.split == "train",
                videos.c.split != "train",
            )
        )
        with self.database.read() as connection:
            return int(connection.scalar(query) or 0)

    def misplaced_selections(self, batch_id: int) -> int:
        """Frames of hold-out videos in the training arms of a batch: must be none.

        A second opinion may be asked for on any judged frame.
        """
        query = (
            sa.select(sa.func.count())
            .select_from(selections)
            .join(frames, frames.c.frame_id == selections.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(selections.c.batch_id == batch_id)
            .where(
                sa.or_(
                    sa.and_(selections.c.arm == "evaluation", videos.c.split == "train"),
                    sa.and_(
                        selections.c.arm.not_in(("evaluation", "second_opinion")), videos.c.split != "train"
                    ),
                )
            )
        )
        with self.database.read() as connection:
            return int(connection.scalar(query) or 0)

    def first_labels_at(self) -> datetime | None:
        """When the first export was imported."""
        exports = metadata.tables["label_exports"]
        with self.database.read() as connection:
            return connection.scalar(sa.select(sa.func.min(exports.c.imported_at)))

    def counts(self, names: Sequence[str]) -> dict[str, int]:
        """Rows of the named tables."""
        with self.database.read() as connection:
            return {
                name: int(
                    connection.scalar(sa.select(sa.func.count()).select_from(metadata.tables[name])) or 0
                )
                for name in names
            }

    def table_metadata(self, name: str) -> dict[str, Any]:
        """Dagster metadata of a small table that is written by statement: rows, columns, its newest rows."""
        table = metadata.tables[name]
        newest = (
            sa.select(table).order_by(*(column.desc() for column in table.primary_key)).limit(PREVIEW_ROWS)
        )
        batches = self.database.fetch(newest).to_batches()
        return {
            "dagster/row_count": self.counts([name])[name],
            "dagster/table_name": name,
            "dagster/column_schema": column_schema(name),
            "preview": dg.MetadataValue.md(preview(batches[0] if batches else None)),
        }

    def view(self, name: str, limit: int | None = None) -> pd.DataFrame:
        """Rows of an analyst view."""
        query = sa.select(sa.text("*")).select_from(sa.table(name))
        query = query.limit(limit) if limit else query
        with self.database.read() as connection:
            result = connection.execute(query)
            return pd.DataFrame(result.fetchall(), columns=list(result.keys()))

    def query(self, text: str) -> pd.DataFrame:
        """Rows of a read-only statement from `sql/queries/`."""
        with self.database.read() as connection:
            result = connection.execute(sa.text(text))
            return pd.DataFrame(result.fetchall(), columns=list(result.keys()))

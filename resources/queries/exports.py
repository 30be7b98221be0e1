"""What exports read, all from one state of the database: rows of keys, and what the keys stand for. No file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.arrow_types import expression_type
from resources.database import Database
from resources.queries.videos import LIVE
from resources.tables import (
    annotations,
    checkpoints,
    classes,
    frame_scores,
    frames,
    label_exports,
    labels,
    materializations,
    predictions,
    serving,
    videos,
)

ROWS = 65_536
"""Rows a batch: some ten megabytes, and a good size for a row group of Parquet."""
BOX = ("box_x", "box_y", "box_width", "box_height")
_OF_FRAME = tuple(frames.c[name] for name in ("pts_ms", "width", "height", "image_path"))


class NothingToExportError(LookupError):
    """There is nothing of the kind; says what to do."""


@dataclass(frozen=True)
class ExportState:
    """One state of the database; every method reads the same one, however long it takes."""

    database: Database
    connection: sa.Connection

    def videos(self, site: str | None = None, video_id: str | None = None) -> pa.Table:
        """Videos that are part of the archive, or those of a site, or the one. Raises NothingToExportError."""
        names = ("video_no", "video_id", "path", "kind", "site", "camera", "recorded_at")
        query = sa.select(*(videos.c[name] for name in names)).where(videos.c.status.in_(LIVE))
        if site is not None:
            query = query.where(videos.c.site == site)
        if video_id is not None:
            query = query.where(videos.c.video_id == video_id)
        found = self._table(query.order_by(videos.c.video_no))
        if not found.num_rows and (site is not None or video_id is not None):
            named = " and ".join(
                f"{what} {value!r}" for what, value in (("site", site), ("id", video_id)) if value is not None
            )
            raise NothingToExportError(f"no video of the archive has {named}; see the table videos")
        return found

    def classes(self) -> pa.Table:
        """class_id, shown_class_id and name of every class, merged ones under what they count as."""
        shown = classes.alias("shown")
        query = (
            sa.select(
                classes.c.class_id,
                sa.func.coalesce(shown.c.class_id, classes.c.class_id).label("shown_class_id"),
                sa.func.coalesce(shown.c.name, classes.c.name).label("name"),
            )
            .outerjoin(shown, shown.c.class_id == classes.c.merged_into)
            .order_by(classes.c.class_id)
        )
        return self._table(query)

    def newest_write(self) -> tuple[int, datetime] | None:
        """Number and time of the newest committed write."""
        columns = sa.select(materializations.c.materialization_id, materializations.c.committed_at)
        newest = columns.order_by(materializations.c.materialization_id.desc()).limit(1)
        row = self.connection.execute(newest).one_or_none()
        return None if row is None else (int(row[0]), row[1])

    def undone_exports(self) -> Sequence[int]:
        """Exports whose judgements are out of effect."""
        query = sa.select(label_exports.c.export_id).where(label_exports.c.status == "undone")
        return list(self.connection.scalars(query))

    def checkpoint(self, checkpoint_id: str | None) -> tuple[str, str]:
        """Id and class_ids (JSON) of the named or else the serving checkpoint. Raises NothingToExportError."""
        if checkpoint_id is None:
            checkpoint_id = self.connection.scalar(sa.select(serving.c.checkpoint_id))
        if checkpoint_id is None:
            raise NothingToExportError(
                "no model serves yet, so there are no predictions; label a batch first, or name one by --checkpoint"
            )
        columns = sa.select(checkpoints.c.checkpoint_id, checkpoints.c.class_ids)
        row = self.connection.execute(
            columns.where(checkpoints.c.checkpoint_id == checkpoint_id)
        ).one_or_none()
        if row is None:
            raise NothingToExportError(
                f"no checkpoint {checkpoint_id!r}; `al checkpoints list` shows those there are"
            )
        return str(row[0]), str(row[1])

    def labels(self, video_no: int | None = None) -> Iterator[pa.RecordBatch]:
        """Current consensus per frame and judged class, in order of the key."""
        own = [labels.c[name] for name in ("class_id", "present", *BOX, "agreement", "annotators")]
        query = (
            sa.select(labels.c.frame_id, *_OF_FRAME, *own, labels.c.annotation_id, annotations.c.annotated_at)
            .join(frames, frames.c.frame_id == labels.c.frame_id)
            .outerjoin(annotations, annotations.c.annotation_id == labels.c.annotation_id)
            .order_by(labels.c.frame_id, labels.c.class_id)
        )
        return self._stream(query, labels, video_no)

    def predictions(self, checkpoint_id: str, video_no: int | None = None) -> Iterator[pa.RecordBatch]:
        """Scored frames of a checkpoint with their predicted instances, in order of the key."""
        own = [predictions.c[name] for name in ("instance", "class_id", "confidence", *BOX)]
        instances = sa.and_(
            predictions.c.checkpoint_id == frame_scores.c.checkpoint_id,
            predictions.c.frame_id == frame_scores.c.frame_id,
        )
        query = (
            sa.select(frame_scores.c.frame_id, *_OF_FRAME, *own)
            .join(frames, frames.c.frame_id == frame_scores.c.frame_id)
            .outerjoin(predictions, instances)
            # The clustered key of frame_scores and of predictions.
            .where(frame_scores.c.checkpoint_id == checkpoint_id)
            .order_by(frame_scores.c.frame_id, predictions.c.instance)
        )
        return self._stream(query, frame_scores, video_no)

    def _stream(
        self, query: sa.Select[tuple[object, ...]], table: sa.Table, video_no: int | None
    ) -> Iterator[pa.RecordBatch]:
        if video_no is not None:
            query = query.where(table.c.frame_id.between(*frame_range(video_no)))
        return self.database.stream_on(self.connection, query, ROWS)

    def _table(self, query: sa.Select[tuple[object, ...]]) -> pa.Table:
        return pa.Table.from_batches(
            list(self.database.stream_on(self.connection, query, ROWS)), schema=_schema(query)
        )


def _schema(query: sa.Select[tuple[object, ...]]) -> pa.Schema:
    """Arrow schema of a query's rows."""
    return pa.schema([(column.key, expression_type(column)) for column in query.selected_columns])


@contextmanager
def open_state(database: Database) -> Iterator[ExportState]:
    """The present state of the database, kept until the `with` block ends while others go on writing."""
    with database.read() as connection:
        yield ExportState(database, connection)

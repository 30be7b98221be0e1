"""Training sets, checkpoints, decisions and the serving pointer. No training, no scoring."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.tables import (
    checkpoints,
    classes,
    evaluations,
    frames,
    labels,
    materializations,
    predictions,
    promotions,
    serving,
    training_sets,
    videos,
)


@dataclass(frozen=True)
class Checkpoint:
    """A row of `checkpoints`."""

    checkpoint_id: str
    parent_id: str | None
    embedder_id: str
    training_set_id: str
    task: str
    head: str
    class_ids: tuple[int, ...]
    labelled_frames: int
    uri: str
    sha256: str
    trained_at: datetime


class UnknownCheckpointError(LookupError):
    """No such checkpoint; the message lists those there are."""


@dataclass(frozen=True)
class ModelRegistry:
    """Reads and small changes of `training_sets`, `checkpoints`, `evaluations`, `promotions`, `serving`."""

    database: Database

    def labelled(self) -> pd.DataFrame:
        """Current labels with their split: frame_id, class_id, present, annotation_id, split, video_no.

        Labels of frames that are not sampled any more, or whose video was replaced, are left out; so are
        classes out of use, while merged classes count as what they were merged into.
        """
        query = (
            sa.select(
                labels.c.frame_id,
                sa.func.coalesce(classes.c.merged_into, labels.c.class_id).label("class_id"),
                labels.c.present,
                labels.c.annotation_id,
                videos.c.split,
                videos.c.video_no,
            )
            .join(frames, frames.c.frame_id == labels.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .join(classes, classes.c.class_id == labels.c.class_id)
            .where(classes.c.active == 1, videos.c.status.in_(("indexed", "partial")))
        )
        table = self.database.fetch(query).to_pandas()
        return table.groupby(["frame_id", "class_id", "split", "video_no"], as_index=False).agg(
            present=("present", "max"), annotation_id=("annotation_id", "max")
        )

    def latest_training_set(self) -> str | None:
        """Id of the training set committed last."""
        query = (
            sa.select(materializations.c.slice)
            .where(materializations.c.asset == "training_set")
            .order_by(materializations.c.materialization_id.desc())
            .limit(1)
        )
        with self.database.read() as connection:
            return connection.scalar(query)

    def training_set(self, training_set_id: str) -> pd.DataFrame:
        """Rows of a training set, in order of frame and class."""
        query = (
            sa.select(training_sets)
            .where(training_sets.c.training_set_id == training_set_id)
            .order_by(training_sets.c.frame_id, training_sets.c.class_id)
        )
        return self.database.fetch(query).to_pandas()

    def get(self, checkpoint_id: str) -> Checkpoint:
        """A checkpoint by id. Raises UnknownCheckpointError."""
        columns = [checkpoints.c[name] for name in Checkpoint.__dataclass_fields__]
        with self.database.read() as connection:
            row = connection.execute(
                sa.select(*columns).where(checkpoints.c.checkpoint_id == checkpoint_id)
            ).one_or_none()
        if row is None:
            known = ", ".join(c.checkpoint_id for c in self.all()) or "none yet"
            raise UnknownCheckpointError(f"no checkpoint {checkpoint_id!r}; there are: {known}")
        return self._checkpoint(row)

    def all(self) -> list[Checkpoint]:
        """All checkpoints, oldest first."""
        columns = [checkpoints.c[name] for name in Checkpoint.__dataclass_fields__]
        query = sa.select(*columns).order_by(checkpoints.c.trained_at, checkpoints.c.checkpoint_id)
        with self.database.read() as connection:
            return [self._checkpoint(row) for row in connection.execute(query)]

    def _checkpoint(self, row: Any) -> Checkpoint:
        fields = dict(row._mapping)
        return Checkpoint(**{**fields, "class_ids": tuple(json.loads(fields["class_ids"]))})

    def latest(self) -> Checkpoint | None:
        """The checkpoint trained last."""
        every = self.all()
        return every[-1] if every else None

    def serving(self) -> Checkpoint | None:
        """The checkpoint that every view follows."""
        with self.database.read() as connection:
            checkpoint_id = connection.scalar(sa.select(serving.c.checkpoint_id))
        return self.get(checkpoint_id) if checkpoint_id else None

    def target(self) -> Checkpoint | None:
        """The checkpoint that should serve: the one of the latest decision to promote."""
        query = (
            sa.select(promotions.c.checkpoint_id)
            .where(promotions.c.promoted == 1)
            .order_by(promotions.c.promotion_id.desc())
            .limit(1)
        )
        with self.database.read() as connection:
            checkpoint_id = connection.scalar(query)
        return self.get(checkpoint_id) if checkpoint_id else None

    def metric(self, checkpoint_id: str, metric: str, split: str = "test") -> tuple[float | None, int]:
        """Overall value of a metric and its support; (None, 0) where it was not evaluated."""
        query = sa.select(evaluations.c.value, evaluations.c.support).where(
            evaluations.c.checkpoint_id == checkpoint_id,
            evaluations.c.split == split,
            evaluations.c.metric == metric,
            evaluations.c.class_id == 0,
        )
        with self.database.read() as connection:
            row = connection.execute(query).one_or_none()
        return (row.value, row.support) if row else (None, 0)

    def evaluations(self, checkpoint_id: str) -> pd.DataFrame:
        """All metrics of a checkpoint."""
        query = sa.select(evaluations).where(evaluations.c.checkpoint_id == checkpoint_id)
        return self.database.fetch(query.order_by(evaluations.c.split, evaluations.c.metric)).to_pandas()

    def decide(
        self, checkpoint_id: str, *, promoted: bool, reason: str, by: str, run_id: str | None, now: datetime
    ) -> int:
        """Write a decision; a retried run replaces its own. Returns the promotion_id."""
        with self.database.write() as connection:
            serving_id = connection.scalar(sa.select(serving.c.checkpoint_id))
            if run_id is not None:
                connection.execute(
                    sa.delete(promotions).where(
                        promotions.c.run_id == run_id, promotions.c.checkpoint_id == checkpoint_id
                    )
                )
            last = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(promotions.c.promotion_id), 0)))
            row: dict[str, Any] = {
                "promotion_id": int(last or 0) + 1,
                "checkpoint_id": checkpoint_id,
                "serving_id": serving_id,
                "promoted": int(promoted),
                "reason": reason,
                "decided_by": by,
                "run_id": run_id,
                "decided_at": now,
            }
            connection.execute(sa.insert(promotions).values(row))
            return int(row["promotion_id"])

    def trained_again(self, checkpoint_id: str, now: datetime) -> bool:
        """Whether the checkpoint stands already; it becomes the newest again where another was trained since.

        Its parent, its run and its history stay as they were.
        """
        newest = self.latest()
        with self.database.write() as connection:
            row = checkpoints.c.checkpoint_id == checkpoint_id
            known = bool(connection.scalar(sa.select(sa.func.count()).where(row)))
            if known and newest is not None and newest.checkpoint_id != checkpoint_id:
                connection.execute(sa.update(checkpoints).where(row).values(trained_at=now))
            return known

    def is_settled(self, checkpoint: Checkpoint) -> bool:
        """Whether it was decided on since it was trained, or a person decided on any: people outrank the gate."""
        query = sa.select(sa.func.count()).where(
            promotions.c.decided_at >= checkpoint.trained_at,
            sa.or_(promotions.c.checkpoint_id == checkpoint.checkpoint_id, promotions.c.decided_by == "hand"),
        )
        with self.database.read() as connection:
            return bool(connection.scalar(query))

    def decisions(self) -> pd.DataFrame:
        """All decisions, oldest first."""
        return self.database.fetch(sa.select(promotions).order_by(promotions.c.promotion_id)).to_pandas()

    def previous_serving(self) -> str | None:
        """The checkpoint that served before the present one, by the record of decisions."""
        query = sa.select(promotions.c.checkpoint_id).where(promotions.c.promoted == 1)
        with self.database.read() as connection:
            current = connection.scalar(sa.select(serving.c.checkpoint_id))
            history = list(connection.scalars(query.order_by(promotions.c.promotion_id)))
        earlier = [checkpoint_id for checkpoint_id in history if checkpoint_id != current]
        return earlier[-1] if earlier else None

    def serve(self, checkpoint_id: str, now: datetime) -> bool:
        """Move the serving pointer in one transaction; returns whether it moved."""
        decision = sa.select(sa.func.max(promotions.c.promotion_id)).where(
            promotions.c.checkpoint_id == checkpoint_id, promotions.c.promoted == 1
        )
        with self.database.write() as connection:
            current = connection.scalar(sa.select(serving.c.checkpoint_id))
            if current == checkpoint_id:
                return False
            values = {
                "checkpoint_id": checkpoint_id,
                "promotion_id": connection.scalar(decision),
                "since_at": now,
            }
            if current is None:
                connection.execute(sa.insert(serving).values(slot=1, **values))
            else:
                connection.execute(sa.update(serving).where(serving.c.slot == 1).values(**values))
            return True

    def suggestions(self, checkpoint_id: str, frame_ids: Sequence[int]) -> dict[int, list[tuple[str, float]]]:
        """Predicted class names with confidence by frame, likeliest first."""
        query = (
            sa.select(predictions.c.frame_id, classes.c.name, predictions.c.confidence)
            .join(classes, classes.c.class_id == predictions.c.class_id)
            .where(predictions.c.checkpoint_id == checkpoint_id)
            .order_by(predictions.c.frame_id, predictions.c.confidence.desc())
        )
        found: dict[int, list[tuple[str, float]]] = {}
        with self.database.read() as connection:
            for part in in_chunks([int(key) for key in frame_ids]):
                for frame_id, name, confidence in connection.execute(
                    query.where(predictions.c.frame_id.in_(part))
                ):
                    found.setdefault(frame_id, []).append((name, float(confidence)))
        return found

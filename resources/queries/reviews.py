"""Judged frames that a person may be asked about again, and the reviews behind it. No scores are made here."""

from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa

from resources.database import Database
from resources.queries.videos import READABLE
from resources.tables import (
    annotation_labels,
    annotations,
    class_changes,
    classes,
    frames,
    implausible_labels,
    label_exports,
    second_opinions,
    selection_batches,
    selections,
    videos,
)


@dataclass(frozen=True)
class ReviewQueries:
    """Reads of `implausible_labels` and `second_opinions`."""

    database: Database

    def to_ask_again(self, checkpoint_id: str) -> pd.DataFrame:
        """Judged training frames that a person may be asked about again by a checkpoint's review, each at most once.

        frame_id, score, annotators, class_id and probability of its least plausible label (null where none is
        implausible), model_weight, annotator_weight. Of frames that people are divided on, or with such a label.
        """
        of = (
            second_opinions.c.checkpoint_id == checkpoint_id,
            implausible_labels.c.checkpoint_id == checkpoint_id,
        )
        worst = (
            sa.select(
                implausible_labels.c.frame_id, sa.func.min(implausible_labels.c.quality).label("quality")
            )
            .where(of[1])
            .group_by(implausible_labels.c.frame_id)
            .subquery()
        )
        asked = sa.select(selections.c.frame_id).where(selections.c.arm == "second_opinion")
        names = ("frame_id", "score", "annotators", "model_weight", "annotator_weight")
        columns = [second_opinions.c[name] for name in names]
        query = (
            sa.select(
                *columns,
                sa.func.min(implausible_labels.c.class_id).label("class_id"),
                sa.func.min(implausible_labels.c.probability).label("probability"),
            )
            .join(frames, frames.c.frame_id == second_opinions.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .outerjoin(worst, worst.c.frame_id == second_opinions.c.frame_id)
            .outerjoin(
                implausible_labels,
                sa.and_(
                    of[1],
                    implausible_labels.c.frame_id == worst.c.frame_id,
                    implausible_labels.c.quality == worst.c.quality,
                ),
            )
            .where(
                of[0],
                videos.c.split == "train",
                videos.c.status.in_(READABLE),
                sa.or_(second_opinions.c.divided == 1, worst.c.frame_id.is_not(None)),
                second_opinions.c.frame_id.not_in(asked),
            )
            .group_by(*columns)
            .order_by(second_opinions.c.score, second_opinions.c.frame_id)
        )
        return self.database.fetch(query).to_pandas()

    def reviewed(self) -> list[str]:
        """Checkpoints that there are reviews of."""
        query = sa.select(second_opinions.c.checkpoint_id).union(
            sa.select(implausible_labels.c.checkpoint_id)
        )
        with self.database.read() as connection:
            return sorted(connection.scalars(query))

    def of_split_classes(self) -> pd.DataFrame:
        """Frames whose last judgement names a class that was split since: frame_id, class_id.

        Of every split: no model chose them, so that hold-out labels stay what they were drawn as. Not those that a
        batch asks about already.
        """
        later = annotations.alias()
        live = sa.select(label_exports.c.export_id).where(label_exports.c.status == "imported")
        asked = (
            sa.select(selections.c.frame_id)
            .join(selection_batches, selection_batches.c.batch_id == selections.c.batch_id)
            .where(selections.c.frame_id == annotations.c.frame_id, selections.c.arm == "second_opinion")
            .where(selection_batches.c.created_at >= class_changes.c.changed_at)
        )
        query = (
            sa.select(annotations.c.frame_id, sa.func.min(classes.c.class_id).label("class_id"))
            .join(annotation_labels, annotation_labels.c.annotation_id == annotations.c.annotation_id)
            .join(classes, classes.c.class_id == annotation_labels.c.class_id)
            .join(class_changes, class_changes.c.class_id == classes.c.class_id)
            .join(frames, frames.c.frame_id == annotations.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(
                class_changes.c.change == "split",
                classes.c.active == 0,
                videos.c.status.in_(READABLE),
                annotations.c.export_id.in_(live),
                ~sa.exists().where(
                    later.c.frame_id == annotations.c.frame_id,
                    later.c.annotation_id > annotations.c.annotation_id,
                    later.c.export_id.in_(live),
                ),
                ~asked.exists(),
            )
            .group_by(annotations.c.frame_id)
            .order_by(annotations.c.frame_id)
        )
        return self.database.fetch(query).to_pandas()

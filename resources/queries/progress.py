"""What tells whether labelling still pays: answers of two models side by side, random draws, and the record of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import sqlalchemy as sa

from al_assets.keys import Task, frame_range
from resources.database import Database
from resources.queries.videos import READABLE
from resources.tables import frame_scores, labelling_progress, second_opinions, selections, videos

NOBODY = 0
"""Answer of a model that finds no class present."""


@dataclass(frozen=True)
class ModelsCompared:
    """Answers of a model and of an earlier one on the same frames.

    counts: (k, k) frames by answer of the one and the other. frames: scored by the model; margin: its mean over them,
    None without a frame.
    """

    counts: np.ndarray
    frames: int
    margin: float | None


@dataclass(frozen=True)
class ProgressQueries:
    """Reads of `labelling_progress` and of what goes into it."""

    database: Database

    def sample(self, limit: int) -> list[int]:
        """Numbers of so many videos of the archive; in the order of their hashes, which is as good as a draw."""
        query = (
            sa.select(videos.c.video_no)
            .where(videos.c.status.in_(READABLE))
            .order_by(videos.c.content_hash, videos.c.video_no)
            .limit(limit)
        )
        with self.database.read() as connection:
            return list(connection.scalars(query))

    def compare(
        self, checkpoint_id: str, earlier_id: str | None, video_nos: list[int], task: Task
    ) -> ModelsCompared:
        """Answers of a model and of the one before on the frames of some videos: a range of the key for each."""
        one, other = frame_scores.alias("one"), frame_scores.alias("other")
        scored = sa.select(sa.func.count(), sa.func.sum(one.c.margin)).where(
            one.c.checkpoint_id == checkpoint_id
        )
        answers = _answer(one, task).label("answer"), _answer(other, task).label("before")
        both = (
            sa.select(*answers)
            .join(other, sa.and_(other.c.frame_id == one.c.frame_id, other.c.checkpoint_id == earlier_id))
            .where(one.c.checkpoint_id == checkpoint_id)
        )
        parts: list[tuple[int, int]] = []
        frames, margin = 0, 0.0
        with self.database.read() as connection:
            for number in video_nos:
                within = one.c.frame_id.between(*frame_range(number))
                count, total = connection.execute(scored.where(within)).one()
                frames, margin = frames + count, margin + float(total or 0)
                if earlier_id is not None:
                    parts += [(now, before) for now, before in connection.execute(both.where(within))]
        table = pd.DataFrame(parts, columns=["answer", "before"])
        names = sorted({*table["answer"], *table["before"]})
        counts = pd.crosstab(table["answer"], table["before"]) if len(table) else pd.DataFrame()
        matrix = counts.reindex(index=names, columns=names, fill_value=0).to_numpy(dtype=np.float64)
        return ModelsCompared(matrix, frames, margin / frames if frames else None)

    def random_answers(self, checkpoint_id: str) -> pd.DataFrame:
        """Judged frames of random arms that the checkpoint's like was tried on: frame_id, model_right, propensity."""
        query = (
            sa.select(second_opinions.c.frame_id, second_opinions.c.model_right, selections.c.propensity)
            .join(selections, selections.c.frame_id == second_opinions.c.frame_id)
            .where(
                second_opinions.c.checkpoint_id == checkpoint_id,
                second_opinions.c.model_right.is_not(None),
                selections.c.arm == "random",
                selections.c.propensity > 0,
            )
            .order_by(second_opinions.c.frame_id)
        )
        return self.database.fetch(query).to_pandas()

    def history(self) -> pd.DataFrame:
        """All rows of `labelling_progress`, oldest first."""
        query = sa.select(labelling_progress).order_by(
            labelling_progress.c.measured_at, labelling_progress.c.checkpoint_id
        )
        return self.database.fetch(query).to_pandas()


def _answer(scores: sa.FromClause, task: Task) -> sa.ColumnElement[int]:
    """The class a model gives a frame: the likeliest, in multi_label only where it is likelier than not."""
    if task == "single_label":
        return scores.c.top_class_id
    return sa.case((scores.c.confidence >= 0.5, scores.c.top_class_id), else_=NOBODY)

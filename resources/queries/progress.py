"""What tells whether labelling still pays: answers of two models side by side, random draws, and the record of it."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.database import Database
from resources.queries.videos import READABLE
from resources.tables import (
    frame_scores,
    frames,
    labelling_progress,
    predictions,
    second_opinions,
    selection_batches,
    selections,
    video_coverage,
    videos,
)

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

    def scored_sample(self, checkpoint_id: str, wanted: int, limit: int = 1_000) -> list[int]:
        """Numbers of videos that a model has scored, in the order of `sample`: until they have `wanted` frames
        together, at least one and at most `limit`."""
        scored = sa.and_(
            video_coverage.c.asset == "predictions",
            video_coverage.c.version == checkpoint_id,
            video_coverage.c.video_id == videos.c.video_id,
        )
        query = (
            sa.select(videos.c.video_no, video_coverage.c.frames)
            .select_from(sa.join(videos, video_coverage, scored))
            .where(videos.c.status.in_(READABLE))
            .order_by(videos.c.content_hash, videos.c.video_no)
            .limit(limit)
        )
        found: list[int] = []
        with self.database.read() as connection:
            for video_no, count in connection.execute(query):
                if found and wanted <= 0:
                    break
                found.append(int(video_no))
                wanted -= int(count)
        return found

    def compare(self, checkpoint_id: str, earlier_id: str | None, video_nos: list[int]) -> ModelsCompared:
        """Answers of a model and of the one before on the frames of some videos: a range of the key for each.

        An answer is the first class that the model asserts by its own threshold, or none.
        """
        one, other = frame_scores.alias("one"), frame_scores.alias("other")
        now, before = predictions.alias("now"), predictions.alias("before")
        scored = sa.select(sa.func.count(), sa.func.sum(one.c.margin)).where(
            one.c.checkpoint_id == checkpoint_id
        )
        both = (
            sa.select(now.c.class_id, before.c.class_id, sa.func.count())
            .select_from(one)
            .join(other, sa.and_(other.c.frame_id == one.c.frame_id, other.c.checkpoint_id == earlier_id))
            .outerjoin(now, _first_of(now, one))
            .outerjoin(before, _first_of(before, other))
            .where(one.c.checkpoint_id == checkpoint_id)
            .group_by(now.c.class_id, before.c.class_id)
        )
        pairs: Counter[tuple[int, int]] = Counter()
        scored_frames, margin = 0, 0.0
        with self.database.read() as connection:
            for number in video_nos:
                within = one.c.frame_id.between(*frame_range(number))
                count, total = connection.execute(scored.where(within)).one()
                scored_frames, margin = scored_frames + count, margin + float(total or 0)
                if earlier_id is not None:
                    for new, old, seen in connection.execute(both.where(within)):
                        pairs[new or NOBODY, old or NOBODY] += seen
        names = sorted({name for pair in pairs for name in pair})
        counts = np.array([[pairs[new, old] for old in names] for new in names], dtype=np.float64)
        mean = margin / scored_frames if scored_frames else None
        return ModelsCompared(counts.reshape(len(names), len(names)), scored_frames, mean)

    def random_answers(self, checkpoint_id: str) -> pd.DataFrame:
        """Judged frames of random arms that the checkpoint's like was tried on: frame_id, model_right, propensity.

        propensity: chance that a random arm of any batch since the frame's video was there would have drawn it. A
        frame that was open in twenty batches had twenty chances, one of a new video few.
        """
        query = (
            sa.select(second_opinions.c.frame_id, second_opinions.c.model_right, videos.c.registered_at)
            .join(frames, frames.c.frame_id == second_opinions.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(
                second_opinions.c.checkpoint_id == checkpoint_id,
                second_opinions.c.model_right.is_not(None),
                second_opinions.c.frame_id.in_(_drawn_by("random")),
            )
            .order_by(second_opinions.c.frame_id)
        )
        return self._with_propensity(self.database.fetch(query).to_pandas(), "random")

    def evaluation_frames(self) -> pd.DataFrame:
        """Frames of hold-out videos that evaluation arms drew: frame_id, propensity, as `random_answers` has it."""
        query = (
            sa.select(frames.c.frame_id, videos.c.registered_at)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(
                frames.c.frame_id.in_(_drawn_by("evaluation")),
                videos.c.split.in_(("validation", "test")),
                videos.c.status.in_(READABLE),
            )
            .order_by(frames.c.frame_id)
        )
        return self._with_propensity(self.database.fetch(query).to_pandas(), "evaluation")

    def asked_frames(self) -> pd.DataFrame:
        """Frames of training videos by batch and arm, random and strategy: frame_id, batch_id, arm."""
        query = (
            sa.select(selections.c.frame_id, selections.c.batch_id, selections.c.arm)
            .join(frames, frames.c.frame_id == selections.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(
                selections.c.arm.in_(("random", "strategy")),
                videos.c.split == "train",
                videos.c.status.in_(READABLE),
            )
            .order_by(selections.c.batch_id, selections.c.frame_id)
        )
        return self.database.fetch(query).to_pandas()

    def _with_propensity(self, found: pd.DataFrame, arm: str) -> pd.DataFrame:
        chances = (
            sa.select(selection_batches.c.created_at, sa.func.max(selections.c.propensity))
            .join(selections, selections.c.batch_id == selection_batches.c.batch_id)
            .where(selections.c.arm == arm, selections.c.propensity > 0)
            .group_by(selection_batches.c.batch_id, selection_batches.c.created_at)
        )
        missed = np.ones(len(found))
        registered = pd.to_datetime(found.pop("registered_at")).to_numpy()
        with self.database.read() as connection:
            for made, chance in connection.execute(chances):
                missed *= np.where(registered <= np.datetime64(made), 1 - chance, 1.0)
        return found.assign(propensity=1 - missed)

    def history(self) -> pd.DataFrame:
        """All rows of `labelling_progress`, oldest first."""
        query = sa.select(labelling_progress).order_by(
            labelling_progress.c.measured_at, labelling_progress.c.checkpoint_id
        )
        return self.database.fetch(query).to_pandas()


def _drawn_by(arm: str) -> sa.Select[tuple[int]]:
    return sa.select(selections.c.frame_id).where(selections.c.arm == arm, selections.c.propensity > 0)


def _first_of(asserted: sa.FromClause, scores: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(
        asserted.c.checkpoint_id == scores.c.checkpoint_id,
        asserted.c.frame_id == scores.c.frame_id,
        asserted.c.instance == 0,
    )

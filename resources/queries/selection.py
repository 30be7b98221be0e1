"""Candidates for the next batch and what is already out with people. No strategy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.doubt import least_certain
from resources.queries.mining import Restriction, restriction
from resources.queries.open_frames import OpenFrames, answered, has_vector, held
from resources.queries.videos import READABLE
from resources.tables import (
    annotations,
    checkpoints,
    frames,
    label_exports,
    labels,
    passed_over,
    selection_batches,
    selections,
    videos,
)


@dataclass(frozen=True)
class SelectionQueries:
    """Reads of candidates, and of `selection_batches` and `selections`."""

    database: Database

    def open_frames(
        self, embedder_id: str, splits: Sequence[str], *, repeats: bool, only: Restriction | None = None
    ) -> pa.Table:
        """Frames nobody has judged and no batch holds: frame_id, pts_ms, in order of frame_id.

        repeats: whether near-identical frames (duplicate_of) are among them. only: those that it lets pass.
        """
        return self.database.fetch(self._open(embedder_id, splits, repeats=repeats, only=only))

    def open_among(
        self, embedder_id: str, frame_ids: Sequence[int], only: Restriction | None = None
    ) -> pa.Table:
        """Those of the named training frames that are open and no repeats, as open_frames gives them."""
        query = self._open(embedder_id, ["train"], repeats=False, only=only)
        chunks = in_chunks(sorted(set(frame_ids)))
        parts = [self.database.fetch(query.where(frames.c.frame_id.in_(ids))) for ids in chunks]
        return pa.concat_tables(parts) if parts else self.database.fetch(query.limit(0))

    def _open(
        self, embedder_id: str, splits: Sequence[str], *, repeats: bool, only: Restriction | None
    ) -> sa.Select[Any]:
        query = (
            sa.select(frames.c.frame_id, frames.c.pts_ms)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(
                videos.c.split.in_(list(splits)),
                videos.c.status.in_(READABLE),
                has_vector(embedder_id),
                frames.c.frame_id.not_in(answered()),
                frames.c.frame_id.not_in(sa.select(selections.c.frame_id)),
                *(only or Restriction()).conditions(),
            )
            .order_by(frames.c.frame_id)
        )
        if not repeats:
            query = query.where(frames.c.duplicate_of.is_(None))
        return query

    def population(
        self, embedder_id: str, splits: Sequence[str], *, repeats: bool, sites: Sequence[str] = ()
    ) -> OpenFrames:
        """The same frames, of these sites if any are named, to be counted and drawn from without naming them all."""
        return OpenFrames(self.database, embedder_id, tuple(splits), repeats, tuple(sites))

    def least_certain(
        self, checkpoint_id: str, limit: int, *, only: Restriction | None = None, minimum_gap_ms: int = 0
    ) -> np.ndarray:
        """Open training frames with the smallest margin, at least the gap apart in a video: (n,) int64."""
        return least_certain(
            self.database, checkpoint_id, limit, only=only or Restriction(), minimum_gap_ms=minimum_gap_ms
        )

    def sample(
        self, embedder_id: str, limit: int, only: Restriction, rng: np.random.Generator
    ) -> tuple[pa.Table, int]:
        """A uniform draw of `limit` open training frames that `only` lets pass, as open_frames gives them, and how
        many those are. Looks at every open frame: conditions on predictions have no index to be counted by."""
        query = self._open(embedder_id, ["train"], repeats=False, only=only)
        kept, priorities, count = self.database.fetch(query.limit(0)), np.empty(0), 0
        for batch in self.database.stream(query):
            count += batch.num_rows
            kept = pa.concat_tables([kept, pa.Table.from_batches([batch])])
            priorities = np.concatenate([priorities, rng.random(batch.num_rows)])
            if len(priorities) > limit:
                smallest = np.sort(np.argpartition(priorities, limit)[:limit])
                kept, priorities = kept.take(smallest).combine_chunks(), priorities[smallest]
        return kept, count

    def times(self, frame_ids: Sequence[int]) -> pa.Table:
        """frame_id and pts_ms of the named frames, in order of frame_id."""
        columns = sa.select(frames.c.frame_id, frames.c.pts_ms)
        parts = [
            self.database.fetch(columns.where(frames.c.frame_id.in_(ids)))
            for ids in in_chunks(sorted(set(frame_ids)))
        ]
        return pa.concat_tables(parts).sort_by("frame_id") if parts else self.database.fetch(columns.limit(0))

    def sites(self) -> dict[int, str]:
        """Sites of training videos by video_no; videos of unknown site are left out."""
        query = sa.select(videos.c.video_no, videos.c.site).where(
            videos.c.split == "train", videos.c.site.is_not(None)
        )
        with self.database.read() as connection:
            return {int(number): str(site) for number, site in connection.execute(query)}

    def restriction(self, checkpoint_id: str | None, **wanted: Any) -> Restriction:
        """What open frames must fulfil, by names (mining.restriction says which). Raises MiningError."""
        return restriction(self.database, checkpoint_id, **wanted)

    def taken(self) -> pa.Table:
        """Frames of training videos that are judged or queued: frame_id, pts_ms."""
        known = held()  # joined, not asked for by IN: SQLite would look at every frame
        query = (
            sa.select(frames.c.frame_id, frames.c.pts_ms)
            .join(known, known.c.frame_id == frames.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(videos.c.split == "train")
            .order_by(frames.c.frame_id)
        )
        return self.database.fetch(query)

    def _waits(self) -> sa.ColumnElement[bool]:
        """Whether a selected frame of a live video has no answer; asked again, none of an export that came since."""
        since = (
            sa.exists()
            .where(annotations.c.frame_id == selections.c.frame_id)
            .where(annotations.c.export_id == label_exports.c.export_id)
            .where(label_exports.c.status == "imported")
            .where(label_exports.c.registered_at >= selection_batches.c.created_at)
            .where(annotations.c.outcome != "deleted")
        )
        first = selections.c.arm != "second_opinion"
        return sa.and_(
            videos.c.status.in_(READABLE),
            sa.or_(sa.and_(first, selections.c.frame_id.not_in(answered())), sa.and_(~first, ~since)),
        )

    def open_tasks(self) -> int:
        """Selected frames that wait for an answer."""
        query = (
            sa.select(sa.func.count(sa.distinct(selections.c.frame_id)))
            .join(selection_batches, selection_batches.c.batch_id == selections.c.batch_id)
            .join(frames, frames.c.frame_id == selections.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(self._waits())
        )
        with self.database.read() as connection:
            return int(connection.scalar(query) or 0)

    def unanswered(self) -> pd.DataFrame:
        """Tasks that are written and wait for an answer, of live videos: batch_id, tasks_uri, and the frame."""
        query = (
            sa.select(
                selection_batches.c.batch_id,
                selection_batches.c.tasks_uri,
                selections.c.frame_id,
                frames.c.video_id,
                frames.c.frame_index,
            )
            .join(selections, selections.c.batch_id == selection_batches.c.batch_id)
            .join(frames, frames.c.frame_id == selections.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(selection_batches.c.tasks_uri.is_not(None), self._waits())
            .order_by(selection_batches.c.batch_id, selections.c.rank)
        )
        return self.database.fetch(query).to_pandas()

    def holdout_labels(self) -> int:
        """Frames of hold-out videos that have labels."""
        query = (
            sa.select(sa.func.count(sa.distinct(labels.c.frame_id)))
            .join(frames, frames.c.frame_id == labels.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(videos.c.split.in_(("validation", "test")), videos.c.status.in_(READABLE))
        )
        with self.database.read() as connection:
            return int(connection.scalar(query) or 0)

    def next_batch_id(self, run_id: str) -> int:
        """Number for the batch of a run: its own where it has one already (a retry), else the next."""
        with self.database.read() as connection:
            own = connection.scalar(
                sa.select(selection_batches.c.batch_id).where(selection_batches.c.run_id == run_id)
            )
            last = connection.scalar(
                sa.select(sa.func.coalesce(sa.func.max(selection_batches.c.batch_id), 0))
            )
        return int(own) if own is not None else int(last or 0) + 1

    def forget_unsent(self) -> list[int]:
        """Remove batches whose tasks never went out, so that their frames are free; their numbers.

        A run was cut off before its tasks, or a check kept the batch back: nobody has seen it.
        """
        unsent = sa.select(selection_batches.c.batch_id).where(selection_batches.c.tasks_uri.is_(None))
        with self.database.write() as connection:
            numbers = [int(number) for number in connection.scalars(unsent)]
            for number in numbers:
                for table in (passed_over, selections, selection_batches):
                    connection.execute(sa.delete(table).where(table.c.batch_id == number))
        return numbers

    def batch(self, batch_id: int) -> dict[str, Any] | None:
        """A batch as a row."""
        query = sa.select(selection_batches).where(selection_batches.c.batch_id == batch_id)
        with self.database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return dict(row) if row else None

    def latest_batch(self) -> dict[str, Any] | None:
        """The newest batch as a row."""
        query = sa.select(selection_batches).order_by(selection_batches.c.batch_id.desc()).limit(1)
        with self.database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return dict(row) if row else None

    def tasks_of(self, batch_id: int) -> pd.DataFrame:
        """Frames of a batch in order of rank, with their video, time and still."""
        query = (
            sa.select(
                selections.c.rank,
                selections.c.frame_id,
                selections.c.arm,
                frames.c.video_id,
                frames.c.frame_index,
                frames.c.pts_ms,
                frames.c.width,
                frames.c.height,
                frames.c.image_path,
                videos.c.path,
                videos.c.kind,
            )
            .join(frames, frames.c.frame_id == selections.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(selections.c.batch_id == batch_id)
            .order_by(selections.c.rank)
        )
        return self.database.fetch(query).to_pandas()

    def reasons(self, batch_id: int) -> pd.DataFrame:
        """Why each frame of a batch was chosen, in order of rank."""
        query = (
            sa.select(
                selections.c.rank,
                frames.c.video_id,
                frames.c.pts_ms,
                selections.c.arm,
                selections.c.score,
                selections.c.reason,
            )
            .join(frames, frames.c.frame_id == selections.c.frame_id)
            .where(selections.c.batch_id == batch_id)
            .order_by(selections.c.rank)
        )
        return self.database.fetch(query).to_pandas()

    def note_tasks(self, batch_id: int, tasks_uri: str) -> None:
        """Note where a batch's labelling tasks lie."""
        row = sa.update(selection_batches).where(selection_batches.c.batch_id == batch_id)
        with self.database.write() as connection:
            connection.execute(row.values(tasks_uri=tasks_uri))

    def count_batches(self) -> int:
        """Number of batches ever made."""
        with self.database.read() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(selection_batches)) or 0)

    def labels_since(self, moment: datetime | None) -> int:
        """Judged frames of exports imported after a moment; all of them for None."""
        query = (
            sa.select(sa.func.count(sa.distinct(annotations.c.frame_id)))
            .join(label_exports, label_exports.c.export_id == annotations.c.export_id)
            .where(label_exports.c.status == "imported")
        )
        if moment is not None:
            query = query.where(label_exports.c.imported_at > moment)
        with self.database.read() as connection:
            return int(connection.scalar(query) or 0)

    def checkpoint_age(self, checkpoint_id: str) -> datetime | None:
        """When a checkpoint was trained."""
        query = sa.select(checkpoints.c.trained_at).where(checkpoints.c.checkpoint_id == checkpoint_id)
        with self.database.read() as connection:
            return connection.scalar(query)

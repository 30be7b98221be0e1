"""Frames that nobody has judged and no batch holds: counted by video, drawn from, and ranked by doubt, never all named.

An archive may have tens of millions of them: what is held in memory here grows with videos, labels and what is asked
for. No strategy.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO, frame_range
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.mining import Restriction
from resources.queries.videos import READABLE
from resources.tables import (
    annotations,
    embeddings,
    frames,
    label_exports,
    selections,
    video_coverage,
    videos,
)

_FIRST = sa.cast(videos.c.video_no, sa.BigInteger) * FRAMES_PER_VIDEO
_IN_VIDEO = frames.c.frame_id.between(_FIRST, _FIRST + (FRAMES_PER_VIDEO - 1))
"""The frames of a video by their keys: a range of the clustered index. An outer join from `videos`, not an inner one:
SQLite would else look for the videos of each frame in turn, 100 s in place of 0.2 s for a million frames."""


class ChangedMeanwhileError(RuntimeError):
    """The archive changed between counting and drawing; the message says what to do."""


def answered() -> sa.Select[Any]:
    """Frames that a person has judged, in an export that stands."""
    return (
        sa.select(annotations.c.frame_id)
        .join(label_exports, label_exports.c.export_id == annotations.c.export_id)
        .where(label_exports.c.status == "imported")
    )


def held() -> sa.Subquery:
    """Frames that are judged or in a batch, each once."""
    return sa.union(answered(), sa.select(selections.c.frame_id)).subquery("held")


def has_vector(embedder_id: str) -> sa.ColumnElement[bool]:
    """Whether a frame has a vector by the embedder."""
    return sa.exists().where(
        embeddings.c.embedder_id == embedder_id, embeddings.c.frame_id == frames.c.frame_id
    )


@dataclass(frozen=True)
class OpenFrames:
    """Open frames of some splits in ascending order, which a draw may be made from (selection.population.Population).

    repeats: whether near-identical frames (duplicate_of) are among them. sites: only of these; empty for all. Counts
    are read once, when they are first asked for.
    """

    database: Database
    embedder_id: str
    splits: tuple[str, ...]
    repeats: bool
    sites: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many there are. Reads a key and a column of every frame of those videos, in the order they are stored."""
        return int(self._counts.sum())

    def clips(self) -> np.ndarray:
        """video_no of the videos that may hold them, ascending: (v,) int64."""
        return self._videos["video_no"].to_numpy()

    def take(self, places: np.ndarray) -> np.ndarray:
        """frame_ids at these places of the order. Reads the keys of the videos that they are in, one at a time."""
        ends = np.cumsum(self._counts)
        which = np.searchsorted(ends, places, side="right")
        offsets = places - (ends - self._counts)[which]
        found = np.empty(len(places), dtype=np.int64)
        by_video = np.argsort(which, kind="stable")
        runs = np.split(by_video, np.flatnonzero(np.diff(which[by_video])) + 1)
        with self.database.read() as connection:
            for wanted in runs if len(places) else []:
                found[wanted] = self._keys(connection, int(which[wanted[0]]))[offsets[wanted]]
        return found

    @cached_property
    def _videos(self) -> pa.Table:
        """video_no and how many of the frames have a vector, null where not all that there are now."""
        covered = sa.and_(
            video_coverage.c.asset == "embeddings",
            video_coverage.c.version == self.embedder_id,
            video_coverage.c.video_id == videos.c.video_id,
            video_coverage.c.frames_version == videos.c.frames_version,
        )
        query = (
            sa.select(sa.cast(videos.c.video_no, sa.BigInteger).label("video_no"), video_coverage.c.frames)
            .select_from(videos.outerjoin(video_coverage, covered))
            .where(*self._of_videos())
            .order_by(videos.c.video_no)
        )
        return self.database.fetch(query)

    def _of_videos(self) -> list[sa.ColumnElement[bool]]:
        return [
            videos.c.split.in_(self.splits),
            videos.c.status.in_(READABLE),
            *Restriction(sites=self.sites).conditions(),
        ]

    @cached_property
    def _whole(self) -> np.ndarray:
        """Of which videos every frame has a vector: (v,) bool."""
        covered = self._videos["frames"].fill_null(-1).to_numpy()
        return np.asarray(covered == self._in_all[0])

    def count_query(self) -> sa.Select[Any]:
        """Each video's frames (`all`), and those of them that are no repeats (`firsts`)."""
        first = sa.and_(frames.c.frame_id.is_not(None), frames.c.duplicate_of.is_(None))
        return (
            sa.select(
                videos.c.video_no,
                sa.func.count(frames.c.frame_id).label("all"),
                sa.func.sum(sa.case((first, 1), else_=0)).label("firsts"),
            )
            .select_from(videos.outerjoin(frames, _IN_VIDEO))
            .where(*self._of_videos())
            .group_by(videos.c.video_no)
        )

    @cached_property
    def _in_all(self) -> tuple[np.ndarray, np.ndarray]:
        """(v,) frames of each video, and those of them that are no repeats."""
        table = self.database.fetch(self.count_query())
        return self._by_video(table, "all"), self._by_video(table, "firsts")

    @cached_property
    def _held(self) -> np.ndarray:
        """Frames that would be open if they were not judged or in a batch: (m,) int64, ascending."""
        known = held()
        query = (
            sa.select(frames.c.frame_id)
            .join(known, known.c.frame_id == frames.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(*self._of_videos(), *self._of_frames(), has_vector(self.embedder_id))
            .order_by(frames.c.frame_id)
        )
        return self.database.fetch(query)["frame_id"].to_numpy()

    @cached_property
    def _counts(self) -> np.ndarray:
        """(v,) open frames of each video."""
        counts = self._in_all[0 if self.repeats else 1].copy()
        having = (*self._of_frames(), has_vector(self.embedder_id))
        partly = self.clips()[~self._whole & (self._in_all[0] > 0)]
        for numbers in in_chunks(partly.tolist()):
            query = (
                sa.select(videos.c.video_no, sa.func.count(frames.c.frame_id).label("having"))
                .select_from(videos.outerjoin(frames, sa.and_(_IN_VIDEO, *having)))
                .where(videos.c.video_no.in_(numbers))
                .group_by(videos.c.video_no)
            )
            here = np.searchsorted(self.clips(), numbers)
            counts[here] = self._by_video(self.database.fetch(query), "having")[here]
        holders = np.searchsorted(self.clips(), self._held // FRAMES_PER_VIDEO)
        return np.asarray(counts - np.bincount(holders, minlength=len(counts)))

    def _of_frames(self) -> list[sa.ColumnElement[bool]]:
        return [] if self.repeats else [frames.c.duplicate_of.is_(None)]

    def _by_video(self, table: pa.Table, column: str) -> np.ndarray:
        """A column of counts for each video, 0 where the table has none: (v,) int64."""
        found = np.zeros(len(self.clips()), dtype=np.int64)
        found[np.searchsorted(self.clips(), table["video_no"].to_numpy())] = table[column].to_numpy()
        return found

    @cached_property
    def _keys_of(self) -> tuple[sa.Select[Any], sa.Select[Any]]:
        """Keys of a video in order: of one where every frame has a vector, and of one where not. Made once."""
        within = frames.c.frame_id.between(sa.bindparam("first"), sa.bindparam("last"))
        query = sa.select(frames.c.frame_id).where(within, *self._of_frames()).order_by(frames.c.frame_id)
        return query, query.where(has_vector(self.embedder_id))

    def _keys(self, connection: sa.Connection, at: int) -> np.ndarray:
        """Open frames of the video at this place, ascending. Raises ChangedMeanwhileError."""
        number = int(self.clips()[at])
        first, last = frame_range(number)
        query = self._keys_of[0 if self._whole[at] else 1]
        rows = self.database.raw_rows_on(connection, query, {"first": first, "last": last})
        keys = np.array([key for part in rows for (key,) in part], dtype=np.int64)
        low, high = np.searchsorted(self._held, [first, last + 1])
        keys = np.setdiff1d(keys, self._held[low:high], assume_unique=True)
        if len(keys) != self._counts[at]:
            raise ChangedMeanwhileError(
                f"frames of video number {number} changed while a batch was drawn; run `select_batch` again"
            )
        return keys

"""Annotations as ballots: one vote per frame and annotator, as matrices over the classes. No decision.

Not here: which annotations stand (standing.py), and what the votes come to (consensus.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

CELLS = 4_000_000
"""Annotations times classes held at once: a few int8 matrices of this size, some tens of MB."""


def votes_of(annotations: pd.DataFrame) -> pd.DataFrame:
    """One annotation per frame and annotator, the latest, without those that cannot tell."""
    if annotations.empty:
        return annotations
    at = pd.to_datetime(annotations["annotated_at"], utc=True, format="ISO8601")
    ordered = annotations.assign(annotated_at=at).sort_values(
        ["annotated_at", "annotation_id"], na_position="first"
    )
    latest = ordered.drop_duplicates(["frame_id", "annotator"], keep="last")
    judged = latest[latest["outcome"].isin(["labelled", "nobody"])]
    return judged.sort_values("frame_id", kind="stable").reset_index(drop=True)


@dataclass(frozen=True)
class Said:
    """What people said: votes (of `votes_of`), their marks of the classes in use, and the classes ascending.

    since: class_id to the first export that could use the class; one not listed was always there.
    """

    votes: pd.DataFrame
    marks: pd.DataFrame
    classes: npt.NDArray[np.int64]
    since: Mapping[int, int]

    @classmethod
    def of(
        cls,
        annotations: pd.DataFrame,
        marks: pd.DataFrame,
        class_ids: Sequence[int],
        since: Mapping[int, int] | None = None,
    ) -> Said:
        """annotations, marks, class_ids, since: as for `consensus.consensus`."""
        classes = np.array(sorted(set(class_ids)), dtype=np.int64)
        votes = votes_of(annotations)
        kept = marks["annotation_id"].isin(votes["annotation_id"]) & marks["class_id"].isin(classes)
        return cls(votes, marks[kept], classes, since or {})

    def several(self) -> Said:
        """Of the frames only that several annotators judged."""
        votes = self.votes[self.votes.duplicated("frame_id", keep=False)].reset_index(drop=True)
        return Said(votes, self.marks, self.classes, self.since)

    def blocks(self) -> Iterator[Ballots]:
        """Ballots of whole frames, CELLS or a single frame at a time."""
        frames = self.votes["frame_id"].to_numpy()
        edges = np.flatnonzero(np.r_[True, frames[1:] != frames[:-1]]) if len(frames) else frames
        stride = max(1, CELLS // max(1, len(self.classes)))
        start = 0
        while start < len(edges):
            stop = max(start + 1, int(np.searchsorted(edges, edges[start] + stride)))
            last = edges[stop] if stop < len(edges) else len(frames)
            yield self.ballots(self.votes.iloc[edges[start] : last])
            start = stop

    def tally(self) -> Tally:
        """Votes for each class, and votes on it, of every judged frame."""
        # More than 32,767 annotators of one frame there are not.
        parts = [
            (block.frames, block.for_votes().astype(np.int16), block.voters().astype(np.int16))
            for block in self.blocks()
        ]
        empty = np.empty((0, len(self.classes)), np.int16)
        frames, present, judged = zip(*parts, (np.empty(0, np.int64), empty, empty), strict=True)
        return Tally(np.concatenate(frames), np.concatenate(present), np.concatenate(judged))

    def ballots(self, votes: pd.DataFrame) -> Ballots:
        """Some of the votes as matrices, or all of them at once."""
        marks = self.marks[self.marks["annotation_id"].isin(votes["annotation_id"])]
        row_of = pd.Series(np.arange(len(votes)), index=votes["annotation_id"].to_numpy())
        rows = row_of.loc[marks["annotation_id"].to_numpy()].to_numpy()
        present = np.zeros((len(votes), len(self.classes)), dtype=np.int8)
        present[rows, np.searchsorted(self.classes, marks["class_id"].to_numpy())] = 1
        judged = _judged(votes, self.classes, self.since) | (present == 1)
        frames, first = np.unique(votes["frame_id"].to_numpy(), return_index=True)
        return Ballots(votes, marks, rows, frames, first, present, judged)


@dataclass(frozen=True)
class Tally:
    """Counts of votes: frames (n,), ascending; present and judged (n, classes)."""

    frames: npt.NDArray[np.int64]
    present: npt.NDArray[np.int16]
    judged: npt.NDArray[np.int16]


@dataclass(frozen=True)
class Ballots:
    """Votes on some frames as matrices.

    present, judged: (n, classes); frames: (frames,) their ids; first: (frames,) where each one's votes begin; rows:
    (m,) vote of each mark.
    """

    votes: pd.DataFrame
    marks: pd.DataFrame
    rows: npt.NDArray[np.intp]
    frames: npt.NDArray[np.int64]
    first: npt.NDArray[np.intp]
    present: npt.NDArray[np.int8]
    judged: npt.NDArray[np.bool_]

    def for_votes(self) -> npt.NDArray[np.int32]:
        """(frames, classes): votes that say present."""
        return np.add.reduceat(self.present, self.first, axis=0, dtype=np.int32)

    def voters(self) -> npt.NDArray[np.int32]:
        """(frames, classes): votes that judged the class."""
        return np.add.reduceat(self.judged, self.first, axis=0, dtype=np.int32)

    def latest(self, vote: int) -> npt.NDArray[np.int64]:
        """(frames, classes): the latest annotation that says present (1) or absent (0) of a class; -1 for none."""
        ids = self.votes["annotation_id"].to_numpy(dtype=np.int64)[:, None]
        latest = np.maximum.reduceat(
            np.where(self.judged & (self.present == vote), ids, -1), self.first, axis=0
        )
        return np.asarray(latest, dtype=np.int64)

    def answers(self) -> npt.NDArray[np.int8]:
        """(n, 1 + classes): nobody, and each class."""
        return np.column_stack([self.present.sum(axis=1) == 0, self.present]).astype(np.int8)

    def said(self) -> npt.NDArray[np.int8]:
        """(n, classes): 1 present, 0 absent, -1 not judged."""
        return np.where(self.judged, self.present, -1).astype(np.int8)


def _judged(
    votes: pd.DataFrame, classes: npt.NDArray[np.int64], since: Mapping[int, int]
) -> npt.NDArray[np.bool_]:
    """Which classes each annotation judged: those it lists, or all that its export could use."""
    first_export = np.array([since.get(int(class_id), 0) for class_id in classes])
    judged: npt.NDArray[np.bool_] = votes["export_id"].to_numpy()[:, None] >= first_export[None, :]
    for row, listed in enumerate(votes["judged"]):
        if isinstance(listed, (list, tuple, np.ndarray)):
            judged[row] = np.isin(classes, np.asarray(listed, dtype=np.int64))
    return judged

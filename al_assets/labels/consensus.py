"""Votes of several annotators become one label per frame and judged class.

Not here: which annotations stand (annotations.standing) and what a training set makes of the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from al_assets.keys import Task
from al_assets.labels.ballots import Ballots, Said
from al_assets.labels.dawid_skene import (
    Reliability,
    fit_answers,
    fit_classes,
    posterior_of_answers,
    posterior_of_classes,
)

Rule = Literal["majority", "dawid_skene"]

LABEL_SCHEMA = pa.schema(
    [
        ("frame_id", pa.int64()),
        ("class_id", pa.int32()),
        ("present", pa.int8()),
        ("box_x", pa.float64()),
        ("box_y", pa.float64()),
        ("box_width", pa.float64()),
        ("box_height", pa.float64()),
        ("agreement", pa.float64()),
        ("annotators", pa.int32()),
        ("annotation_id", pa.int64()),
    ]
)
BOX_COLUMNS = ("box_x", "box_y", "box_width", "box_height")
TIED = 1e-9
"""Probabilities nearer than this are a tie."""


def consensus(
    annotations: pd.DataFrame,
    marks: pd.DataFrame,
    *,
    task: Task,
    class_ids: Sequence[int],
    since_export: Mapping[int, int] | None = None,
    rule: Rule = "majority",
) -> pa.Table:
    """LABEL_SCHEMA rows, ordered by frame_id and class_id.

    annotations: the standing ones, as `annotations.standing` gives them, with export_id and judged (None, or
    a sequence of class ids). marks: annotation_id, class_id, box_x, box_y, box_width, box_height (null: no
    box). class_ids: the classes in use; marks of others are left out. since_export: class_id to the first
    export that could use the class, so that "all classes" in an earlier one does not mean it; a class not
    listed was always there.

    An annotator has one vote a frame, the latest; "cannot tell" is no vote, "nobody" a vote against every
    class. majority: for multi_label of each class, for single_label the answer (a class, or nobody) with most
    votes. dawid_skene: where several judged a frame, the likelier side given how reliable each of them is
    found to be. A tie is not knowledge: it gives no row. agreement: share of the votes that say the same.
    annotation_id: the latest that says so. A box is that of the latest one on the winning side that drew exactly one
    for the class.
    """
    said = Said.of(annotations, marks, class_ids, since_export)
    if said.votes.empty or not len(said.classes):
        return LABEL_SCHEMA.empty_table()
    weigh = _Weighing.of(said.several(), task) if rule == "dawid_skene" else None
    tables = [_block(ballots, said.classes, task, weigh) for ballots in said.blocks()]
    return pa.concat_tables(tables).combine_chunks()


def _block(ballots: Ballots, classes: npt.NDArray[np.int64], task: Task, weigh: _Weighing | None) -> pa.Table:
    for_votes, voters = ballots.for_votes(), ballots.voters()
    decided = _single(ballots, voters) if task == "single_label" else _majority(for_votes, voters)
    if weigh is not None:
        weigh.decide(ballots, voters, decided)
    frame_at, class_at = np.nonzero(decided >= 0)
    won = decided[frame_at, class_at]
    count = voters[frame_at, class_at]
    agreeing = np.where(won == 1, for_votes[frame_at, class_at], count - for_votes[frame_at, class_at])
    labels = pd.DataFrame(
        {
            "frame_id": ballots.frames[frame_at],
            "class_id": classes[class_at],
            "present": won,
            "agreement": agreeing / count,
            "annotators": count,
            "annotation_id": np.where(
                won == 1, ballots.latest(1)[frame_at, class_at], ballots.latest(0)[frame_at, class_at]
            ),
        }
    )
    labels = labels.merge(_boxes(ballots), how="left", on=["frame_id", "class_id"])
    labels.loc[labels["present"] == 0, list(BOX_COLUMNS)] = np.nan
    return pa.Table.from_pandas(labels[LABEL_SCHEMA.names], schema=LABEL_SCHEMA, preserve_index=False)


@dataclass(frozen=True)
class _Weighing:
    """Dawid and Skene's model of who says what, from the frames that several annotators judged."""

    task: Task
    annotators: pd.Index
    found: Reliability

    @classmethod
    def of(cls, said: Said, task: Task) -> _Weighing | None:
        if said.votes.empty:
            return None
        annotators = pd.Index(sorted(set(said.votes["annotator"])))
        ballots = said.ballots(said.votes)
        who = annotators.get_indexer(pd.Index(said.votes["annotator"]))
        if task == "single_label":
            answer, answers = ballots.answers().argmax(axis=1), 1 + len(said.classes)
            found = fit_answers(who, answer, ballots.first, annotators=len(annotators), answers=answers)
        else:
            found = fit_classes(who, ballots.said(), ballots.first, annotators=len(annotators))
        return cls(task, annotators, found)

    def decide(self, ballots: Ballots, voters: npt.NDArray[np.int32], decided: npt.NDArray[np.int8]) -> None:
        """Decide the frames that several annotators judged, in place of the majority."""
        sizes = np.diff(np.r_[ballots.first, len(ballots.votes)])
        several = np.flatnonzero(sizes > 1)
        if not len(several):
            return
        rows = np.flatnonzero(np.repeat(sizes > 1, sizes))
        first = np.r_[0, np.cumsum(sizes[several])[:-1]]
        who = self.annotators.get_indexer(pd.Index(ballots.votes["annotator"].iloc[rows]))
        if self.task == "single_label":
            likely = posterior_of_answers(self.found, who, ballots.answers()[rows].argmax(axis=1), first)
            decided[several] = _likeliest(likely, voters[several])
        else:
            likely = posterior_of_classes(self.found, who, ballots.said()[rows], first)
            sides = np.where(likely > 0.5 + TIED, 1, np.where(likely < 0.5 - TIED, 0, -1))
            decided[several] = sides.astype(np.int8)


def _likeliest(likely: npt.NDArray[np.float64], voters: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """The likeliest answer of each frame, as `_single` gives it."""
    ranked = np.sort(likely, axis=1)
    decided = np.where(voters > 0, 0, -1).astype(np.int8)
    winner = likely.argmax(axis=1)
    named = np.flatnonzero(winner > 0)
    decided[named, winner[named] - 1] = 1
    decided[ranked[:, -1] - ranked[:, -2] <= TIED] = -1
    return decided


def _majority(for_votes: npt.NDArray[np.int32], voters: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """1 present, 0 absent, -1 nobody judged it or a tie."""
    decided = np.where(2 * for_votes > voters, 1, np.where(2 * for_votes < voters, 0, -1))
    return np.where(voters > 0, decided, -1).astype(np.int8)


def _single(ballots: Ballots, voters: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """The answer with most votes, where "nobody" is an answer too: 1 for it, 0 for the rest, -1 for a tie."""
    tally = np.add.reduceat(ballots.answers(), ballots.first, axis=0, dtype=np.int32)
    tied = (tally == tally.max(axis=1, keepdims=True)).sum(axis=1) > 1
    decided = np.zeros(voters.shape, dtype=np.int8)
    winner = tally.argmax(axis=1)
    named = np.flatnonzero(winner > 0)
    decided[named, winner[named] - 1] = 1
    decided[(voters == 0) & (decided == 0)] = -1
    decided[tied] = -1
    return decided


def _boxes(ballots: Ballots) -> pd.DataFrame:
    """The one box of the latest annotation per frame and class that drew exactly one."""
    votes, rows = ballots.votes, ballots.rows
    drawn = ballots.marks.assign(
        frame_id=votes["frame_id"].to_numpy()[rows], at=votes["annotated_at"].to_numpy()[rows]
    )
    drawn = drawn[drawn["box_x"].notna()]
    alone = drawn[~drawn.duplicated(["annotation_id", "class_id"], keep=False)]
    latest = alone.sort_values(["at", "annotation_id"], na_position="first").drop_duplicates(
        ["frame_id", "class_id"], keep="last"
    )
    return latest[["frame_id", "class_id", *BOX_COLUMNS]]

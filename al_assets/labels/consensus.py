"""Votes of several annotators become one label per frame and judged class.

Not here: which annotations stand (annotations.standing) and what a training set makes of the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from al_assets.keys import Task

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
    ]
)
BOX_COLUMNS = ("box_x", "box_y", "box_width", "box_height")
CELLS = 4_000_000
"""Annotations times classes held at once: a few int8 matrices of this size, some tens of MB."""


def consensus(
    annotations: pd.DataFrame,
    marks: pd.DataFrame,
    *,
    task: Task,
    class_ids: Sequence[int],
    since_export: Mapping[int, int] | None = None,
) -> pa.Table:
    """LABEL_SCHEMA rows, ordered by frame_id and class_id.

    annotations: the standing ones, as `annotations.standing` gives them, with export_id and judged (None, or
    a sequence of class ids). marks: annotation_id, class_id, box_x, box_y, box_width, box_height (null: no
    box). class_ids: the classes in use; marks of others are left out. since_export: class_id to the first
    export that could use the class, so that "all classes" in an earlier one does not mean it; a class not
    listed was always there.

    An annotator has one vote a frame, the latest; "cannot tell" is no vote, "nobody" a vote against every
    class. multi_label: the majority for each class. single_label: the answer (a class, or nobody) with most
    votes. A tie is not knowledge: it gives no row. agreement: share of the votes that say the same. A box is
    that of the latest annotation on the winning side that drew exactly one for the class.
    """
    classes = np.array(sorted(set(class_ids)), dtype=np.int64)
    votes = _votes(annotations)
    if votes.empty or not len(classes):
        return LABEL_SCHEMA.empty_table()
    frames = votes["frame_id"].to_numpy()
    marked = marks[marks["annotation_id"].isin(votes["annotation_id"]) & marks["class_id"].isin(classes)]
    edges = np.flatnonzero(np.r_[True, frames[1:] != frames[:-1]])
    stride = max(1, CELLS // len(classes))
    tables = []
    start = 0
    while start < len(edges):
        stop = max(start + 1, int(np.searchsorted(edges, edges[start] + stride)))
        last = edges[stop] if stop < len(edges) else len(votes)
        block = votes.iloc[edges[start] : last]
        tables.append(_block(block, marked, classes, task, since_export or {}))
        start = stop
    return pa.concat_tables(tables).combine_chunks()


def _votes(annotations: pd.DataFrame) -> pd.DataFrame:
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


def _block(
    votes: pd.DataFrame,
    marks: pd.DataFrame,
    classes: npt.NDArray[np.int64],
    task: Task,
    since: Mapping[int, int],
) -> pa.Table:
    marks = marks[marks["annotation_id"].isin(votes["annotation_id"])]
    row_of = pd.Series(np.arange(len(votes)), index=votes["annotation_id"].to_numpy())
    rows = row_of.loc[marks["annotation_id"].to_numpy()].to_numpy()
    columns = np.searchsorted(classes, marks["class_id"].to_numpy())
    present = np.zeros((len(votes), len(classes)), dtype=np.int32)
    present[rows, columns] = 1
    judged = _judged(votes, classes, since) | (present == 1)
    frames, first = np.unique(votes["frame_id"].to_numpy(), return_index=True)
    for_votes = np.add.reduceat(present, first, axis=0)
    voters = np.add.reduceat(judged.astype(np.int32), first, axis=0)
    decided = _single(present, first, voters) if task == "single_label" else _majority(for_votes, voters)
    frame_at, class_at = np.nonzero(decided >= 0)
    won = decided[frame_at, class_at]
    count = voters[frame_at, class_at]
    agreeing = np.where(won == 1, for_votes[frame_at, class_at], count - for_votes[frame_at, class_at])
    labels = pd.DataFrame(
        {
            "frame_id": frames[frame_at],
            "class_id": classes[class_at],
            "present": won,
            "agreement": agreeing / count,
            "annotators": count,
        }
    )
    labels = labels.merge(_boxes(votes, marks, rows), how="left", on=["frame_id", "class_id"])
    labels.loc[labels["present"] == 0, list(BOX_COLUMNS)] = np.nan
    return pa.Table.from_pandas(labels[LABEL_SCHEMA.names], schema=LABEL_SCHEMA, preserve_index=False)


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


def _majority(for_votes: npt.NDArray[np.int32], voters: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """1 present, 0 absent, -1 nobody judged it or a tie."""
    decided = np.where(2 * for_votes > voters, 1, np.where(2 * for_votes < voters, 0, -1))
    return np.where(voters > 0, decided, -1).astype(np.int8)


def _single(
    present: npt.NDArray[np.int32], first: npt.NDArray[np.intp], voters: npt.NDArray[np.int32]
) -> npt.NDArray[np.int8]:
    """The answer with most votes, where "nobody" is an answer too: 1 for it, 0 for the rest, -1 for a tie."""
    answers = np.column_stack([present.sum(axis=1) == 0, present]).astype(np.int32)
    tally = np.add.reduceat(answers, first, axis=0)
    tied = (tally == tally.max(axis=1, keepdims=True)).sum(axis=1) > 1
    decided = np.zeros(voters.shape, dtype=np.int8)
    winner = tally.argmax(axis=1)
    named = np.flatnonzero(winner > 0)
    decided[named, winner[named] - 1] = 1
    decided[(voters == 0) & (decided == 0)] = -1
    decided[tied] = -1
    return decided


def _boxes(votes: pd.DataFrame, marks: pd.DataFrame, rows: npt.NDArray[np.intp]) -> pd.DataFrame:
    """The one box of the latest annotation per frame and class that drew exactly one."""
    drawn = marks.assign(
        frame_id=votes["frame_id"].to_numpy()[rows], at=votes["annotated_at"].to_numpy()[rows]
    )
    drawn = drawn[drawn["box_x"].notna()]
    alone = drawn[~drawn.duplicated(["annotation_id", "class_id"], keep=False)]
    latest = alone.sort_values(["at", "annotation_id"], na_position="first").drop_duplicates(
        ["frame_id", "class_id"], keep="last"
    )
    return latest[["frame_id", "class_id", *BOX_COLUMNS]]

"""From current labels to a training set: its rows, its name, and its matrix of targets. No vectors, no model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from al_assets.keys import Task

COLUMNS = ["training_set_id", "frame_id", "class_id", "target", "split", "weight", "annotation_id"]


def build_training_set(labelled: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Name and rows (COLUMNS) of the training set that these labels make.

    labelled: frame_id, class_id, present, annotation_id, split. The name is a hash of the rows, so that the
    same labels always make the same training set.
    """
    rows = labelled.sort_values(["frame_id", "class_id"], ignore_index=True)
    digest = hashlib.sha256()
    for column in ("frame_id", "class_id", "present"):
        digest.update(np.ascontiguousarray(rows[column].to_numpy(dtype=np.int64)).tobytes())
    digest.update("\0".join(rows["split"]).encode())
    training_set_id = f"ts-{digest.hexdigest()[:12]}"
    rows = rows.assign(training_set_id=training_set_id, target=rows["present"], weight=1.0)
    return training_set_id, rows[COLUMNS]


def target_matrix(
    frame_ids: npt.ArrayLike, class_ids: npt.ArrayLike, targets: npt.ArrayLike, columns: Sequence[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]]:
    """((n,) frames ascending, (n, k) targets): 1 present, 0 judged absent, -1 not judged.

    frame_ids, class_ids, targets: one judged class of one frame each. columns: the k classes, in order;
    judgements of other classes are left out, and a frame with none but those has a row of -1.
    """
    keys, row_of = np.unique(np.asarray(frame_ids, dtype=np.int64), return_inverse=True)
    place = {class_id: column for column, class_id in enumerate(columns)}
    matrix = np.full((len(keys), len(columns)), -1, dtype=np.int8)
    column_of = np.array([place.get(int(class_id), -1) for class_id in np.asarray(class_ids)], dtype=np.int64)
    known = column_of >= 0
    matrix[row_of[known], column_of[known]] = np.asarray(targets, dtype=np.int8)[known]
    return keys, matrix


def answered_rows(targets: npt.NDArray[np.int8], task: Task) -> npt.NDArray[np.bool_]:
    """(n,) rows a model can learn from: any class judged; for single_label, exactly one present."""
    if task == "single_label":
        return np.asarray((targets == 1).sum(axis=1) == 1)
    return np.asarray((targets >= 0).any(axis=1))


def why_not_trainable(targets: npt.NDArray[np.int8], task: Task) -> str | None:
    """Why no model can be trained on these targets (n, k), or None where one can."""
    if not len(targets):
        return "no labelled frame in the training videos yet"
    positives = int(((targets == 1).any(axis=0)).sum())
    if positives == 0:
        return "no training label says that any class is present yet"
    if task == "single_label" and positives < 2:
        return "all training labels say the same class; label frames of a second one"
    return None

"""Labels that an out-of-sample model finds implausible: confident learning (Northcutt, Jiang, Chuang 2021).

By cleanlab. Nothing is changed here: a person decides what a label is. Not here: where the probabilities come from,
which must be of models that did not see the frame's clip.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task

Floats = npt.NDArray[np.floating]
DOUBTFUL = 0.1
"""Labels likelier than this are not listed: of a rare class, an honest model doubts most, and they are right."""
FEWEST = 5
"""Labels of each answer below which a class says nothing: a threshold of fewer is an accident."""


@dataclass(frozen=True)
class Implausible:
    """Labels to look at again, least plausible first; all (m,).

    row, column: place in the targets. probability: that the class is present. suggested: column of the class it
    looks like (single_label), -1 where the answer is just the other one. suggested_probability: NaN there.
    quality: probability of what the label says.
    """

    row: npt.NDArray[np.intp]
    column: npt.NDArray[np.intp]
    probability: npt.NDArray[np.float64]
    suggested: npt.NDArray[np.intp]
    suggested_probability: npt.NDArray[np.float64]
    quality: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Number of labels."""
        return len(self.row)


def implausible_labels(targets: npt.NDArray[np.int8], probabilities: Floats, *, task: Task) -> Implausible:
    """Labels that confident learning counts as likely errors and that the model finds very unlikely.

    Candidates, not verdicts: of labels that a calibrated model gives .1, one in ten is right.

    targets: (n, k), 1 present, 0 absent, -1 not judged; probabilities: (n, k), NaN where the model did not know
    the class. multi_label: each class by itself. single_label: rows with exactly one class, over the classes that
    all rows know. Raises ValueError for shapes that do not fit.
    """
    if targets.shape != probabilities.shape:
        raise ValueError(f"targets {targets.shape} and probabilities {probabilities.shape} do not fit")
    rows, columns, suggested = (
        _of_answers(targets, probabilities) if task == "single_label" else _of_classes(targets, probabilities)
    )
    probability = probabilities[rows, columns].astype(np.float64)
    looks = np.full(len(rows), np.nan)
    named = suggested >= 0
    looks[named] = probabilities[rows[named], suggested[named]]
    quality = np.where(targets[rows, columns] == 1, probability, 1 - probability)
    order = np.lexsort((columns, rows, quality))
    order = order[quality[order] <= DOUBTFUL]
    return Implausible(
        rows[order], columns[order], probability[order], suggested[order], looks[order], quality[order]
    )


Found = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]


def _of_classes(targets: npt.NDArray[np.int8], probabilities: Floats) -> Found:
    rows, columns = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    for column in range(targets.shape[1]):
        known = np.flatnonzero((targets[:, column] >= 0) & np.isfinite(probabilities[:, column]))
        given = targets[known, column].astype(np.int64)
        if min(np.bincount(given, minlength=2)) < FEWEST:
            continue
        present = probabilities[known, column].astype(np.float64)
        wrong = known[_issues(given, np.column_stack([1 - present, present]))]
        rows.append(wrong)
        columns.append(np.full(len(wrong), column, np.intp))
    found = np.concatenate(rows)
    return found, np.concatenate(columns), np.full(len(found), -1, np.intp)


def _of_answers(targets: npt.NDArray[np.int8], probabilities: Floats) -> Found:
    one = (targets == 1).sum(axis=1) == 1
    known = np.isfinite(probabilities[one]).all(axis=0) if one.any() else np.zeros(targets.shape[1], bool)
    common = known & ((targets[one] == 1).sum(axis=0) >= FEWEST)
    used = np.flatnonzero(common)
    rows = np.flatnonzero(one & (targets[:, used] == 1).any(axis=1))
    if len(used) < 2:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.intp)
    given = targets[np.ix_(rows, used)].argmax(axis=1)
    # Of the classes that are compared: what the model gives to others is no evidence between these.
    p = probabilities[np.ix_(rows, used)].astype(np.float64) + np.finfo(np.float32).tiny
    p /= p.sum(axis=1, keepdims=True)
    wrong = _issues(given, p)
    return rows[wrong], used[given[wrong]], used[p[wrong].argmax(axis=1)]


def _issues(given: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """(n,) whether each label is likely wrong, by the noise rates that the confident joint shows."""
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        # One process: the labels are few, and a pool of them would start anew for every class.
        issues = find_label_issues(given, probabilities, n_jobs=1, min_examples_per_class=FEWEST)
    return np.asarray(issues, dtype=np.bool_)

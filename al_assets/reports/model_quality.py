"""What a model gets right and wrong on the hold-out: bins of its probabilities, classes taken for one another.

Arrays in, small values out. Metrics with intervals are in `checkpoints/evaluation.py`; nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task

BINS = 10
CONFUSION_CLASSES = 20
NOTHING = "(nothing)"
"""Name of the row and column for frames on which nothing was missed, or nothing said falsely."""
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Bin:
    """Decisions of similar probability: mean probability given, share that is right, how many."""

    confidence: float
    right: float
    count: int


@dataclass(frozen=True)
class Value:
    """A metric with its 95 % interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ClassQuality:
    """Metrics of one class by name, and its labelled frames on the hold-out."""

    name: str
    positives: int
    measures: Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class Confusion:
    """Frames by class meant (rows) and class said (columns): counts (k, k); what rows and columns are, in words."""

    names: tuple[str, ...]
    counts: Floats
    meant: str
    said: str
    hidden: int
    """Classes left out, those of the smallest errors."""


def reliability(confidence: Floats, hits: Floats, bins: int = BINS) -> list[Bin]:
    """Decisions (n,) in equal-width bins of their probability, empty bins left out (DeGroot and Fienberg 1983)."""
    place = np.minimum((np.asarray(confidence) * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sure = np.bincount(place, weights=confidence, minlength=bins)
    right = np.bincount(place, weights=hits, minlength=bins)
    return [
        Bin(float(sure[at] / counts[at]), float(right[at] / counts[at]), int(counts[at]))
        for at in np.flatnonzero(counts)
    ]


def confusion_counts(decided: npt.NDArray[np.bool_], targets: npt.NDArray[np.int8], task: Task) -> Floats:
    """Frames (k, k) by class meant and class said.

    decided: (n, k) what the model says; targets: (n, k) in {1, 0, -1}, -1 for not judged. single-label: the labelled
    class against the likeliest. multi-label: the diagonal counts classes found; elsewhere a frame counts where the
    class of the row was missed and the class of the column, judged absent, was said; one more row and column, the
    last, count frames with a false class and none missed, and with a missed class and none false.
    """
    meant = targets == 1
    if task == "single_label":
        judged = decided & meant.any(axis=1, keepdims=True)
        return np.asarray(meant.astype(np.float64).T @ judged.astype(np.float64))
    missed, false = _with_nothing(meant & ~decided), _with_nothing((targets == 0) & decided)
    counts = missed.T @ false
    np.fill_diagonal(counts, [*(meant & decided).sum(axis=0), 0])
    return np.asarray(counts)


def _with_nothing(marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(n, k + 1): a last column that is 1 where the row has no mark."""
    return np.column_stack([marks, ~marks.any(axis=1)]).astype(np.float64)


def most_confused(
    counts: Floats, names: Sequence[str], task: Task, limit: int = CONFUSION_CLASSES
) -> Confusion:
    """The `limit` classes of the largest errors with their counterparts, in the order of their names.

    counts: as `confusion_counts` gives them; the row and column of nothing stay, and stand last.
    """
    nothing = [len(names)] if len(counts) > len(names) and counts[-1:].sum() + counts[:, -1:].sum() else []
    table, counts = counts, counts[: len(names), : len(names)]
    errors = counts - np.diag(np.diag(counts))
    wrong = errors.sum(axis=0) + errors.sum(axis=1)
    if nothing:
        wrong = wrong + table[-1, :-1] + table[:-1, -1]
    seen = np.flatnonzero(np.diag(counts) + wrong)
    order = _by_pairs(errors, seen[np.lexsort((seen, -np.diag(counts)[seen], -wrong[seen]))].tolist())
    kept = sorted(order[:limit], key=lambda at: names[at])
    said = "what the model says" if task == "single_label" else "said where it is not"
    meant = "what people say" if task == "single_label" else "missed (diagonal: found)"
    chosen = np.asarray([*kept, *nothing], dtype=np.int64)
    shown = (*(names[at] for at in kept), *([NOTHING] if nothing else []))
    return Confusion(shown, table[np.ix_(chosen, chosen)], meant, said, len(order) - len(kept))


def _by_pairs(errors: Floats, order: list[int]) -> list[int]:
    """Classes so that the two of a large error come together and first; the rest follow in their order."""
    rows, columns = np.nonzero(errors)
    largest = np.lexsort((columns, rows, -errors[rows, columns]))
    paired = np.column_stack([rows[largest], columns[largest]]).ravel()
    return list(dict.fromkeys([*paired.tolist(), *order]))

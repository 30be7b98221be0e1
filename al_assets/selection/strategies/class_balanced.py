"""Class-balanced doubt: frames that the model doubts, and that seem to show classes with few labels.

A greedy form of Bengar et al.: Class-Balanced Active Learning for Image Classification (2022), whose target for each
class acts here as a floor: a class that has its share neither adds to a frame's value nor takes from it. Not here: the
doubt (predictions/uncertainty.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.predictions.uncertainty import margin_uncertainty
from al_assets.selection.pool import Floats, Picks, Pool
from al_assets.selection.strategies.ranking import blocks, model_probabilities, seeded_order, wanted

NEEDS = frozenset({"probabilities"})
FLOOR = 20
"""Labelled frames that every class should have, unless an equal share of all labels is less."""
GREEDY = 4_096
"""Picks made one by one at most; further ones are ranked by the value they had then."""
FIRST = 256
"""Candidates whose value is brought up to date first; twice as many each time that is not enough."""
TIE = 1e-9
"""Values closer than this are equal, and the seeded order of frame_id decides."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks one by one by value, the doubt by margin plus `sum_c min(p_c, what class c lacks)`.

    What a class lacks is its floor, min(FLOOR, equal share of the labels there will be), less its labels, less the
    probabilities of the picks so far: what the batch is expected to bring. multi_label: a frame may serve several
    classes at once, the share counts presences, and the doubt is about the class nearest to a coin toss. Spare picks
    follow by their value after the last pick. Raises NoModelError while there are no probabilities.
    """
    count = wanted(pool, budget, spare)
    p = model_probabilities(pool, "class_balanced")
    ties = seeded_order(pool.frame_ids, rng).astype(np.float64) * (TIE / max(1, len(pool)))
    value = _Value(p, pool.task, lacking(pool.labelled_targets, p, budget, pool.task), ties)
    taken = [value.take() for _ in range(min(budget, count, GREEDY))]
    chosen = np.array([row for row, _, _ in taken], np.intp)
    value.refresh()
    rest = np.argsort(-value.key, kind="stable")[: count - len(chosen)]
    scores = np.concatenate([np.array([worth for _, worth, _ in taken]), value.key[rest]])
    columns = [column for _, _, column in taken] + [-1] * len(rest)
    reasons = [_reason(worth, column) for worth, column in zip(scores, columns, strict=True)]
    return Picks(np.concatenate([chosen, rest]), scores, reasons)


def lacking(
    targets: npt.NDArray[np.int8], probabilities: Floats, budget: int, task: Task
) -> npt.NDArray[np.float64]:
    """(k,) labels that each class lacks to its floor; targets: (m, k'), the model's classes first."""
    k = probabilities.shape[1]
    labels = np.zeros(k)
    there = (targets[:, :k] == 1).sum(axis=0)
    labels[: len(there)] = there
    a_frame = 1.0
    if task == "multi_label" and len(probabilities):
        a_frame = np.sort(probabilities.sum(axis=1, dtype=np.float64)).mean()
    share = (labels.sum() + budget * a_frame) / k
    return np.asarray(np.maximum(min(FLOOR, share) - labels, 0))


def _reason(worth: float, column: int) -> str:
    told = f"doubt and lacking classes {worth:.3f}"
    return told if column < 0 else f"{told}, most for the model's class number {column + 1}"


class _Value:
    """Value of each candidate as picks are made.

    Values only fall, so a stale one is an upper bound: a pick needs no more than those whose bounds are highest
    (lazy greedy, Minoux 1978). key: (n,) the bounds; -inf once picked.
    """

    def __init__(
        self, p: Floats, task: Task, lacks: npt.NDArray[np.float64], ties: npt.NDArray[np.float64]
    ) -> None:
        self.p, self.lacks, self.base = p, lacks, -ties
        for rows in blocks(len(p), p.shape[1]):
            self.base[rows] += margin_uncertainty(np.clip(p[rows], 0, 1), task)
        self.key = np.zeros(len(p))
        self.refresh()

    def take(self) -> tuple[int, float, int]:
        """The best candidate, its value, and the column of the class it serves most (-1: none)."""
        size, bound = FIRST, np.inf
        while True:
            first = np.arange(len(self.key))
            if size < len(first):
                first = np.argpartition(-self.key, size)
                bound = self.key[first[size]]
                first = first[:size]
            first = first[np.isfinite(self.key[first])]
            self.key[first] = self.base[first] + self._gain(first)
            best = int(first[self.key[first].argmax()])
            if size >= len(self.key) or self.key[best] >= bound:
                break
            size *= 2
        worth = float(self.key[best])
        gains = np.minimum(np.clip(self.p[best].astype(np.float64), 0, 1), self.lacks)
        self.lacks = self.lacks - gains
        self.key[best] = -np.inf
        return best, worth, int(gains.argmax()) if gains.max() > TIE else -1

    def refresh(self) -> None:
        """Bring all values up to date."""
        left = np.flatnonzero(np.isfinite(self.key))
        self.key[left] = self.base[left] + self._gain(left)

    def _gain(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        gain = np.empty(len(rows))
        for part in blocks(len(rows), self.p.shape[1]):
            chances = np.clip(self.p[rows[part]].astype(np.float64), 0, 1)
            gain[part] = np.minimum(chances, self.lacks).sum(axis=1)
        return gain

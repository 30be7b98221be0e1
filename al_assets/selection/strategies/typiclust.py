"""TypiClust: from each group of look-alikes its most typical frame (Hacohen et al. 2022).

For the start with few labels. Single-label and multi-label are the same: labels are only counted. Not here: k-means
(clustering.py), neighbours (neighbours.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.selection.clustering import assign, fit_centres, nearest_centre
from al_assets.selection.neighbours import nearest_others
from al_assets.selection.pool import Picks, Pool, unit_vectors
from al_assets.selection.rows import Places, UnitRows, complete, greedy_steps, seeded_rows
from al_assets.selection.strategies.ranking import wanted

CLUSTERS = 500
NEIGHBOURS = 20
SMALL = 5
"""Groups of so many frames or fewer come last: the paper drops them, we may have to fill the budget."""
EXACT = 4096
"""Members up to which typicality is that of the paper. In a larger group neighbours are sought in a random sample of
so many members and typicality is not counted anew after a pick."""
KEPT = 32
"""Neighbours remembered, so that the nearest 20 are still known after some of them were picked."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks in turns over min(labelled + budget, 500) groups, scored by typicality.

    Groups with fewest labelled frames first, then the largest; in each the frame of highest typicality,
    `1 / mean distance to its min(20, half the group) nearest` frames that are neither labelled nor picked.
    """
    count = wanted(pool, budget, spare)
    if not count:
        return Picks(np.empty(0, dtype=np.intp), np.empty(0), [])
    rows = seeded_rows(pool, rng)
    labelled = unit_vectors(pool.labelled_embeddings)
    clusters = max(1, min(budget + len(labelled), CLUSTERS))
    centres = fit_centres(rows, clusters, rng, beside=labelled)
    group, distance = assign(rows, centres)
    held = np.bincount(nearest_centre(labelled, centres)[0], minlength=len(centres)) if len(labelled) else 0
    chosen, scores, reasons = _by_turns(rows, group, np.zeros(len(centres), np.int64) + held, budget, count)
    return complete(
        rows,
        chosen,
        scores,
        reasons,
        count,
        1 - distance,
        "near the centre of its group, after one more typical",
    )


def _by_turns(
    rows: UnitRows, group: npt.NDArray[np.intp], held: npt.NDArray[np.int64], budget: int, count: int
) -> tuple[Places, npt.NDArray[np.float64], list[str]]:
    """Places, scores and reasons of the picks made one by one."""
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group, minlength=len(held))
    members = np.split(order, np.cumsum(sizes)[:-1])
    total = sizes + held
    queue = np.lexsort((-total, held, total <= SMALL))
    turns = [int(at) for at in queue if total[at] > SMALL] or [int(at) for at in queue if sizes[at]]
    last = [int(at) for at in queue if sizes[at] and at not in set(turns)]
    density: dict[int, _Density] = {}
    chosen: list[int] = []
    scores: list[float] = []
    reasons: list[str] = []
    left = sizes.copy()
    while len(chosen) < greedy_steps(budget, count):
        turns = [at for at in turns if left[at]]
        if not turns:
            turns, last = last, []
        for at in turns[: greedy_steps(budget, count) - len(chosen)]:
            if at not in density:
                density[at] = _Density(rows, members[at])
            place, score = density[at].most_typical()
            left[at] -= 1
            chosen.append(place)
            scores.append(score)
            reasons.append(f"most typical of a group of {sizes[at]} frames, {held[at]} labelled")
    return np.array(chosen, dtype=np.intp), np.array(scores), reasons


class _Density:
    """One group's frames with their nearest neighbours among those not picked yet."""

    def __init__(self, rows: UnitRows, members: Places) -> None:
        self.rows, self.members = rows, members
        self.alive = np.ones(len(members), dtype=bool)
        self.near, self.distances = self._lists()
        self.fixed: npt.NDArray[np.float32] | None = None
        if len(members) > EXACT:
            self.fixed = _inverse(self.distances[:, :NEIGHBOURS].mean(axis=1))
            self.near, self.distances = self.near[:0], self.distances[:0]

    def most_typical(self) -> tuple[int, float]:
        """The place of the most typical frame that is left, taken out, and its typicality."""
        found = self._typicality() if self.fixed is None else self.fixed
        best = int(np.where(self.alive, found, -np.inf).argmax())
        self.alive[best] = False
        return int(self.members[best]), float(found[best])

    def _typicality(self) -> npt.NDArray[np.float32]:
        k = min(NEIGHBOURS, int(self.alive.sum()) // 2)
        if not k:
            return np.zeros(len(self.members), dtype=np.float32)
        used = self._used(k)
        if (used.sum(axis=1) < k)[self.alive].any():
            self.near, self.distances = self._lists()
            used = self._used(k)
        return _inverse((self.distances * used).sum(axis=1) / k)

    def _used(self, k: int) -> npt.NDArray[np.bool_]:
        """Which of the remembered neighbours are the k nearest of those that are left."""
        open_ = self.alive[self.near]
        used: npt.NDArray[np.bool_] = open_ & (open_.cumsum(axis=1) <= k)
        return used

    def _lists(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Neighbours of those that are left and their distances, nearest first."""
        open_ = np.flatnonzero(self.alive)
        points = self.rows.take(self.members[open_])
        indices, found = nearest_others(points, points[:EXACT], KEPT)
        near = np.zeros((len(self.members), indices.shape[1]), dtype=np.int32)
        distances = np.zeros(near.shape, dtype=np.float32)
        near[open_], distances[open_] = open_[indices], found
        return near, distances


def _inverse(mean: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return (1 / (mean + 1e-5)).astype(np.float32)

"""Core-set: always the frame farthest from everything labelled or picked (k-center greedy; Sener and Savarese 2018).

The greedy rule is followed exactly, without looking at every frame for every pick. A distance to the nearest centre
only shrinks as centres are added, so a stale one is an upper bound: a few thousand frames of largest bound are brought
up to date in one matrix product and worked on until their best falls below the bounds of all others. Single-label and
multi-label are the same: no label and no probability is looked at. Not here: minimum distances (redundancy.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.selection.pool import Picks, Pool, unit_vectors
from al_assets.selection.rows import ROUNDING, Places, UnitRows, Vectors, complete, greedy_steps, seeded_rows
from al_assets.selection.strategies.ranking import wanted

WORKING = 4096
"""Frames kept up to date pick by pick: at 256 dimensions 4 MiB, which a processor's cache holds."""
CENTRES = 1024
FARTHEST = 2.0
"""1 - cosine of opposite vectors; what a frame scores while there is no centre."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by distance to the nearest labelled or picked frame, largest first; the score is half its square.

    Between unit vectors that is 1 - cosine. With no label the first pick is drawn. Once every frame left equals
    a centre the rest follows in a drawn order; spare picks beyond greedy_steps by the distances at hand.
    """
    count = wanted(pool, budget, spare)
    rows = seeded_rows(pool, rng)
    frontier = _Frontier(rows, unit_vectors(pool.labelled_embeddings))
    chosen, scores = frontier.farthest_first(greedy_steps(budget, count))
    reasons = [f"cosine distance {score:.3f} to the nearest labelled or picked frame" for score in scores]
    return complete(
        rows, chosen, scores, reasons, count, frontier.bound, "its distance to what is picked comes later"
    )


class _Frontier:
    """Upper bounds of each row's half squared distance to the nearest centre, brought up to date where it matters."""

    def __init__(self, rows: UnitRows, centres: Vectors) -> None:
        self.rows = rows
        self.centres = list(centres)
        self.bound = np.full(len(rows), FARTHEST, dtype=np.float32)
        self.known = np.zeros(len(rows), dtype=np.int32)  # centres that a row's bound accounts for

    def farthest_first(self, steps: int) -> tuple[Places, npt.NDArray[np.float64]]:
        """Places in the order of choice and their half squared distances, at most `steps`."""
        chosen: list[int] = []
        scores: list[float] = []
        while len(chosen) < steps:
            places, vectors, outside = self._working_set()
            near = self.bound[places]
            if near.max() <= 0 and outside <= 0:
                break
            lengths = np.einsum("ij,ij->i", vectors, vectors) / 2
            while len(chosen) < steps:
                best = int(near.argmax())
                if near[best] < outside or near[best] <= 0:
                    break
                chosen.append(int(places[best]))
                scores.append(float(near[best]))
                self.centres.append(vectors[best].copy())
                np.minimum(near, _half_squared(vectors @ vectors[best], lengths, lengths[best]), out=near)
                near[best] = -1.0
            self.bound[places] = near
            self.known[places] = len(self.centres)
        return np.array(chosen, dtype=np.intp), np.array(scores)

    def _working_set(self) -> tuple[Places, Vectors, float]:
        """Rows of largest bound, brought up to date, with their vectors and the largest bound among the others."""
        size, outside = min(WORKING, len(self.rows)), -1.0
        places = np.arange(len(self.rows))
        if size < len(self.rows):
            split = np.argpartition(-self.bound, size)
            places, outside = np.sort(split[:size]), float(self.bound[split[size]])
        vectors = self.rows.take(places)
        known = self.known[places]
        for seen in np.unique(known[known < len(self.centres)]).tolist():
            stale = np.flatnonzero(known == seen)
            self._update(places[stale], vectors[stale], seen)
        return places, vectors, outside

    def _update(self, places: Places, vectors: Vectors, seen: int) -> None:
        """The bounds of these rows, from the centres that they have not seen."""
        lengths = np.einsum("ij,ij->i", vectors, vectors) / 2
        near = self.bound[places]
        for start in range(seen, len(self.centres), CENTRES):
            centres = np.stack(self.centres[start : start + CENTRES])
            half = np.einsum("ij,ij->i", centres, centres) / 2
            nearest = (vectors @ centres.T - half).max(axis=1)
            np.minimum(near, _half_squared(nearest, lengths, np.float32(0)), out=near)
        self.bound[places] = near
        self.known[places] = len(self.centres)


def _half_squared(products: Vectors, lengths: Vectors, centre: np.float32) -> Vectors:
    """Half squared distances from products and half squared lengths; what rounding could make of 0 is 0."""
    found: Vectors = lengths + centre - products
    found[found < ROUNDING] = 0
    return found

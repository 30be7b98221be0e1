"""BADGE: frames whose gradients are large and unlike each other, drawn as k-means++ draws seeds (Ash et al. 2020).

The gradient of a frame's loss in the last layer, had the model's own answer been right, is the outer product of
`p - answer` (k) and the vector (d). Squared distances between such products follow from the two factors, so nothing of
k * d columns is ever made. Not here: other uses of gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.selection.pool import Floats, Picks, Pool
from al_assets.selection.rows import Places, UnitRows, Vectors, complete, greedy_steps, seeded_rows
from al_assets.selection.strategies.ranking import model_probabilities, wanted

NEEDS = frozenset({"probabilities"})
RENEW = 256
"""Picks after which all distances are brought up to date."""
REFUSED = 64
"""Refused draws after which they are, too."""
ROUNDING = 1e-5
"""Squared distances below this part of a gradient's own square are 0."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks drawn by squared distance to the nearest picked gradient, after the largest gradient; that is the score.

    single_label: answer is the likeliest class, one-hot. multi_label: the sum of the classes' binary logistic losses,
    answer is 1 for each class of 0.5 or more. Vectors have length 1. Labelled frames do not count, as in the paper.
    Once every gradient left equals a picked one, and beyond greedy_steps, the rest follows by the score at hand.
    Raises NoModelError without probabilities.
    """
    from threadpoolctl import threadpool_limits

    probabilities = model_probabilities(pool, "badge")
    count = wanted(pool, budget, spare)
    if not count:
        return Picks(np.empty(0, dtype=np.intp), np.empty(0), [])
    rows = seeded_rows(pool, rng)
    gradients = _Gradients(rows, probabilities, single=pool.task == "single_label")
    with threadpool_limits(
        limits=1
    ):  # several threads round otherwise, and a draw hangs on the sum of all distances
        chosen, scores = gradients.draw(greedy_steps(budget, count), rng)
    reasons = [f"gradient {np.sqrt(score):.3f} away from those picked before" for score in scores.tolist()]
    return complete(rows, chosen, scores, reasons, count, gradients.bound, "gradient near to a picked one")


@dataclass(frozen=True, eq=False)
class _Factors:
    """Gradients as the outer products of errors (n, k) and vectors (n, d), with their squared lengths (n,)."""

    vectors: Vectors
    errors: Vectors
    size: npt.NDArray[np.float64]

    def joined(self, other: _Factors) -> _Factors:
        return _Factors(
            np.concatenate([self.vectors, other.vectors]),
            np.concatenate([self.errors, other.errors]),
            np.concatenate([self.size, other.size]),
        )

    def nearest(self, others: _Factors) -> npt.NDArray[np.float64]:
        """Squared distance to the nearest of the others, infinite where there are none."""
        products = self.vectors @ others.vectors.T
        products *= self.errors @ others.errors.T
        apart: npt.NDArray[np.float64] = (others.size - 2 * products).min(axis=1, initial=np.inf)
        apart += self.size
        apart[apart < ROUNDING * self.size] = 0
        return apart


class _Gradients:
    """The pool's gradients, and an upper bound of each one's squared distance to the nearest picked."""

    def __init__(self, rows: UnitRows, probabilities: Floats, *, single: bool) -> None:
        self.rows, self.probabilities, self.single = rows, probabilities, single
        self.bound = np.empty(len(rows))
        for places, vectors in rows.blocks():
            self.bound[places] = self._factors(places, vectors).size

    def draw(self, steps: int, rng: np.random.Generator) -> tuple[Places, npt.NDArray[np.float64]]:
        """Places and squared distances of `steps` draws, fewer where all distances have become 0.

        A place is proposed by its bound and accepted with the chance distance / bound: that draws it by its
        distance exactly, while most distances stay unknown.
        """
        chosen = [int(self.bound.argmax())][:steps]
        scores = self.bound[chosen].tolist()
        self.bound[:] = np.inf
        self._renew(self._at(np.array(chosen, dtype=np.intp)), chosen)
        while len(chosen) < steps and self.bound.any():
            total, refused, known = np.cumsum(self.bound), 0, len(chosen)
            latest = self._at(np.empty(0, dtype=np.intp))
            while len(chosen) < min(steps, known + RENEW) and refused < REFUSED:
                place = _propose(total, rng)
                own = self._at(np.array([place]))
                true = min(float(self.bound[place]), float(own.nearest(latest)[0]))
                if place in chosen[known:] or rng.random() * self.bound[place] >= true:
                    refused += 1
                    continue
                chosen.append(place)
                scores.append(true)
                latest = latest.joined(own)
            self._renew(latest, chosen)
        return np.array(chosen, dtype=np.intp), np.array(scores)

    def _renew(self, latest: _Factors, chosen: list[int]) -> None:
        """All bounds from the latest picks: distances again."""
        for places, vectors in self.rows.blocks():
            apart = self._factors(places, vectors).nearest(latest)
            np.minimum(self.bound[places], apart, out=self.bound[places])
        self.bound[chosen] = 0.0

    def _at(self, places: Places) -> _Factors:
        return self._factors(places, self.rows.take(places))

    def _factors(self, places: Places | slice, vectors: Vectors) -> _Factors:
        """The factors of these rows; errors are p - answer."""
        errors = np.clip(self.probabilities[self.rows.order[places]], 0, 1).astype(np.float32)
        if self.single:
            errors[np.arange(len(errors)), errors.argmax(axis=1)] -= 1
        else:
            errors -= errors >= 0.5
        return _Factors(vectors, errors, (_squares(vectors) * _squares(errors)).astype(np.float64))


def _propose(total: npt.NDArray[np.float64], rng: np.random.Generator) -> int:
    """A place drawn by its share of the running total."""
    return min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(total) - 1)


def _squares(matrix: Vectors) -> Vectors:
    squares: Vectors = np.einsum("ij,ij->i", matrix, matrix)
    return squares

"""ProbCover: the frames whose balls of one radius cover most frames not covered yet (Yehuda et al. 2022).

For the start with few labels. Single-label and multi-label are the same: a labelled frame covers its ball whatever
its classes; k-means gives the pseudo-labels from which the radius comes. Not here: k-means (clustering.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.selection.clustering import assign, fit_centres
from al_assets.selection.neighbours import half_squared
from al_assets.selection.pool import Picks, Pool, unit_vectors
from al_assets.selection.rows import ROUNDING, Places, UnitRows, Vectors, complete, greedy_steps, seeded_rows
from al_assets.selection.strategies.ranking import wanted

PURITY = 0.95
"""Share of balls that must hold one pseudo-class only; the paper's value."""
EXACT = 20_000
"""Candidates up to which all are looked at; of more a random sample of so many covers and is covered."""
RADIUS_ROWS = 2_000
"""Balls looked at for the radius (a random sample of more; each against every frame)."""
SMALLEST = 2e-3
"""Below, float32 cannot tell frames apart; identical frames cover each other at any radius."""
LARGEST = 2.0
"""Distances between unit vectors end here."""
MOST_CLASSES = 100
ROWS = 256


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by how many frames (weighted by pool.weights) their ball newly covers, most first: that is the score.

    A frame covers what lies nearer than the radius, Euclidean between unit vectors (so 1 - cosine < radius^2 / 2).
    The radius is the largest at which 95 % of the balls are pure: the 5 % quantile of the distances to the nearest
    frame of another pseudo-class, one pseudo-class a class, at a cold start without known classes one a pick. Where
    everything is covered, and beyond greedy_steps, the rest follows in a drawn order.
    """
    count = wanted(pool, budget, spare)
    if not count:
        return Picks(np.empty(0, dtype=np.intp), np.empty(0), [])
    rows = seeded_rows(pool, rng)
    sample = UnitRows(rows.matrix, rows.order[:EXACT])
    classes = pool.labelled_targets.shape[1] if pool.probabilities is None else pool.probabilities.shape[1]
    centres = fit_centres(sample, max(2, min(budget if classes < 2 else classes, MOST_CLASSES)), rng)
    delta = radius(sample, assign(sample, centres)[0])
    weights = np.ones(len(sample)) if pool.weights is None else pool.weights[sample.order].astype(np.float64)
    covered = _covered(sample, unit_vectors(pool.labelled_embeddings), delta)
    chosen, gains = _greedy(_edges(sample, delta), weights, covered, greedy_steps(budget, count))
    reasons = [f"covers {gain:g} frames within {delta:.2f} that nothing covered" for gain in gains.tolist()]
    rest = np.zeros(len(rows))
    return complete(rows, chosen, gains, reasons, count, rest, "drawn, after what covers most")


def radius(rows: UnitRows, pseudo_class: npt.NDArray[np.intp]) -> float:
    """The largest radius at which the share PURITY of open balls holds one pseudo-class only, in [SMALLEST, LARGEST].

    A ball stays pure up to the nearest frame of another class, so no grid of radii is searched.
    """
    points = rows.take(np.arange(len(rows)))
    nearest = np.empty(min(RADIUS_ROWS, len(rows)), dtype=np.float32)
    for block, squared in half_squared(points[: len(nearest)], points):
        squared[pseudo_class[block, None] == pseudo_class] = np.inf
        nearest[block] = squared.min(axis=1)
    impure = np.sort(nearest)[int((1 - PURITY) * len(nearest) + 1e-9)]
    return float(np.clip(np.sqrt(2 * impure), SMALLEST, LARGEST))


def _reach(delta: float) -> float:
    """Half squared distance below which a frame is covered; the pair that set the radius is not, however rounded."""
    return delta**2 / 2 - ROUNDING


def _edges(rows: UnitRows, delta: float) -> npt.NDArray[np.uint8]:
    """Which rows lie within delta of which, one bit a pair: every row, the last block's too."""
    points = rows.take(np.arange(len(rows)))
    edges = np.empty((len(rows), -(-len(rows) // 8)), dtype=np.uint8)
    for block, squared in half_squared(points, points):
        edges[block] = np.packbits(squared < _reach(delta), axis=1)
    return edges


def _covered(rows: UnitRows, labelled: Vectors, delta: float) -> npt.NDArray[np.bool_]:
    """Rows within delta of a labelled frame."""
    covered = np.zeros(len(rows), dtype=bool)
    if len(labelled):
        for block, squared in half_squared(rows.take(np.arange(len(rows))), labelled):
            covered[block] = (squared < _reach(delta)).any(axis=1)
    return covered


def _greedy(
    edges: npt.NDArray[np.uint8], weights: npt.NDArray[np.float64], covered: npt.NDArray[np.bool_], steps: int
) -> tuple[Places, npt.NDArray[np.float64]]:
    """Rows of most weight newly covered, until none covers anything; each row leaves the sums once, when covered."""
    gains = np.zeros(len(edges))
    open_ = ~covered
    _add(gains, edges, np.flatnonzero(open_), weights)
    chosen: list[int] = []
    scores: list[float] = []
    while len(chosen) < steps and gains.max() > 0:
        best = int(gains.argmax())
        newly = np.flatnonzero(np.unpackbits(edges[best], count=len(edges)).astype(bool) & open_)
        gains[best] = -np.inf
        if not len(newly):  # what is left of its sum is rounding
            continue
        chosen.append(best)
        scores.append(float(weights[newly].sum()))
        _add(gains, edges, newly, -weights)
        open_[newly] = False
    return np.array(chosen, dtype=np.intp), np.array(scores)


def _add(
    gains: npt.NDArray[np.float64],
    edges: npt.NDArray[np.uint8],
    of: Places,
    weights: npt.NDArray[np.float64],
) -> None:
    """Adds the weight of these rows to all that they have an edge with (edges go both ways)."""
    for start in range(0, len(of), ROWS):
        part = of[start : start + ROWS]
        bits = np.unpackbits(edges[part], axis=1, count=len(gains))
        gains += weights[part].astype(np.float32) @ bits.astype(np.float32)

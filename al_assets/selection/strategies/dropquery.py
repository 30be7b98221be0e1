"""DropQuery: frames whose answer flips when values are dropped, one near each centre of them (Gupta et al. 2024).

Dropout on a frozen embedding asks a linear model for its doubt without its probabilities. Not here: k-means
(clustering.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.selection.clustering import assign, fit_centres, rank_within
from al_assets.selection.pool import Linear, Picks, Pool
from al_assets.selection.rows import UnitRows, Vectors, complete, seeded_rows
from al_assets.selection.strategies.ranking import linear_model, wanted

NEEDS = frozenset({"linear"})
PASSES = 3
KEPT = 64
"""Values kept of 256, chosen by a random byte each: dropout of 0.75, the paper's."""
MASKED_ROWS = 4096
"""Rows whose masks are drawn at once; part of the draw, so that another size gives other masks."""
CANDIDATES = 25
"""Candidates for each pick, at least: fewer and groups of budget frames would have no choice in them."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks of flipping frames, the nearest to each of `budget` centres of k-means on unit vectors.

    A frame flips in a pass where the model's answer with three quarters of the values dropped (the others scaled up)
    is another: single_label the likeliest class, multi_label the set of classes of 0.5 or more. Candidates flip in
    most passes; where they are fewer than 25 a pick, those that flip less often join. The score is half the squared
    distance to the centre taken from 1. Spare picks are the next nearest in each group, then the others by flips.
    Raises NoModelError without a linear model.
    """
    model = linear_model(pool, "dropquery")
    count = wanted(pool, budget, spare)
    if not count:
        return Picks(np.empty(0, dtype=np.intp), np.empty(0), [])
    rows = seeded_rows(pool, rng)
    times = flips(rows, model, pool.task, rng)
    least = PASSES // 2 + 1
    while least and (times >= least).sum() < min(CANDIDATES * max(1, budget), len(rows)):
        least -= 1
    candidates = np.flatnonzero(times >= least)
    among = UnitRows(rows.matrix, rows.order[candidates])
    group, distance = assign(among, fit_centres(among, max(1, budget), rng))
    size = np.bincount(group)
    order = np.lexsort((distance, group, -size[group], rank_within(group, distance)))[:count]
    reasons = [
        f"flips in {times[candidates[at]]} of {PASSES} passes, near the centre of {size[group[at]]} such frames"
        for at in order.tolist()
    ]
    scores = (1 - distance[order]).astype(np.float64)
    # Scores of the rest fall below those of all candidates.
    rest = -2.0 + times / (PASSES + 1)
    return complete(
        rows, candidates[order], scores, reasons, count, rest, "flips less often than the candidates"
    )


def flips(rows: UnitRows, model: Linear, task: Task, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """In how many of PASSES each row's answer differs from its answer without dropout."""
    times = np.empty(len(rows), dtype=np.int64)
    scale = np.float32(256 / KEPT)
    for start in range(0, len(rows), MASKED_ROWS):
        places = slice(start, min(start + MASKED_ROWS, len(rows)))
        vectors = rows.matrix[rows.order[places]].astype(np.float32)
        plain = _answers(vectors, model, task)
        count = np.zeros(len(vectors), dtype=np.int64)
        for _ in range(PASSES):
            kept = np.frombuffer(rng.bytes(vectors.size), dtype=np.uint8).reshape(vectors.shape) < KEPT
            count += (_answers(vectors * kept * scale, model, task) != plain).any(axis=1)
        times[places] = count
    return times


def _answers(vectors: Vectors, model: Linear, task: Task) -> npt.NDArray[np.intp] | npt.NDArray[np.bool_]:
    """(n, 1) likeliest class or (n, k) classes present."""
    logits = vectors @ model.weight.T + model.bias
    return logits.argmax(axis=1)[:, None] if task == "single_label" else logits >= 0

"""MaxHerding: the frames that bring the whole pool closest to what is picked or labelled (Bae et al. 2024).

For the start with few labels; less sensitive to its one parameter than ProbCover, whose ball it softens to a Gaussian.
Single-label and multi-label are the same: no label and no probability is looked at. Not here: the greedy rule
(kernel_cover.py).
"""

from __future__ import annotations

import numpy as np

from al_assets.selection.kernel_cover import kernel_cover
from al_assets.selection.pool import Picks, Pool, unit_vectors
from al_assets.selection.rows import complete, greedy_steps, seeded_rows
from al_assets.selection.strategies.ranking import wanted

WIDTH = 1.0
"""Kernel width on unit vectors, as in the paper: at a cosine of 0.5 the kernel is 1/e."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by gain in mean kernel coverage, `k(x, x') = exp(-|x - x'|^2)` between unit vectors; that is the score.

    A candidate counts in the mean as the frames that it stands for (pool.weights). Exact up to kernel_cover.EXACT
    candidates, of more a random sample is looked at; the rest, and spare picks beyond greedy_steps, follow by the
    largest gain that they can still have, then in a drawn order.
    """
    count = wanted(pool, budget, spare)
    if not count:
        return Picks(np.empty(0, dtype=np.intp), np.empty(0), [])
    rows = seeded_rows(pool, rng)
    weights = np.ones(len(rows), np.float32) if pool.weights is None else pool.weights[rows.order]
    labelled = unit_vectors(pool.labelled_embeddings)
    chosen, gains, bound = kernel_cover(rows, weights, labelled, WIDTH, greedy_steps(budget, count))
    rest = np.zeros(len(rows))
    rest[: len(bound)] = np.maximum(bound, 0)
    reasons = [f"brings the pool {100 * gain:.3f} % closer to what is picked" for gain in gains.tolist()]
    return complete(rows, chosen, gains, reasons, count, rest, "covers little beyond what is picked")

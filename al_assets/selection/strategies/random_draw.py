"""Random: a uniform draw, the baseline that every other strategy has to beat.

Not here: propensities (batch_plan.py knows the arm's size).
"""

from __future__ import annotations

import numpy as np

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies.ranking import seeded_order, wanted


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks drawn uniformly without replacement; every score is 0.

    A candidate that stands for several frames comes as early as the first of those would by itself (Efraimidis
    and Spirakis 2006).
    """
    count = wanted(pool, budget, spare)
    if pool.weights is None:
        order = np.argsort(seeded_order(pool.frame_ids, rng))[:count]
    else:
        waits = np.empty(len(pool))
        waits[np.argsort(pool.frame_ids)] = rng.exponential(size=len(pool))
        order = np.argsort(waits / pool.weights, kind="stable")[:count]
    return Picks(order, np.zeros(count), ["drawn at random"] * count)

"""Auto: coverage while there is no model, margin after that; each pick's reason names which.

Not here: either strategy.
"""

from __future__ import annotations

import numpy as np

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies import coverage, margin


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks of the strategy that suits the pool: probabilities are there once a model serves."""
    name, chosen = ("coverage", coverage.select) if pool.probabilities is None else ("margin", margin.select)
    picks = chosen(pool, budget, rng, spare=spare)
    return Picks(picks.positions, picks.scores, [f"auto ({name}): {reason}" for reason in picks.reasons])

"""Auto: coverage while labels are few, margin after that; each pick's reason names which.

Uncertainty of a model that has met each class a few times is mostly noise. On rendered archives of ten long-tailed
individuals (multi-label, 4 to 6 seeds, up to 14 labels a class) coverage led margin, entropy and random draws at almost
every round after the first; on 67 balanced classes coverage led up to about 6 labels a class and was level with margin
at 12. Not here: either strategy.
"""

from __future__ import annotations

import numpy as np

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies import coverage, margin

LABELS_PER_CLASS = 12
"""Mean number of labelled frames a class from which margin takes over."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks of the strategy that suits the pool: coverage without a model or with few labels a class, else margin."""
    classes = max(1, pool.labelled_targets.shape[1])
    few = int((pool.labelled_targets == 1).sum()) < LABELS_PER_CLASS * classes
    name, chosen = (
        ("coverage", coverage.select) if pool.probabilities is None or few else ("margin", margin.select)
    )
    picks = chosen(pool, budget, rng, spare=spare)
    return Picks(picks.positions, picks.scores, [f"auto ({name}): {reason}" for reason in picks.reasons])

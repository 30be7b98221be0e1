"""Entropy: the frames whose answers are spread most (Shannon; Settles 2009, section 3.1).

Not here: the formula, which scoring shares (predictions/uncertainty.py).
"""

from __future__ import annotations

import numpy as np

from al_assets.predictions import uncertainty
from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies.ranking import most_uncertain

NEEDS = frozenset({"probabilities"})


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by entropy, highest first, ties in a seeded order of frame_id.

    single_label: `-sum_c p_c log p_c`. multi_label: the sum of the classes' binary entropies. 0 log 0 is 0.
    Raises NoModelError while there are no probabilities.
    """
    return most_uncertain(pool, uncertainty.entropy_uncertainty, "entropy", budget, rng, spare)

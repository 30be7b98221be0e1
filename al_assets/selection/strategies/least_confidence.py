"""Least confidence: the frames whose likeliest answer is least sure (Lewis and Gale 1994).

Not here: the formula, which scoring shares (predictions/uncertainty.py).
"""

from __future__ import annotations

import numpy as np

from al_assets.predictions import uncertainty
from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies.ranking import most_uncertain

NEEDS = frozenset({"probabilities"})


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by least confidence, highest first, ties in a seeded order of frame_id.

    single_label: `1 - max_c p_c`. multi_label: `1 - prod_c max(p_c, 1 - p_c)`, the likeliest set of classes.
    Raises NoModelError while there are no probabilities.
    """
    return most_uncertain(pool, uncertainty.least_confidence, "least confidence", budget, rng, spare)

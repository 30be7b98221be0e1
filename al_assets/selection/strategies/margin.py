"""Margin: the frames where the two likeliest answers are closest (Scheffer et al. 2001).

Not here: the formula, which scoring shares (predictions/uncertainty.py).
"""

from __future__ import annotations

import numpy as np

from al_assets.predictions import uncertainty
from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies.ranking import most_uncertain

NEEDS = frozenset({"probabilities"})


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by margin, highest first, ties in a seeded order of frame_id.

    single_label: `1 - (p_1 - p_2)`. multi_label: `1 - min_c |2 p_c - 1|`, the class nearest to a coin toss.
    Raises NoModelError while there are no probabilities.
    """
    return most_uncertain(pool, uncertainty.margin_uncertainty, "margin", budget, rng, spare)

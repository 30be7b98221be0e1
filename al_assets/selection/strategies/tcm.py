"""TCM: typical frames while labels are few, margin after that (Doucet et al. 2024).

The paper switches the earlier the better the features are. Here the switch is LABELS_PER_CLASS: on 67 balanced classes
with frozen features coverage led margin up to about six labels a class. Not here: either strategy.
"""

from __future__ import annotations

import numpy as np

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies import margin, typiclust

LABELS_PER_CLASS = 6
"""Mean number of labelled frames a class from which margin takes over."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """TypiClust's picks without a model or before the switch, else margin's; each reason says which.

    multi_label: labels are presences, and margin takes its form for several classes.
    """
    classes = max(1, pool.labelled_targets.shape[1])
    few = int((pool.labelled_targets == 1).sum()) < LABELS_PER_CLASS * classes
    name, chosen = (
        ("typiclust", typiclust.select) if pool.probabilities is None or few else ("margin", margin.select)
    )
    picks = chosen(pool, budget, rng, spare=spare)
    return Picks(picks.positions, picks.scores, [f"tcm ({name}): {reason}" for reason in picks.reasons])

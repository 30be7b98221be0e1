"""Mean margin: doubt about all classes of a frame together, not about the worst one (Esuli and Sebastiani 2009, Avg).

`margin` asks for the class nearest to a coin toss: one doubtful class is enough, and with many rare classes that may be
one which hardly matters. This one averages over classes. Not here: the minimum (margin.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.predictions.uncertainty import margin_uncertainty
from al_assets.selection.pool import Floats, Picks, Pool
from al_assets.selection.strategies.ranking import most_uncertain

NEEDS = frozenset({"probabilities"})


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by mean margin, highest first, ties in a seeded order of frame_id.

    multi_label: `1 - mean_c |2 p_c - 1|`. single_label: the same as `margin`, since the frame has one answer.
    Raises NoModelError while there are no probabilities.
    """
    return most_uncertain(pool, mean_margin, "mean margin", budget, rng, spare)


def mean_margin(probabilities: Floats, task: Task) -> npt.NDArray[np.float32]:
    """(n,) in [0, 1] of probabilities (n, k); 1 is a coin toss for every class."""
    if task == "single_label":
        return margin_uncertainty(probabilities, task)
    return np.asarray(1 - np.abs(2 * probabilities.astype(np.float64) - 1).mean(axis=1), dtype=np.float32)

"""What the strategies share: counts, seeded ties, and picks by a score.

Not here: any score.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.selection.pool import Floats, Ints, Picks, Pool


class NoModelError(ValueError):
    """The strategy ranks by a model's probabilities and there is no model yet."""


def wanted(pool: Pool, budget: int, spare: int) -> int:
    """How many picks to return. Raises ValueError for a negative budget or spare."""
    if budget < 0 or spare < 0:
        raise ValueError(f"budget {budget} and spare {spare} must not be negative")
    return min(budget + spare, len(pool))


def seeded_order(frame_ids: Ints, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """A random rank for each frame, drawn over the frames in the order of their ids.

    Ties broken by it do not depend on how the pool is stored, and do not take one clip whole, as the plain
    order of ids or rows would: neighbours in a clip often score alike.
    """
    ranks = np.empty(len(frame_ids), dtype=np.intp)
    ranks[np.argsort(frame_ids)] = rng.permutation(len(frame_ids))
    return ranks


def most_uncertain(
    pool: Pool,
    uncertainty: Callable[[Floats, Task], Floats],
    name: str,
    budget: int,
    rng: np.random.Generator,
    spare: int,
) -> Picks:
    """The candidates of highest uncertainty. Raises NoModelError without probabilities."""
    count = wanted(pool, budget, spare)
    if pool.probabilities is None:
        raise NoModelError(
            f"strategy {name!r} needs a model's probabilities; use 'coverage' or 'auto' until one serves"
        )
    scores = np.asarray(uncertainty(np.clip(pool.probabilities, 0, 1), pool.task), dtype=np.float64)
    order = np.lexsort((seeded_order(pool.frame_ids, rng), -scores))[:count]
    return Picks(order, scores[order], [f"{name} uncertainty {score:.3f}" for score in scores[order]])

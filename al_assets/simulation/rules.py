"""A strategy under the production rule of redundancy, where every round must buy as many labels as the plan says.

Not here: the rule itself (selection/redundancy.py, selection/choice.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.selection.choice import choose
from al_assets.selection.pool import Pool
from al_assets.selection.redundancy import Frames, RedundancyRule
from al_assets.selection.strategies import Strategy


def under_rule(
    strategy: Strategy,
    pool: Pool,
    labelled: Frames,
    rule: RedundancyRule,
    budget: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.intp]:
    """Positions of `budget` candidates, all where there are fewer; frame_ids of the pool stand for the times too.

    A batch that the rule leaves too small is filled by a draw from what it left out, or curves could not be compared
    at equal numbers of labels. In production it stays small.
    """
    clips = pool.frame_ids if pool.groups is None else pool.groups
    candidates = Frames(
        frame_ids=pool.frame_ids, video_no=clips, pts_ms=pool.frame_ids, embeddings=pool.embeddings
    )
    chosen = choose(strategy, pool, candidates, labelled, rule, budget, rng).positions
    missing = min(budget, len(pool)) - len(chosen)
    if not missing:
        return chosen
    left = np.setdiff1d(np.arange(len(pool)), chosen)
    left = left[np.argsort(pool.frame_ids[left])]
    return np.concatenate([chosen, rng.choice(left, missing, replace=False)])

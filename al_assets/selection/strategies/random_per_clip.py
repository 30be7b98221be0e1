"""Random per clip: a clip drawn uniformly, then a frame in it, again and again.

The rival to beat on video: a uniform draw over frames spends most of its labels on the longest clips. Not here: any
rule on how many frames a clip may give (redundancy.py).
"""

from __future__ import annotations

import numpy as np

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies.ranking import wanted


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks drawn without replacement, clips with an open frame being equally likely each time; every score is 0.

    Every clip's frames, in random order, arrive as a Poisson process of rate 1 of its own; in the order of all
    arrivals the clip of each is uniform among those with frames left. Without groups each frame is its own clip. The
    task plays no part.
    """
    count = wanted(pool, budget, spare)
    groups = pool.frame_ids if pool.groups is None else pool.groups
    by_id = np.argsort(pool.frame_ids)
    shuffled = by_id[rng.permutation(len(pool))]
    by_clip = shuffled[np.argsort(groups[shuffled], kind="stable")]
    clip = groups[by_clip]
    passed = np.cumsum(rng.exponential(size=len(pool)))
    starts = np.flatnonzero(np.r_[True, clip[1:] != clip[:-1]]) if len(pool) else np.empty(0, dtype=np.intp)
    before = np.r_[0.0, passed][starts]
    arrivals = passed - np.repeat(before, np.diff(np.r_[starts, len(pool)]))
    order = by_clip[np.argsort(arrivals, kind="stable")[:count]]
    reasons = [f"drawn at random from clip {group}, one of {len(starts)}" for group in groups[order]]
    return Picks(order, np.zeros(count), reasons)

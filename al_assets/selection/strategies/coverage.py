"""Coverage: one frame near the centre of each group of look-alikes, for the start without a model.

k-means on unit embeddings over candidates and labelled frames together; groups with fewest labelled frames
come first, then the largest (the cluster order of TypiClust, Hacohen et al. 2022, with the centre in place of
its density estimate). Not here: k-means (clustering.py), minimum distances between picks (redundancy.py).
"""

from __future__ import annotations

import numpy as np

from al_assets.selection.clustering import assign, fit_centres, nearest_centre, rank_within
from al_assets.selection.pool import Picks, Pool, unit_vectors
from al_assets.selection.rows import seeded_rows
from al_assets.selection.strategies.ranking import wanted

CLUSTERS = 500
"""Most groups, unless the budget is larger (TypiClust's cap): with many labels finer ones only cost time."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by coverage, scored by closeness to the group's centre (cosine-like, 1 at the centre).

    A labelled frame covers its group as a pick would: the group's next pick comes one turn later.
    """
    count = wanted(pool, budget, spare)
    if not count:
        return Picks(np.empty(0, dtype=np.intp), np.empty(0), [])
    rows = seeded_rows(pool, rng)
    covered = unit_vectors(pool.labelled_embeddings)
    groups = max(1, min(budget + len(covered), max(budget, CLUSTERS)))
    centres = fit_centres(rows, groups, rng, beside=covered)
    group, distance = assign(rows, centres)
    labelled = np.bincount(nearest_centre(covered, centres)[0], minlength=len(centres))
    size = np.bincount(group, minlength=len(centres))
    turn = rank_within(group, distance) + labelled[group]
    order = np.lexsort((distance, group, -size[group], turn))[:count]
    of_group = [
        f"stands for a group of {frames} frames, {held} labelled"
        for frames, held in zip(size.tolist(), labelled.tolist(), strict=True)
    ]
    reasons = [of_group[at] for at in group[order].tolist()]
    return Picks(rows.order[order], (1 - distance[order]).astype(np.float64), reasons)

"""Cluster-margin: the most doubtful frames, spread over groups of look-alikes, small groups first.

Citovsky et al.: Batch Active Learning at Scale (2021). The pool is clustered once a batch by average linkage, as in the
paper, up to EXACT candidates, beyond that by k-means; the number of clusters is given instead of a distance, so that
nothing is tuned to an embedder. Not here: the margin (predictions/uncertainty.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.predictions.uncertainty import margin_uncertainty
from al_assets.selection.clustering import assign, fit_centres, rank_within
from al_assets.selection.pool import Picks, Pool
from al_assets.selection.rows import UnitRows, seeded_rows
from al_assets.selection.strategies.ranking import blocks, model_probabilities, wanted

NEEDS = frozenset({"probabilities"})
CANDIDATES = 10
"""Most doubtful candidates looked at for each pick (the paper's k_m = 10 k_t)."""
CLUSTERS = 500
"""Clusters of the pool, unless the batch is larger."""
EXACT = 4_096
"""Candidates up to which every pair is compared: 64 MB of distances."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks in turns over the clusters of the most doubtful candidates, the smallest cluster first in each turn.

    Within a cluster the draw is random, in a seeded order of frame_id; a cluster's size is its number of doubtful
    candidates. multi_label: doubt is about the class nearest to a coin toss. Spare picks: further turns, then the other
    candidates by margin. Raises NoModelError while there are no probabilities.
    """
    count = wanted(pool, budget, spare)
    doubt = _doubt(pool)
    rows = seeded_rows(pool, rng)
    drawn = doubt[rows.order]
    falling = np.argsort(-drawn, kind="stable")
    first = falling[: CANDIDATES * budget]
    cluster = clusters(rows, max(CLUSTERS, budget), rng)[first]
    size = np.bincount(cluster, minlength=1)[cluster]
    turn = rank_within(cluster, np.argsort(np.argsort(first)).astype(np.float32))
    order = np.lexsort((cluster, size, turn))
    positions = rows.order[np.concatenate([first[order], falling[len(first) :]])[:count]]
    reasons = [f"margin uncertainty {doubt[at]:.3f}" for at in positions]
    for place, row in enumerate(order[:count].tolist()):
        reasons[place] += f" in a group with {size[row]} doubtful frames"
    return Picks(positions, doubt[positions], reasons)


def _doubt(pool: Pool) -> npt.NDArray[np.float64]:
    probabilities = model_probabilities(pool, "cluster_margin")
    doubt = np.empty(len(pool))
    for rows in blocks(len(pool), probabilities.shape[1]):
        doubt[rows] = margin_uncertainty(np.clip(probabilities[rows], 0, 1), pool.task)
    return doubt


def clusters(rows: UnitRows, most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """(n,) number of each row's cluster, of at most `most`."""
    if len(rows) > EXACT:
        return assign(rows, fit_centres(rows, most, rng))[0]
    if len(rows) < 2:
        return np.zeros(len(rows), np.intp)
    from scipy.cluster.hierarchy import fcluster, linkage  # here: the code server need not load it

    return np.asarray(fcluster(linkage(rows.first(len(rows)), "average"), most, "maxclust"), np.intp) - 1

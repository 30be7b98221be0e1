"""Coverage: one frame near the centre of each group of look-alikes, for the start without a model.

k-means on unit embeddings over candidates and labelled frames together; groups with fewest labelled frames
come first, then the largest (the cluster order of TypiClust, Hacohen et al. 2022, with the centre in place of
its density estimate). Not here: minimum distances between picks (redundancy.py).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from al_assets.selection.pool import ROWS, Picks, Pool, unit_vectors
from al_assets.selection.strategies.ranking import wanted

CLUSTERS = 500
"""Most groups, unless the budget is larger (TypiClust's cap): with many labels finer ones only cost time."""
FIT_ROWS = 20_000
PASSES = 5


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by coverage, scored by closeness to the group's centre (cosine-like, 1 at the centre).

    A labelled frame covers its group as a pick would: the group's next pick comes one turn later.
    """
    count = wanted(pool, budget, spare)
    if not count:
        return Picks(np.empty(0, dtype=np.intp), np.empty(0), [])
    by_id = np.argsort(pool.frame_ids)
    points = unit_vectors(pool.embeddings[by_id])
    covered = unit_vectors(pool.labelled_embeddings) if len(pool.labelled_embeddings) else points[:0]
    groups = min(budget + len(covered), max(budget, CLUSTERS), len(points) + len(covered))
    centres = _centres(points, covered, max(1, groups), rng)
    group, distance = _nearest(points, centres)
    labelled = np.bincount(_nearest(covered, centres)[0], minlength=len(centres))
    size = np.bincount(group, minlength=len(centres))
    turn = _rank_within(group, distance) + labelled[group]
    order = np.lexsort((distance, group, -size[group], turn))[:count]
    reasons = [
        f"stands for a group of {size[group[row]]} frames, {labelled[group[row]]} labelled" for row in order
    ]
    return Picks(by_id[order], (1 - distance[order] / 2).astype(np.float64), reasons)


def _centres(
    points: npt.NDArray[np.float32], covered: npt.NDArray[np.float32], groups: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Centres of k-means over both sets; one thread and no early stop, so that every run rounds alike."""
    from sklearn.cluster import MiniBatchKMeans  # here: half a second that the code server need not spend
    from threadpoolctl import threadpool_limits

    state = int(rng.integers(2**31))
    if len(points) > FIT_ROWS:
        points = points[np.sort(rng.choice(len(points), FIT_ROWS, replace=False))]
    model: Any = MiniBatchKMeans(
        n_clusters=groups,
        batch_size=min(4096, max(1024, 4 * groups)),
        max_iter=PASSES,
        n_init=1,
        tol=0.0,
        max_no_improvement=None,
        random_state=state,
    )
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct points than groups is our everyday case, not a fault
        model.fit(np.concatenate([points, covered]))
    return np.asarray(model.cluster_centers_, dtype=np.float32)


def _nearest(
    points: npt.NDArray[np.float32], centres: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Index of each point's nearest centre and the squared distance to it, some rows at a time."""
    group = np.empty(len(points), dtype=np.intp)
    distance = np.empty(len(points), dtype=np.float32)
    lengths = np.einsum("ij,ij->i", centres, centres)
    for start in range(0, len(points), ROWS):
        rows = points[start : start + ROWS]
        squared = lengths - 2 * rows @ centres.T
        nearest = squared.argmin(axis=1)
        group[start : start + ROWS] = nearest
        own = np.einsum("ij,ij->i", rows, rows)
        distance[start : start + ROWS] = np.maximum(squared[np.arange(len(rows)), nearest] + own, 0)
    return group, distance


def _rank_within(group: npt.NDArray[np.intp], distance: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """0 for the point nearest to its group's centre, 1 for the next, and so on."""
    order = np.lexsort((np.arange(len(group)), distance, group))
    ordered = group[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.empty(len(group), dtype=np.intp)
    rank[order] = np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))
    return rank

"""CVIRS: frames on which all classes are in doubt and whose predicted set is unlike the labelled ones.

Reyes, Morell, Ventura: Effective active learning strategy for multi-label learning (2018): uncertainty sampling by
Category Vector Inconsistency and Ranking of Scores. Not here: margins on their own (margin.py, mean_margin.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.selection.pool import Floats, Picks, Pool
from al_assets.selection.strategies.ranking import blocks, highest, model_probabilities, wanted

NEEDS = frozenset({"probabilities"})
PRESENT = 0.5
"""Probability from which a class is in the predicted set."""
SETS = 1_000
"""Distinct labelled sets compared at most; beyond them a seeded draw stands for all."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by rank of doubt times inconsistency, highest first, ties in a seeded order of frame_id.

    Rank of doubt: candidates are ranked by `|2 p_c - 1|` in each class, and the share of candidates that are surer is
    averaged over classes (Borda). Inconsistency: mean distance of the predicted set to the labelled sets. single_label:
    the predicted set is the likeliest class, so frames of classes with few labels come first among equal doubt.
    Classes that nobody judged count as absent; without labels the rank alone decides. Raises NoModelError without
    probabilities.
    """
    count = wanted(pool, budget, spare)
    probabilities = model_probabilities(pool, "cvirs")
    scores = rank_of_doubt(probabilities)
    k = min(probabilities.shape[1], pool.labelled_targets.shape[1])
    labelled = np.zeros((len(pool.labelled_targets), probabilities.shape[1]), bool)
    labelled[:, :k] = pool.labelled_targets[:, :k] == 1
    scores *= inconsistency(predicted_sets(probabilities, pool.task), labelled, rng)
    # Ranks make exact ties, which sums in another order of classes would break by their last digits.
    return highest(pool, np.round(scores, 9), "cvirs: doubt times inconsistency", count, rng)


def rank_of_doubt(probabilities: Floats) -> npt.NDArray[np.float64]:
    """(n,) in [0, 1]: the mean over classes of the share of other candidates with a larger margin; equal ones half."""
    n, k = probabilities.shape
    total = np.zeros(n)
    for column in range(k):
        margin = np.abs(2 * probabilities[:, column].astype(np.float64) - 1)
        _, place, size = np.unique(margin, return_inverse=True, return_counts=True)
        total += (n - np.cumsum(size) + (size - 1) / 2)[place]
    return np.asarray(total / (k * max(1, n - 1)))


def predicted_sets(probabilities: Floats, task: Task) -> npt.NDArray[np.bool_]:
    """(n, k): multi_label the classes from PRESENT on, single_label the likeliest one."""
    if task == "multi_label":
        return np.asarray(probabilities >= PRESENT)
    sets = np.zeros(probabilities.shape, dtype=bool)
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def inconsistency(
    sets: npt.NDArray[np.bool_], labelled: npt.NDArray[np.bool_], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """(n,) mean distance of each set (n, k) to the labelled ones (m, k); 1 where there are none.

    The distance is the normalised entropy distance `2 - (H(a) + H(b)) / H(a, b)` of the two rows of 0 and 1, and 1 for
    complements, which share all their information and no class.
    """
    if not len(labelled) or not len(sets):
        return np.ones(len(sets))
    known, times = np.unique(labelled, axis=0, return_counts=True)
    if len(known) > SETS:
        drawn = np.sort(rng.choice(len(known), SETS, replace=False))
        known, times = known[drawn], times[drawn]
    mine, place = np.unique(sets, axis=0, return_inverse=True)
    means = np.empty(len(mine))
    share = times / times.sum()
    for rows in blocks(len(mine), len(known)):
        means[rows] = _distances(mine[rows], known) @ share
    return means[place.reshape(-1)]


def _distances(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(u, l) distances of rows (u, k) and (l, k), by counts: entropies of k cells need a table of k + 1 values only."""
    k = one.shape[1]
    shares = np.arange(k + 1) / k
    term = -shares * np.log(np.where(shares > 0, shares, 1.0))
    both = np.rint(one.astype(np.float32) @ other.T.astype(np.float32)).astype(np.int32)
    a = one.sum(axis=1, dtype=np.int32)[:, None]
    b = other.sum(axis=1, dtype=np.int32)[None, :]
    joint = term[both] + term[a - both] + term[b - both] + term[k - a - b + both]
    alone = (term[a] + term[k - a]) + (term[b] + term[k - b])
    distance = 2 - alone / np.where(joint > 0, joint, 1.0)
    differing = a + b - 2 * both
    return np.where(differing == 0, 0.0, np.where(differing == k, 1.0, distance))

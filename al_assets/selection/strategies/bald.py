"""BALD: the frames on which sure models contradict each other (Houlsby et al. 2011).

Not here: the models (checkpoints/ensembles.py makes a committee of heads).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.selection.pool import Floats, Picks, Pool
from al_assets.selection.strategies.ranking import blocks, committee_probabilities, highest, wanted

NEEDS = frozenset({"committee"})


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by mutual information of the answer and the model, highest first, ties in a seeded order of frame_id.

    single_label: entropy of the members' mean less their mean entropy, in nats. multi_label: the same of each class's
    present or absent, summed over classes, as if classes were independent given frame and model.
    Raises NoModelError while there is no committee.
    """
    count = wanted(pool, budget, spare)
    scores = mutual_information(committee_probabilities(pool, "bald"), pool.task)
    return highest(pool, scores, "bald: members disagree by", count, rng)


def mutual_information(committee: Floats, task: Task) -> npt.NDArray[np.float64]:
    """(n,) nats of committee (members, n, k): also the members' mean KL divergence from their mean."""
    members, n, k = committee.shape
    scores = np.empty(n)
    for rows in blocks(n, members * k):
        p = np.clip(np.ascontiguousarray(committee[:, rows], dtype=np.float64), 0, 1)
        gain = _spread(p)
        if task == "multi_label":
            gain = gain + _spread(1 - p)
        scores[rows] = gain
    return np.maximum(scores, 0)


def _spread(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum over classes of -mean log mean + mean of p log p, (rows,)."""
    return np.asarray((_p_log_p(p).mean(axis=0) - _p_log_p(p.mean(axis=0))).sum(axis=1))


def _p_log_p(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(p * np.log(np.where(p > 0, p, 1.0)))

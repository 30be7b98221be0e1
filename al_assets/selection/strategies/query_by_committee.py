"""Query by committee: the frames on which models vote differently (Seung et al. 1992), by vote entropy.

Vote entropy is Dagan and Engelson's (1995). The mean KL divergence from the members' mean (McCallum and Nigam 1998) is
BALD's score and decides here among equal votes, of which a few members make many. Not here: the models.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.selection.pool import Floats, Picks, Pool
from al_assets.selection.strategies.bald import mutual_information
from al_assets.selection.strategies.ranking import blocks, committee_probabilities, seeded_order, wanted

NEEDS = frozenset({"committee"})


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by entropy of the votes, highest first; equal votes by KL divergence, then in a seeded order of frame_id.

    single_label: each member votes for its likeliest class. multi_label: each votes on each class, present from a
    probability of 0.5; the entropies of the votes on the classes are summed. In nats.
    Raises NoModelError while there is no committee.
    """
    count = wanted(pool, budget, spare)
    committee = committee_probabilities(pool, "query_by_committee")
    scores = vote_entropy(committee, pool.task)
    # Sums of the same votes in another order of classes differ in their last digits.
    rounded = np.round(scores, 9)
    divergence = mutual_information(committee, pool.task)
    order = np.lexsort((seeded_order(pool.frame_ids, rng), -divergence, -rounded))[:count]
    return Picks(order, scores[order], [f"vote entropy {score:.3f}" for score in scores[order]])


def vote_entropy(committee: Floats, task: Task) -> npt.NDArray[np.float64]:
    """(n,) nats of the votes of committee (members, n, k)."""
    members, n, k = committee.shape
    entropy = np.array([-share * np.log(share or 1) for share in np.arange(members + 1) / members])
    scores = np.empty(n)
    for rows in blocks(n, members * k):
        p = committee[:, rows]
        if task == "multi_label":
            votes = (p >= 0.5).sum(axis=0)
            scores[rows] = (entropy[votes] + entropy[members - votes]).sum(axis=1)
        else:
            choices = p.argmax(axis=2)
            votes = (choices[:, :, None] == np.arange(k)).sum(axis=0)
            scores[rows] = entropy[votes].sum(axis=1)
    return scores

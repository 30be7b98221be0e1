"""ActiveLab: the frames that people and model know least about (Goh and Mueller 2023).

On open frames nobody has spoken yet, so single_label it ranks as least confidence does and multi_label as margin; its
other half, judged frames worth another opinion, fills the batch's arm second_opinion (asking_again.py) on the same
scale. Not here: the score (review/second_opinions.py).
"""

from __future__ import annotations

import numpy as np

from al_assets.review.second_opinions import Trust, score_pool
from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies.ranking import blocks, highest, model_probabilities, wanted

NEEDS = frozenset({"probabilities"})


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by 1 - ActiveLab score, highest first, ties in a seeded order of frame_id.

    single_label: the quality of the likeliest class, drawn towards a guess. multi_label: each class is a question of
    its own, present or absent, and the frame is as doubtful as its most doubtful class. Model and annotator weigh the
    same: on frames without an opinion the weights do not change the order. Raises NoModelError without probabilities.
    """
    count = wanted(pool, budget, spare)
    probabilities = model_probabilities(pool, "activelab")
    scores = np.empty(len(pool))
    for rows in blocks(len(pool), probabilities.shape[1]):
        scores[rows] = 1 - score_pool(np.clip(probabilities[rows], 0, 1), Trust(), pool.task)
    return highest(pool, scores, "ActiveLab doubt", count, rng)

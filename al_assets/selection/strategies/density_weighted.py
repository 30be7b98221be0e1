"""Density-weighted uncertainty: doubtful frames that resemble many others (Settles and Craven 2008, section 4.3).

Information density: entropy times the mean cosine to the pool. The mean of cosines is the cosine-like product with the
mean direction, so one pass gives it exactly and no pair of frames is ever compared. Not here: the entropy
(predictions/uncertainty.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.predictions.uncertainty import entropy_uncertainty
from al_assets.selection.pool import Picks, Pool, unit_vectors
from al_assets.selection.strategies.ranking import blocks, highest, model_probabilities, wanted

NEEDS = frozenset({"probabilities"})
BETA = 1.0
"""Exponent of the density, 1 as in the paper's experiments."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by entropy * max(mean cosine to the pool, 0) ** BETA, highest first, ties in a seeded order of frame_id.

    multi_label: the entropy is the sum of the classes' binary entropies. A candidate that stands for several frames
    counts as so many in the mean. Raises NoModelError while there are no probabilities.
    """
    count = wanted(pool, budget, spare)
    probabilities = model_probabilities(pool, "density_weighted")
    similar = mean_cosine(pool)
    scores = np.empty(len(pool))
    for rows in blocks(len(pool), probabilities.shape[1]):
        scores[rows] = entropy_uncertainty(np.clip(probabilities[rows], 0, 1), pool.task)
    scores *= np.maximum(similar, 0) ** BETA
    return highest(pool, scores, "entropy times mean cosine to the pool", count, rng)


def mean_cosine(pool: Pool) -> npt.NDArray[np.float64]:
    """(n,) mean cosine of each candidate to all candidates, itself included; zero vectors have cosine 0."""
    by_id = np.argsort(pool.frame_ids)
    weights = np.ones(len(pool), np.float32) if pool.weights is None else pool.weights
    direction = np.zeros(pool.embeddings.shape[1])
    for part in blocks(len(pool), pool.embeddings.shape[1]):
        rows = by_id[part]
        direction += (unit_vectors(pool.embeddings[rows]) * weights[rows, None]).sum(axis=0, dtype=np.float64)
    direction /= max(float(weights.sum(dtype=np.float64)), 1e-12)
    similar = np.empty(len(pool))
    for part in blocks(len(pool), pool.embeddings.shape[1]):
        rows = by_id[part]
        similar[rows] = unit_vectors(pool.embeddings[rows]).astype(np.float64) @ direction
    return similar

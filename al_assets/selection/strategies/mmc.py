"""MMC: maximum loss reduction with maximal confidence, aware of how many classes a frame shows.

Yang, Sun, Wang, Chen: Effective multi-label active learning for text classification (2009). Not here: the model, whose
probabilities stand in for the outputs of the paper's support vector machines, as 2 p - 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.selection.pool import ROWS, Floats, Picks, Pool
from al_assets.selection.strategies.ranking import (
    blocks,
    highest,
    linear_model,
    model_probabilities,
    wanted,
)

NEEDS = frozenset({"linear", "probabilities"})


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by expected loss reduction, highest first, ties in a seeded order of frame_id.

    A logistic regression on the labelled frames tells from a frame's sorted, normalised probabilities how many classes
    it shows, m; the m likeliest are taken as its answer y, and the score is `sum_c (1 - y_c (2 p_c - 1)) / 2` with y of
    1 and -1. Where the labelled frames all show as many classes, or none is judged whole, m is the sum of the
    probabilities, rounded. single_label: m is 1, and the score twice that of least confidence.
    Raises NoModelError while there is no linear model or no probabilities.
    """
    count = wanted(pool, budget, spare)
    probabilities, linear = model_probabilities(pool, "mmc"), linear_model(pool, "mmc")
    by_id, scores = np.argsort(pool.frame_ids), np.empty(len(pool))
    number = _fixed_number if pool.task == "single_label" else _Cardinality(pool, linear.weight, linear.bias)
    for part in blocks(len(pool), probabilities.shape[1]):
        rows = by_id[part]
        falling = -np.sort(-np.clip(probabilities[rows].astype(np.float64), 0, 1), axis=1)
        m = number(falling)
        likeliest = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(falling, axis=1)], axis=1)
        scores[rows] = m + falling.sum(axis=1) - 2 * likeliest[np.arange(len(rows)), m]
    return highest(pool, scores, "mmc: expected loss reduction", count, rng)


def _fixed_number(falling: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    return np.ones(len(falling), np.intp)


class _Cardinality:
    """How many classes frames show, from their probabilities (n, k) in falling order."""

    def __init__(self, pool: Pool, weight: Floats, bias: Floats) -> None:
        targets = pool.labelled_targets[:, : len(bias)]
        whole = np.flatnonzero((targets >= 0).all(axis=1))
        shown = (targets[whole] == 1).sum(axis=1)
        self.model = None
        if len(np.unique(shown)) > 1:
            from sklearn.linear_model import LogisticRegression  # here: the code server need not load it

            vectors = pool.labelled_embeddings[whole]
            p = np.concatenate(
                [_chances(vectors[at : at + ROWS], weight, bias) for at in range(0, len(vectors), ROWS)]
            )
            self.model = LogisticRegression(max_iter=200).fit(_features(-np.sort(-p, axis=1)), shown)

    def __call__(self, falling: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        """(n,) numbers from 0 to k."""
        if self.model is None:
            return np.asarray(np.rint(falling.sum(axis=1)), dtype=np.intp)
        return np.asarray(self.model.predict(_features(falling)), dtype=np.intp)


def _features(falling: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(falling / np.maximum(falling.sum(axis=1, keepdims=True), 1e-12))


def _chances(vectors: Floats, weight: Floats, bias: Floats) -> npt.NDArray[np.float64]:
    logits = vectors.astype(np.float64) @ weight.T.astype(np.float64) + bias
    return np.asarray(np.exp(-np.logaddexp(0, -logits)))

"""Similarity: more frames like these, nearest first by cosine to any of the examples.

A search, not a guess at what the model would learn most from: for an owner who has one picture of a rare thing (what
SEALS does around labelled frames; Coleman et al. 2022). Not here: what the examples are ([mining] examples).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.selection.pool import Floats, Picks, Pool, unit_vectors
from al_assets.selection.strategies.ranking import NoExamplesError, blocks, seeded_order, wanted

NEEDS = frozenset({"examples"})
EXAMPLES = 1024
"""Examples compared at once."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by largest cosine to an example, highest first, ties in a seeded order of frame_id; no model is asked.

    Zero vectors have cosine 0 to everything. Raises NoExamplesError where there is no example.
    """
    count = wanted(pool, budget, spare)
    if pool.examples is None or not len(pool.examples):
        raise NoExamplesError(
            "strategy 'similarity' needs frames to look for; name some in al.toml under [mining] examples"
        )
    scores, nearest = closest(pool, pool.examples)
    order = np.lexsort((seeded_order(pool.frame_ids, rng), -scores))[:count]
    reasons = [f"cosine {scores[row]:.3f} to example {nearest[row] + 1}" for row in order]
    return Picks(order, scores[order], reasons)


def closest(pool: Pool, examples: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Largest cosine of each candidate to an example, and which example that is; both (n,)."""
    by_id = np.argsort(pool.frame_ids)
    scores, nearest = np.full(len(pool), -np.inf), np.zeros(len(pool), np.intp)
    for start in range(0, len(examples), EXAMPLES):
        wanted_like = unit_vectors(examples[start : start + EXAMPLES])
        for part in blocks(len(pool), max(len(wanted_like), examples.shape[1])):
            rows = by_id[part]
            cosines = unit_vectors(pool.embeddings[rows]) @ wanted_like.T
            best = cosines.argmax(axis=1)
            # float32 products are no finer than this, and repeats of a frame are to tie.
            values = np.round(cosines[np.arange(len(rows)), best].astype(np.float64), 6)
            better = values > scores[rows]
            scores[rows[better]], nearest[rows[better]] = values[better], start + best[better]
    return scores, nearest

"""The pool's vectors in a seeded order, read some rows at a time, so that no copy of the pool is ever made.

The order is what makes ties fair: an argmax takes the first of equals, and first means drawn, not stored first.
A prefix of the order is a random sample. Not here: any rule of choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.selection.pool import Floats, Picks, Pool, unit_vectors

Vectors = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]
"""Indices into the seeded order, not into the pool."""

BLOCK = 4096
"""Rows whose products with a thousand centres still fit the processor's cache."""
ROUNDING = 1e-6
"""Half squared distances below this are 0: a float32 product of unit vectors cannot tell them from rounding."""


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Rows at length 1 (zero rows stay zero) in the given order of positions in matrix."""

    matrix: Floats
    order: npt.NDArray[np.intp]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.order)

    def take(self, places: Places) -> Vectors:
        """Rows at these places of the order."""
        return unit_vectors(self.matrix[self.order[places]])

    def first(self, count: int) -> Vectors:
        """The first rows: a random sample, since the order is drawn."""
        return unit_vectors(self.matrix[self.order[:count]])

    def blocks(self) -> Iterator[tuple[slice, Vectors]]:
        """All rows, block by block, each with the places it fills."""
        for start in range(0, len(self), BLOCK):
            places = slice(start, min(start + BLOCK, len(self)))
            yield places, unit_vectors(self.matrix[self.order[places]])


def seeded_rows(pool: Pool, rng: np.random.Generator) -> UnitRows:
    """The pool's candidates in an order drawn over their ids, whatever the order they are stored in."""
    return UnitRows(pool.embeddings, np.argsort(pool.frame_ids)[rng.permutation(len(pool))])


def greedy_steps(budget: int, count: int) -> int:
    """How many of `count` picks a greedy rule makes one by one: the choice and as many again for replacements.

    Spare picks may be as many as the pool; what comes later is ranked by the score at hand.
    """
    return min(count, 2 * budget + 100)


def complete(
    rows: UnitRows,
    chosen: Places,
    scores: npt.NDArray[np.float64],
    reasons: list[str],
    count: int,
    rest: Floats,
    reason: str,
) -> Picks:
    """Picks of what was chosen, then of the others by falling `rest` (n,), ties in the drawn order, up to `count`."""
    left = np.ones(len(rows), dtype=bool)
    left[chosen] = False
    others = np.flatnonzero(left)
    others = others[np.argsort(-rest[others], kind="stable")][: max(0, count - len(chosen))]
    return Picks(
        rows.order[np.concatenate([chosen, others])][:count],
        np.concatenate([scores, rest[others]]).astype(np.float64)[:count],
        [*reasons, *[reason] * len(others)][:count],
    )

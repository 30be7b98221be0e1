"""Whether a share within a slice is smaller than outside it, by permuting clips; p-values of many slices together.

Arrays in, p-values out. Which slices there are and what is shared is `slices.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Sums = npt.NDArray[np.float64]

FIRST, LARGER, MOST = 999, 10, 200_000
"""Permutations at first, how many times as many next, and at most in one go."""
EXCEEDED = 10
"""Permutations at least as extreme after which a p-value is precise enough (Besag and Clifford 1991)."""
FINENESS = 40
"""Permutations that a test may need for each test of the family: fewer could not give an adjusted p-value of 0.05."""
_CELLS = 1 << 21


@dataclass(frozen=True, eq=False)
class Parts:
    """Hits and cases of each clip (clips,), those within the slice and the others."""

    hits: Sums
    cases: Sums
    other_hits: Sums
    other_cases: Sums


def p_values(tests: Sequence[Parts], rng: np.random.Generator) -> Sums:
    """(tests,) chance of a share within as far below that outside where the slice makes no difference.

    Each is at least 1 / (1 + permutations); those that are small are permuted further, as far as the number of tests
    asks for.
    """
    needed = min(MOST, FINENESS * max(1, len(tests)))
    return np.array([_p_value(parts, needed, rng) for parts in tests], dtype=np.float64)


def adjusted(values: Sums) -> Sums:
    """P-values (tests,) by Benjamini and Hochberg: to call all at or under q makes a share q of false ones expected."""
    if not len(values):
        return values
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    found = np.empty(len(values))
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return found


def _p_value(parts: Parts, needed: int, rng: np.random.Generator) -> float:
    split = _Split(parts)
    seen, wanted, below = 0, FIRST, 0
    while True:
        block = max(1, _CELLS // max(1, len(split.within)))
        while seen < wanted:
            size = min(block, wanted - seen)
            below += int((split.statistics(split.drawn(size, rng)) <= split.observed + 1e-9).sum())
            seen += size
        if below >= EXCEEDED or seen >= needed:
            return (1 + below) / (1 + seen)
        wanted = min(MOST, wanted * LARGER)


class _Split:
    """Clips with their residuals and cases, and which of them are within the slice.

    residual: hits less the share of all cases that are hits, so that the standard error is that of no difference and
    never 0 while any case is a miss. A clip that is partly within has two parts and `within` says whether they are as
    they were (1) or swapped (0); any other has one part.
    """

    def __init__(self, parts: Parts) -> None:
        there = parts.cases + parts.other_cases > 0
        hits, cases = parts.hits[there], parts.cases[there]
        other_hits, other_cases = parts.other_hits[there], parts.other_cases[there]
        share = (hits + other_hits).sum() / (cases + other_cases).sum()
        residual, other = hits - share * cases, other_hits - share * other_cases
        self.mixed = (cases > 0) & (other_cases > 0)
        self.within = np.where(cases > 0, 1.0, 0.0)
        whole = ~self.mixed
        # What lies within the slice if `within` is 1, and what lies outside then; the other way round if 0.
        self.first = np.stack(
            [np.where(whole, residual + other, residual), np.where(whole, cases + other_cases, cases)]
        )
        self.second = np.stack([np.where(whole, 0, other), np.where(whole, 0, other_cases)])
        self.observed = float(self.statistics(self.within[None])[0])

    def drawn(self, size: int, rng: np.random.Generator) -> Sums:
        """(size, clips) of `within`: pure clips change places, mixed ones swap their parts by a coin."""
        within = np.empty((size, len(self.within)))
        pure = self.within[~self.mixed]
        within[:, ~self.mixed] = rng.permuted(np.broadcast_to(pure, (size, len(pure))), axis=1)
        within[:, self.mixed] = rng.integers(0, 2, size=(size, int(self.mixed.sum())))
        return within

    def statistics(self, within: Sums) -> Sums:
        """(permutations,) differences of the mean residuals over their standard errors by clips."""
        (e1, n1), (e2, n2) = self.first, self.second
        inside = within @ (n1 - n2) + n2.sum()
        outside = (n1 + n2).sum() - inside
        total = within @ (e1 - e2) + e2.sum()
        difference = total / inside - ((e1 + e2).sum() - total) / outside
        # Sum over clips of (their residuals within / inside - those outside / outside) squared.
        squares = within @ (e1**2 - e2**2) + (e2**2).sum()
        variance = (
            squares / inside**2
            - 2 * (e1 * e2).sum() / (inside * outside)
            + ((e1**2 + e2**2).sum() - squares) / outside**2
        )
        return np.asarray(difference / np.sqrt(np.maximum(variance, 1e-18)))

"""How odd a value is among those of an archive's own videos, and how odd among all that is compared at once.

Numbers in, probabilities out. What is measured of a video is in `statistics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

TAIL = 3.0
"""Exponent of the tail beyond the oddest reference video: twice as far out is an eighth as likely.

By rank alone no p-value can be under 1 / (n + 1), and no video would ever stand out among twenty. On development
archives with a night in ten clips a normal predictive called 7 to 28 % of undrifted ticks adrift on references of 30,
this tail, anchored at the oddest video, up to 4 % (19 % on 16 clips, where night is too often missing), and the same
with exponent 4 up to 13 %. A Lomax tail of the excess did about as well and found less.
"""
MAD_TO_DEVIATION = 1.4826
"""Turns a median absolute deviation into a standard deviation of a normal distribution (Hampel 1974)."""


@dataclass(frozen=True)
class Calibration:
    """Values of undrifted videos, made ready to judge others by: median, spread, and how odd each is, ascending."""

    centre: float
    spread: float
    odd: Floats
    two_sided: bool

    @classmethod
    def of(cls, known: Floats, floor: float, *, two_sided: bool) -> Calibration:
        """From the values of undrifted videos (n,). Raises ValueError without one.

        floor: what the spread is not taken for smaller than; a few alike videos would make all else look odd.
        """
        if not len(known):
            raise ValueError("no reference value to compare with")
        centre = float(np.median(known))
        spread = max(floor, MAD_TO_DEVIATION * float(np.median(np.abs(known - centre))))
        away = (known - centre) / spread
        return cls(centre, spread, np.sort(np.abs(away) if two_sided else away), two_sided)

    @property
    def oddest(self) -> float:
        """Robust standard deviations of the oddest of them, one at least."""
        return max(float(self.odd[-1]), 1.0)

    def p_value(self, value: float) -> float:
        """Chance that an undrifted video is as odd as `value`.

        A conformal p-value (Vovk, Gammerman and Shafer 2005) up to the oddest known video: (1 + videos at least as
        odd) / (n + 1), which holds whatever the distribution. Beyond it a Pareto tail of exponent TAIL.
        """
        away = (value - self.centre) / self.spread
        own = abs(away) if self.two_sided else away
        as_odd = len(self.odd) - int(np.searchsorted(self.odd, own, side="left"))
        rank = (1 + as_odd) / (len(self.odd) + 1)
        return float(rank * (self.oddest / own) ** TAIL) if own > self.oddest else rank

    def bound(self, level: float) -> float:
        """Distance from the median at which the p-value falls to `level`, in the unit of the values."""
        beyond = max(1.0, 1 / ((len(self.odd) + 1) * level))
        return float(self.oddest * beyond ** (1 / TAIL) * self.spread)


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Adjusted p-values (m,): those up to q are a set whose false share is q at most (Benjamini and Hochberg 1995).

    Holds for independent tests and for those that depend positively, as videos judged by one reference do.
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * count / np.arange(1, count + 1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted


def adjust(families: Sequence[Sequence[float]]) -> list[list[float]]:
    """Adjusted p-values of all statistics of all videos compared at once: one inner list a video.

    The rate is one of videos: a video's p-value is its smallest times their number (Bonferroni), Benjamini-Hochberg
    runs over the videos, and within a video each statistic keeps its distance from the smallest (Benjamini and
    Bogomolov 2014). The smallest adjusted value of a video is thus that of the video.
    """
    if any(not family for family in families):
        raise ValueError("a video without a statistic cannot be compared")
    own = np.array([min(1.0, len(family) * min(family)) for family in families])
    adjusted = benjamini_hochberg(own)
    return [
        [float(min(1.0, whole * len(family) * p / max(one, 1e-300))) for p in family]
        if one < 1
        else [1.0] * len(family)
        for family, one, whole in zip(families, own, adjusted, strict=True)
    ]

"""Frames to draw from uniformly, of which only the number and a way to find the drawn ones need be known.

An archive of millions of frames answers both without naming them all; a list of them is here. Not here: any rule of
choice, any reading.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from al_assets.keys import FRAME_BITS
from al_assets.selection.pool import Ints


class Population(Protocol):
    """Distinct frames in ascending order of their ids."""

    def __len__(self) -> int:
        """How many frames there are."""

    def clips(self) -> Ints:
        """video_no of every clip that may hold one of them."""

    def take(self, places: npt.NDArray[np.int64]) -> Ints:
        """frame_ids at these places, in the order asked for; places: distinct, in [0, len)."""


class Listed:
    """A population whose frame_ids are at hand."""

    def __init__(self, frame_ids: Ints) -> None:
        self._frame_ids = np.unique(frame_ids)

    def __len__(self) -> int:
        """How many frames there are."""
        return len(self._frame_ids)

    def clips(self) -> Ints:
        """video_no of every clip that holds one of them."""
        return np.unique(self._frame_ids >> FRAME_BITS)

    def take(self, places: npt.NDArray[np.int64]) -> Ints:
        """frame_ids at these places."""
        return self._frame_ids[places]


def draw(population: Population, size: int, rng: np.random.Generator) -> Ints:
    """`size` frames (all where there are fewer), each subset with the same chance, in a drawn order.

    Memory of the order of `size`, however large the population.
    """
    size = min(size, len(population))
    if not size:
        return np.empty(0, dtype=np.int64)
    return population.take(rng.choice(len(population), size, replace=False))

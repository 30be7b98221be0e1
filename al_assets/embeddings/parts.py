"""Which frames of a video are embedded and written together: a long one in parts. Keys only; no pixels, no tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PART_FRAMES = 2000
"""Frames a part: 5 MB of vectors at 1,280 dimensions, and what a kill in the middle of a video costs at most."""

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Keys from `first` to `last` of a video: `keys` shall have vectors, of which `todo` have none yet."""

    first: int
    last: int
    keys: Keys
    todo: Keys

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"a part runs from low to high, got {self.first} to {self.last}")


def parts_of(keys: Keys, stored: Keys, first: int, last: int, frames: int = PART_FRAMES) -> Iterator[Part]:
    """The parts of a video that have something to write, ascending; together with the others they tile its key range.

    keys: frames of the video, stored: those that have a vector, both ascending; first and last: its key range. A part
    in which every frame has its vector and no vector lost its frame is left out. A video of at most `frames` frames
    is one part and never left out.
    """
    starts = keys[::frames]
    for number in range(max(1, len(starts))):
        low = first if number == 0 else int(starts[number])
        high = last if number + 1 >= len(starts) else int(starts[number + 1]) - 1
        wanted = keys[number * frames : (number + 1) * frames]
        there = stored[np.searchsorted(stored, low) : np.searchsorted(stored, high, side="right")]
        if len(starts) <= 1 or not np.array_equal(wanted, there):
            yield Part(low, high, wanted, np.setdiff1d(wanted, there, assume_unique=True))

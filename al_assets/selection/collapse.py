"""Near-identical neighbours of a clip as one candidate that stands for them, before any strategy chooses.

A run is compared with its first frame, never with the frame before: where A is like B and B like C, C need not be like
A, and a slow pan would end up as one candidate. Not here: look-alikes of different clips or of what is taken
(redundancy.py), and which candidate is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.selection.pool import ROWS, Floats
from al_assets.selection.redundancy import ROUNDING, Frames, with_blank

FIRST_LOOK, LONGEST_LOOK = 8, 1024
"""Frames compared with a run's first one at once; a longer run is looked at in steps that double."""


NOTHING = 0.02
"""Share of the median length below which a vector says nothing."""


@dataclass(frozen=True)
class Runs:
    """Positions of the representatives, ascending, and how many frames each stands for."""

    positions: npt.NDArray[np.intp]
    sizes: npt.NDArray[np.int64]


def collapse(frames: Frames, cosine: float) -> Runs:
    """Runs of frames, neighbours in time of one clip, that are as alike to the run's first as `cosine` or more.

    The middle frame stands for its run (the earlier of two). Frames may come in any order. Vectors of next to no length
    (NOTHING) are alike, as those of none are: what direction they have is rounding.
    """
    lengths = _lengths(frames.embeddings)
    blank = lengths < NOTHING * (np.median(lengths) if len(frames) else 0.0)
    order = np.lexsort((frames.frame_ids, frames.pts_ms, frames.video_no))
    clips = frames.video_no[order]
    ends = np.append(np.flatnonzero(clips[1:] != clips[:-1]) + 1, len(order))
    starts: list[int] = []
    at = 0
    for end in ends.tolist():
        while at < end:
            starts.append(at)
            at = _end_of_run(frames.embeddings, blank, order, at, end, cosine)
    first = np.array(starts, dtype=np.int64)
    sizes = np.diff(np.append(first, len(order)))
    positions = order[first + (sizes - 1) // 2]
    ascending = np.argsort(positions)
    return Runs(positions[ascending], sizes[ascending])


def _end_of_run(
    embeddings: Floats,
    blank: npt.NDArray[np.bool_],
    order: npt.NDArray[np.intp],
    start: int,
    end: int,
    cosine: float,
) -> int:
    """Where the run that begins at `start` ends: the first place up to `end` whose frame is not like its first."""
    head = with_blank(embeddings[order[start : start + 1]])[0]
    is_blank = blank[order[start]]
    at, look = start + 1, FIRST_LOOK
    while at < end:
        rows = order[at : min(at + look, end)]
        block = with_blank(embeddings[rows])
        alike = (blank[rows] & is_blank) | (block @ head >= cosine - ROUNDING)
        unlike = np.flatnonzero(~alike)
        if unlike.size:
            return at + int(unlike[0])
        at, look = at + len(rows), min(2 * look, LONGEST_LOOK)
    return end


def _lengths(embeddings: Floats) -> npt.NDArray[np.float32]:
    """(n,) of the rows, some at a time."""
    found = np.empty(len(embeddings), dtype=np.float32)
    for start in range(0, len(embeddings), ROWS):
        rows = embeddings[start : start + ROWS].astype(np.float32)
        found[start : start + ROWS] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return found

"""Hold-out clips that are training clips once more: the same recording under another name. Arrays in, pairs out.

A copy byte for byte is told at registration; one that was cut or packed anew is not, and makes every metric a lie. Not
here: reading frames, and what follows from a leak.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COSINE = 0.995
"""Cosine of vectors from which frames of two clips count as one picture.

Of the 560 hold-out frames of two rendered archives, whose clips share sites, none had such a twin among the training
frames (at 0.99: up to 6 %). A copy that was compressed anew is not found: on a rendered clip its frames
kept cosines of 0.63 to 0.92 to the original.
"""
SHARE = 0.5
"""Share of a hold-out clip's frames with a twin in one training clip from which it is the same recording."""
FEWEST = 2
"""Twins below which chance is not ruled out."""
BLOCK = 1024


@dataclass(frozen=True)
class Twin:
    """A hold-out clip, the training clip that it repeats, how many of its frames have a twin there, of how many."""

    holdout: int
    training: int
    twins: int
    frames: int


def twins(
    holdout: npt.NDArray[np.floating],
    holdout_clips: npt.NDArray[np.int64],
    training: npt.NDArray[np.floating],
    training_clips: npt.NDArray[np.int64],
) -> list[Twin]:
    """Hold-out clips of which at least half the frames, and two, have a twin in one training clip; most twins first.

    holdout (n, d) and training (m, d): vectors of labelled frames on which some class is present; *_clips: the clip of
    each row. Frames without anybody are no evidence: empty scenes of a fixed camera are alike. Zero vectors have no
    twin. In blocks: memory is that of the vectors in float32 and of 1,024 rows of cosines.
    """
    if not len(holdout) or not len(training):
        return []
    ours, theirs = _unit(holdout), _unit(training)
    clips, clip_of = np.unique(training_clips, return_inverse=True)
    order = np.argsort(clip_of, kind="stable")
    starts = np.searchsorted(clip_of[order], np.arange(len(clips)))
    found: Counter[tuple[int, int]] = Counter()
    for start in range(0, len(ours), BLOCK):
        cosines = ours[start : start + BLOCK] @ theirs[order].T
        nearest = np.maximum.reduceat(cosines, starts, axis=1)
        for row, clip in np.argwhere(nearest >= COSINE).tolist():
            found[int(holdout_clips[start + row]), int(clips[clip])] += 1
    frames = Counter(holdout_clips.tolist())
    pairs = [Twin(ours_, theirs_, count, frames[ours_]) for (ours_, theirs_), count in found.items()]
    return sorted(
        (pair for pair in pairs if pair.twins >= max(FEWEST, SHARE * pair.frames)),
        key=lambda pair: (-pair.twins, pair.holdout, pair.training),
    )


def _unit(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    rows = vectors.astype(np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))

"""The space in which directions that all frames share no longer drown those that tell them apart. No labels here.

Frozen features vary most along a few directions (light, background) that say little of what is on a frame. Dividing
each principal direction by the square root of its variance over the unlabelled archive evens them out; adding a
multiple of the typical variance first keeps the narrow ones, mostly noise, small (Kessy, Lewin and Strimmer 2018 on
whitening; Ledoit and Wolf 2004 on shrinkage).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
SHRINKAGE = 0.3
"""Of the variance of a typical direction, added to each: among .1 to 1, all about level."""
MOST_DIRECTIONS = 256
ROWS = 8192


@dataclass(frozen=True, eq=False)
class Whitening:
    """x -> (x - mean) @ matrix, of length 1 on average. mean: (d,), matrix: (d, r), float32."""

    mean: npt.NDArray[np.float32]
    matrix: npt.NDArray[np.float32]

    @classmethod
    def of(cls, vectors: Floats, *, shrinkage: float = SHRINKAGE) -> Whitening:
        """Fitted on vectors (n >= 1, d) of the archive: its widest min(n, d, MOST_DIRECTIONS) directions."""
        rows, width = len(vectors), vectors.shape[1]
        mean = vectors.mean(axis=0, dtype=np.float64)
        covariance = np.zeros((width, width))
        for start in range(0, rows, ROWS):
            block = (vectors[start : start + ROWS] - mean).astype(np.float32)
            covariance += block.T @ block
        # Single precision: the narrow directions, which only double would resolve, are shrunk away below.
        variance, directions = np.linalg.eigh((covariance / rows).astype(np.float32))
        keep = min(rows, width, MOST_DIRECTIONS)
        variance, directions = np.maximum(variance[::-1][:keep], 0), directions[:, ::-1][:, :keep]
        total = variance.sum()
        # The variance of the direction in which a randomly chosen bit of variance lies.
        typical = (variance**2).sum() / total if total > 0 else 1.0
        scale = 1 / np.sqrt(variance + shrinkage * typical)
        scale /= np.sqrt((variance * scale**2).sum()) or 1.0
        return cls(mean.astype(np.float32), (directions * scale).astype(np.float32))

    def __call__(self, vectors: Floats) -> npt.NDArray[np.float32]:
        """Whitened vectors (n, r) float32 of vectors (n, d)."""
        out = np.empty((len(vectors), self.matrix.shape[1]), dtype=np.float32)
        for start in range(0, len(vectors), ROWS):
            block = vectors[start : start + ROWS].astype(np.float32) - self.mean
            np.matmul(block, self.matrix, out=out[start : start + ROWS])
        return out

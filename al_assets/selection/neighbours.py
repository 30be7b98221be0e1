"""Nearest neighbours among unit vectors, exactly, some rows at a time. Not here: what a strategy makes of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from al_assets.selection.rows import ROUNDING, Vectors

CELLS = 1 << 23
"""Distances held at once: 32 MiB in float32."""


def half_squared(points: Vectors, references: Vectors) -> Iterator[tuple[slice, Vectors]]:
    """Half squared distances (1 - cosine between unit vectors) of points to all references, block by block."""
    half = np.einsum("ij,ij->i", references, references) / 2
    step = max(1, CELLS // max(1, len(references)))
    for start in range(0, len(points), step):
        block = points[start : start + step]
        found = block @ references.T
        np.subtract(half, found, out=found)
        found += np.einsum("ij,ij->i", block, block)[:, None] / 2
        found[found < ROUNDING] = 0
        yield slice(start, start + len(block)), found


def nearest_others(points: Vectors, references: Vectors, k: int) -> tuple[npt.NDArray[np.int32], Vectors]:
    """Indices (n, k) of each point's k nearest references and the distances to them, nearest first.

    The first of the points are the references, in the same order: a point is no neighbour of its own.
    """
    k = min(k, len(references) - 1)
    indices = np.empty((len(points), k), dtype=np.int32)
    distances = np.empty((len(points), k), dtype=np.float32)
    for rows, squared in half_squared(points, references):
        own = np.arange(rows.start, min(rows.stop, len(references)))
        squared[own - rows.start, own] = np.inf
        near = np.argpartition(squared, min(k, squared.shape[1] - 1), axis=1)[:, :k]
        found = np.take_along_axis(squared, near, axis=1)
        order = np.argsort(found, axis=1, kind="stable")
        indices[rows] = np.take_along_axis(near, order, axis=1)
        distances[rows] = np.sqrt(2 * np.take_along_axis(found, order, axis=1))
    return indices, distances

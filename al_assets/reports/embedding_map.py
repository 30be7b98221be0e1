"""Where frames lie on the map: vectors in, two coordinates a frame out, by t-SNE. Points that stay do not move.

Not here: which frames are on the map (map_sample.py), how it is drawn (map_page.py), any table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DIMENSIONS = 50
"""Directions of largest variance that distances are measured in; the rest of a backbone's values is mostly noise."""
FITTED_ROWS = 20_000
"""Rows that those directions are found from."""
BLOCK = 4096
PERPLEXITY = 30
NEIGHBOURS = 15
"""Placed points from which a new point's place is found."""
FEW = 10
"""Points below which there are no neighbourhoods to speak of: they lie by their two first directions."""
EARLY, LATE = 250, 500
"""Steps with exaggerated attraction and without (van der Maaten & Hinton 2008)."""
PLACING = 250
TREE_POINTS = 3_000
"""Points up to which repulsion is summed over a tree (Barnes-Hut), above it over a grid (FFT): measured, 300 points
take 1 s by the tree and 12 s by the grid, 3,000 about the same."""


@dataclass(frozen=True, eq=False)
class Layout:
    """xy: (n, 2) float32, finite. kept: (n,) bool, True where a point stays as it was. method: how, in a few words."""

    xy: npt.NDArray[np.float32]
    kept: npt.NDArray[np.bool_]
    method: str


def lay_out(
    vectors: np.ndarray, before: np.ndarray, *, seed: int, jobs: int = 1, relayout_share: float = 0.5
) -> Layout:
    """Coordinates of frames on a map that people know already, as far as there is one.

    vectors: (n, d) floats. before: (n, 2), where each point lay, NaN where it is new. Points of before keep their
    coordinates to the bit, and the new ones move among them until they lie well (Policar, Strazar & Zupan 2021: they
    are drawn to their neighbours among the old ones and pushed off by all of them). Where more than relayout_share of
    all points are new the whole is laid out again: the old ones say too little then about where the new ones belong.
    jobs: threads; sums in another order give other coordinates. Raises ValueError for shapes that do not fit together.
    """
    if vectors.ndim != 2 or before.shape != (len(vectors), 2):
        raise ValueError(f"expected (n, d) vectors and (n, 2) places, got {vectors.shape} and {before.shape}")
    kept = np.isfinite(before).all(axis=1)
    if len(vectors) == 0:
        return Layout(np.empty((0, 2), np.float32), kept, "empty")
    fresh = int((~kept).sum())
    if fresh == 0:
        return Layout(before.astype(np.float32), kept, "unchanged")
    if kept.sum() >= FEW and fresh <= relayout_share * len(vectors):
        reduced = reduce(vectors, seed)
        xy: npt.NDArray[np.float32] = before.astype(np.float32)
        xy[~kept] = _place(reduced[~kept], reduced[kept], before[kept].astype(np.float64), jobs)
        return Layout(xy, kept, f"t-SNE, {fresh} points placed among {int(kept.sum())}")
    none = np.zeros(len(vectors), dtype=bool)
    reduced = reduce(vectors, seed)
    if len(vectors) < FEW:
        return Layout(_pad(reduced).astype(np.float32), none, "principal components")
    return Layout(_turned(_tsne(reduced, seed, jobs), before, kept).astype(np.float32), none, "t-SNE")


def reduce(vectors: np.ndarray, seed: int) -> Floats:
    """(n, <= DIMENSIONS): rows at length 1, so that distance is cosine, along the directions of largest variance.

    The directions come from at most FITTED_ROWS rows, drawn by the seed. Memory beyond the result is a block's.
    """
    rows = np.arange(len(vectors))
    if len(rows) > FITTED_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, FITTED_ROWS, replace=False))
    total, products = np.zeros(vectors.shape[1]), np.zeros((vectors.shape[1], vectors.shape[1]))
    for part in _blocks(rows):
        unit = _unit(vectors[part])
        total += unit.sum(axis=0)
        products += unit.T @ unit
    mean = total / max(1, len(rows))
    _, directions = np.linalg.eigh(products / max(1, len(rows)) - np.outer(mean, mean))
    largest = directions[:, ::-1][:, :DIMENSIONS]
    # An eigenvector's sign is free; without a rule the map would be mirrored from one library to the next.
    largest = largest * np.sign(largest[np.abs(largest).argmax(axis=0), np.arange(largest.shape[1])])
    return np.concatenate(
        [(_unit(vectors[part]) - mean) @ largest for part in _blocks(np.arange(len(vectors)))]
    )


def _tsne(reduced: Floats, seed: int, jobs: int) -> Floats:
    from openTSNE import TSNE

    model = TSNE(
        perplexity=min(PERPLEXITY, (len(reduced) - 1) / 3),
        initialization="pca",
        negative_gradient_method=_repulsion(len(reduced)),
        early_exaggeration_iter=EARLY,
        n_iter=LATE,
        n_jobs=jobs,
        random_state=seed,
    )
    return np.asarray(model.fit(reduced), dtype=np.float64)


def _place(fresh: Floats, old: Floats, places: Floats, jobs: int) -> Floats:
    """(m, 2) places of new points among the old ones, which stay."""
    from openTSNE.affinity import PrecomputedAffinities, joint_probabilities_nn
    from openTSNE.tsne import PartialTSNEEmbedding, TSNEEmbedding
    from scipy.sparse import identity

    neighbours, distances = _nearest(fresh, old, min(NEIGHBOURS, len(old)))
    attraction = joint_probabilities_nn(
        neighbours,
        distances,
        [max(1.0, neighbours.shape[1] / 3)],
        symmetrize=False,
        normalization="point-wise",
        n_reference_samples=len(old),
        n_jobs=jobs,
    )
    # The library centres the map for its grid, so it is centred here and moved back by the same amount.
    centre = (places.max(axis=0) + places.min(axis=0)) / 2
    standing = TSNEEmbedding(
        places - centre, PrecomputedAffinities(identity(len(old), format="csr"), normalize=False)
    )
    start = np.median((places - centre)[neighbours], axis=1)
    repulsion = _repulsion(len(old))
    moving = PartialTSNEEmbedding(
        start, standing, attraction, negative_gradient_method=repulsion, n_jobs=jobs
    )
    limits = {"learning_rate": 0.1, "momentum": 0.8, "max_grad_norm": 0.25}
    found = np.asarray(moving.optimize(PLACING, exaggeration=1.5, **limits), dtype=np.float64)
    return np.asarray(np.where(np.isfinite(found), found, start) + centre)


def _repulsion(points: int) -> str:
    return "bh" if points <= TREE_POINTS else "fft"


def _nearest(fresh: Floats, old: Floats, count: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """(m, count) old points next to each new one, nearest first, and their distances: exact, block by block."""
    squares = np.einsum("ij,ij->i", old, old)
    indices, distances = [], []
    for part in _blocks(np.arange(len(fresh)), 512):
        mine = fresh[part]
        squared = np.einsum("ij,ij->i", mine, mine)[:, None] + squares - 2 * mine @ old.T
        near = np.argpartition(squared, count - 1, axis=1)[:, :count]
        near = np.take_along_axis(near, np.argsort(np.take_along_axis(squared, near, 1), axis=1), 1)
        indices.append(near)
        distances.append(np.sqrt(np.maximum(np.take_along_axis(squared, near, 1), 0)))
    return np.concatenate(indices).astype(np.int64), np.concatenate(distances)


def _turned(xy: Floats, before: np.ndarray, kept: npt.NDArray[np.bool_]) -> Floats:
    """The layout turned or mirrored so that points which lay on the map before come near where they were.

    Distances stay as they are (orthogonal Procrustes: Schoenemann 1966).
    """
    if kept.sum() < FEW:
        return xy
    old = before[kept].astype(np.float64)
    left, _, right = np.linalg.svd((xy[kept] - xy[kept].mean(axis=0)).T @ (old - old.mean(axis=0)))
    return np.asarray((xy - xy.mean(axis=0)) @ (left @ right))


def _pad(reduced: Floats) -> Floats:
    """The first two columns; 0 where there are fewer."""
    xy = np.zeros((len(reduced), 2))
    xy[:, : min(2, reduced.shape[1])] = reduced[:, :2]
    return xy


def _unit(block: np.ndarray) -> Floats:
    rows = block.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _blocks(rows: npt.NDArray[np.int64], size: int = BLOCK) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]

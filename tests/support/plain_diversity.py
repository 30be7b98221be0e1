"""Diversity strategies as their papers define them, pair by pair in float64. Slow, for small pools; no assertion here.

What is drawn is shared with the strategies: the order of the pool and the centres of k-means come from the same
generator, so that picks can be compared one by one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from al_assets.selection.clustering import fit_centres
from al_assets.selection.pool import Pool, unit_vectors
from al_assets.selection.rows import UnitRows, seeded_rows

Matrix = npt.NDArray[np.float64]


def units(vectors: npt.NDArray[np.floating]) -> Matrix:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)


def distances(a: Matrix, b: Matrix) -> Matrix:
    return np.linalg.norm(a[:, None, :] - b[None, :, :], axis=2)


class Drawn:
    """A pool in the order that a seed draws: vectors, labelled vectors, and the generator as it is after that."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.rows: UnitRows = seeded_rows(pool, self.rng)
        self.x = units(pool.embeddings[self.rows.order])
        self.labelled = units(pool.labelled_embeddings)

    def positions(self, places: list[int]) -> list[int]:
        return [int(position) for position in self.rows.order[places]]

    def groups(self, centres: Matrix) -> npt.NDArray[np.intp]:
        return distances(self.x, centres).argmin(axis=1)


def core_set(pool: Pool, budget: int, seed: int) -> list[int]:
    """k-center greedy; without a centre the first of the drawn order."""
    drawn = Drawn(pool, seed)
    centres, chosen = list(drawn.labelled), []
    for _ in range(budget):
        near = [min((np.linalg.norm(x - c) for c in centres), default=2.0) for x in drawn.x]
        chosen.append(max((row for row in range(len(near)) if row not in chosen), key=lambda row: near[row]))
        centres.append(drawn.x[chosen[-1]])
    return drawn.positions(chosen)


def typiclust(pool: Pool, budget: int, seed: int) -> list[int]:
    """In turns over groups of more than 5 (fewest labelled, then largest): the most typical of what is left."""
    drawn = Drawn(pool, seed)
    labelled = unit_vectors(pool.labelled_embeddings)
    centres = fit_centres(drawn.rows, min(budget + len(labelled), 500), drawn.rng, beside=labelled).astype(
        float
    )
    group = drawn.groups(centres)
    held = np.bincount(distances(drawn.labelled, centres).argmin(axis=1), minlength=len(centres))
    size = np.bincount(group, minlength=len(centres)) + held
    turns = sorted((g for g in range(len(centres)) if size[g] > 5), key=lambda g: (held[g], -size[g]))
    chosen: list[int] = []
    while len(chosen) < budget:
        for g in turns:
            left = [row for row in np.flatnonzero(group == g) if row not in chosen]
            if left and len(chosen) < budget:
                chosen.append(left[int(typicality(drawn.x[left]).argmax())])
    return drawn.positions(chosen)


def typicality(x: Matrix) -> Matrix:
    k = min(20, len(x) // 2)
    if k == 0:
        return np.zeros(len(x))
    return 1 / (np.sort(distances(x, x), axis=1)[:, 1 : k + 1].mean(axis=1) + 1e-5)


def purest_radius(x: Matrix, group: npt.NDArray[np.intp], purity: float = 0.95) -> float:
    """The largest distance of a pair at which the share `purity` of open balls holds one group only."""
    apart = distances(x, x)
    alike = group[:, None] == group
    return max(r for r in np.unique(apart) if ((apart >= r) | alike).all(axis=1).mean() >= purity)


def probcover(pool: Pool, budget: int, seed: int, classes: int) -> tuple[list[int], float]:
    """Greedy by the out-degree to frames not covered, each weighted; and the radius."""
    drawn = Drawn(pool, seed)
    group = drawn.groups(fit_centres(drawn.rows, classes, drawn.rng).astype(float))
    delta = purest_radius(drawn.x, group)
    edges = distances(drawn.x, drawn.x) < delta
    weights = np.ones(len(pool)) if pool.weights is None else pool.weights[drawn.rows.order]
    open_ = ~(distances(drawn.x, drawn.labelled) < delta).any(axis=1)
    chosen: list[int] = []
    for _ in range(budget):
        degree = (edges * open_ * weights).sum(axis=1)
        degree[chosen] = -1
        chosen.append(int(degree.argmax()))
        open_ &= ~edges[chosen[-1]]
    return drawn.positions(chosen), delta


def herding_shortfalls(pool: Pool, chosen: list[int], doubt: Matrix, width: float) -> list[float]:
    """For each pick after those before it: how far below the best its gain is, in parts of all u.

    The gain of x' is the mean of u(x) max(0, k(x, x') - max over taken l of k(x, l)). Gains rather than picks are
    given: two frames that only have each other left to cover gain exactly the same.
    """
    x, held = units(pool.embeddings), units(pool.labelled_embeddings)
    u = doubt * (1 if pool.weights is None else pool.weights)
    kernel = np.exp(-((distances(x, x) / width) ** 2))
    cover = np.exp(-((distances(x, held) / width) ** 2)).max(axis=1, initial=0)
    shortfalls = []
    for pick in chosen:
        gain = (u[:, None] * np.maximum(kernel - cover[:, None], 0)).sum(axis=0) / u.sum()
        shortfalls.append(float(gain.max() - gain[pick]))
        cover = np.maximum(cover, kernel[pick])
    return shortfalls


def gradients(pool: Pool) -> Matrix:
    """(n, k * d): the gradient of the last layer for the model's own answer, written out."""
    assert pool.probabilities is not None
    p = pool.probabilities.astype(np.float64)
    answer = np.eye(p.shape[1])[p.argmax(axis=1)] if pool.task == "single_label" else (p >= 0.5).astype(float)
    return np.stack([np.outer(e, x).ravel() for e, x in zip(p - answer, units(pool.embeddings), strict=True)])


def seeding_chances(gradient: Matrix, chosen: list[int]) -> Matrix:
    """k-means++: the chance of each row to be drawn next."""
    squared = (distances(gradient, gradient[chosen]) ** 2).min(axis=1)
    return squared / squared.sum()


def masks(shape: tuple[int, int], rng: np.random.Generator) -> Iterator[Matrix]:
    """Dropout of 0.75, what is kept scaled up: the draws of the strategy for a pool of one block."""
    for _ in range(3):
        bytes_ = np.frombuffer(rng.bytes(shape[0] * shape[1]), dtype=np.uint8).reshape(shape)
        yield np.where(bytes_ < 64, 4.0, 0.0)


def dropquery(pool: Pool, budget: int, seed: int) -> tuple[dict[int, int], dict[int, float], list[float]]:
    """Candidates with their groups and distances to the centres, and the least distance in each group.

    Candidates flip in most passes, or in fewer until there are 25 a pick. A group of two has two nearest frames.
    """
    drawn = Drawn(pool, seed)
    assert pool.linear is not None
    x = pool.embeddings[drawn.rows.order].astype(np.float64)

    def answers(vectors: Matrix) -> list[tuple[int, ...]]:
        logits = vectors @ pool.linear.weight.T + pool.linear.bias  # type: ignore[union-attr]
        if pool.task == "single_label":
            return [(int(row.argmax()),) for row in logits]
        return [tuple(np.flatnonzero(1 / (1 + np.exp(-row)) >= 0.5)) for row in logits]

    passes = [answers(x * mask) for mask in masks((len(x), x.shape[1]), drawn.rng)]
    flips = [sum(one[row] != plain for one in passes) for row, plain in enumerate(answers(x))]
    least = next(t for t in (2, 1, 0) if not t or sum(f >= t for f in flips) >= min(25 * budget, len(flips)))
    candidates = np.array([row for row, f in enumerate(flips) if f >= least])
    among = UnitRows(pool.embeddings, drawn.rows.order[candidates])
    apart = distances(drawn.x[candidates], fit_centres(among, budget, drawn.rng).astype(float))
    own, positions = apart.argmin(axis=1), drawn.positions(candidates.tolist())
    group = dict(zip(positions, own.tolist(), strict=True))
    nearest = dict(zip(positions, apart.min(axis=1).tolist(), strict=True))
    return group, nearest, [float(apart[own == g, g].min(initial=np.inf)) for g in range(apart.shape[1])]

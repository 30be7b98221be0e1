"""How far apart vectors of two groups of clips may lie by chance: the bound of the window's test. No report here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
SHUFFLES = 999
SEED = 0


def discrepancy_bound(
    before: Floats, after: Floats, clips: tuple[Floats, Floats], level: float = 0.05
) -> float:
    """Maximum mean discrepancy that a share `level` of windows exceed when clips change sides at random.

    before, after: frames (m, d) and (n, d); clips: the clip of each, (m,) and (n,), none on both sides. Unbiased MMD
    with a Gaussian kernel of the median distance (Gretton et al. 2012, as Evidently has it); whole clips are shuffled,
    since frames of one clip are alike, and only kernel sums of pairs of clips are looked at again.
    """
    rows = np.concatenate([before, after]).astype(np.float64)
    squares = np.square(rows).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * rows @ rows.T, 0.0)
    scale = max(float(np.median(np.sqrt(distances[: len(before), len(before) :]))) ** 2, 1e-12)
    sides = np.concatenate([np.zeros(len(before)), np.ones(len(after))])
    units, member = np.unique(np.stack([sides, np.concatenate(clips)], axis=1), axis=0, return_inverse=True)
    groups = np.eye(len(units))[member.ravel()]
    sums = groups.T @ np.exp(-distances / scale) @ groups
    sizes, side = groups.sum(axis=0), units[:, 0] == 1
    rng = np.random.default_rng(SEED)
    shuffled = [_discrepancy(sums, sizes, rng.permutation(side)) for _ in range(SHUFFLES)]
    return float(max(np.quantile(shuffled, 1 - level), 0.0))


def _discrepancy(sums: Floats, sizes: Floats, side: npt.NDArray[np.bool_]) -> float:
    m, n = float(sizes[~side].sum()), float(sizes[side].sum())
    within = (sums[np.ix_(~side, ~side)].sum() - m) / max(m * (m - 1), 1.0)
    other = (sums[np.ix_(side, side)].sum() - n) / max(n * (n - 1), 1.0)
    return float(within + other - 2 * sums[np.ix_(~side, side)].sum() / max(m * n, 1.0))

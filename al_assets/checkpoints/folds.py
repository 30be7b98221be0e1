"""Folds for cross-validation that keep clips whole. No model, no random state of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def clip_folds(
    targets: npt.NDArray[np.int8], groups: npt.NDArray[np.int64], *, folds: int, seed: int
) -> npt.NDArray[np.int64]:
    """Fold of each row, (n,) in [0, folds): no clip straddles two, each class is spread over all it can.

    Greedy: clips that hold the largest share of some class come first and go where they unbalance least (as
    in Sechidis et al. 2011 for rows). targets: (n, k) in {1, 0, -1}; groups: (n,) clip of each row; fewer
    clips than folds give as many folds as clips. Ties fall by the seed.
    """
    clips, clip_of = np.unique(groups, return_inverse=True)
    folds = min(folds, len(clips))
    positives = np.zeros((len(clips), targets.shape[1]))
    np.add.at(positives, clip_of, targets == 1)
    sizes = np.bincount(clip_of, minlength=len(clips)).astype(np.float64)
    # Size counts as one more class, so that folds without positives of anything are still even.
    share = np.column_stack([positives / np.maximum(positives.sum(axis=0), 1), sizes / sizes.sum()])
    ties = np.random.default_rng(seed).permutation(len(clips))
    load = np.zeros((folds, share.shape[1]))
    fold_of_clip = np.zeros(len(clips), dtype=np.int64)
    for clip in np.lexsort((ties, -share.max(axis=1))):
        # Growth of the sum of squared loads is 2 * load * share + share**2; the last is the same everywhere.
        fold = int(np.argmin(load @ share[clip]))
        fold_of_clip[clip] = fold
        load[fold] += share[clip]
    return fold_of_clip[clip_of]

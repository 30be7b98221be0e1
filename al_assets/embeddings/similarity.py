"""Which vectors are nearest to one, by cosine: exact, block by block. Where vectors come from is not known here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Nearest:
    """frame_ids (m,) and their cosines (m,) with what was asked for, in [-1, 1], nearest first."""

    frame_ids: Keys
    cosines: Floats


def nearest(query: np.ndarray, blocks: Iterable[tuple[Keys, np.ndarray]], count: int) -> Nearest:
    """The `count` frames nearest to query (d,), of blocks of (frame_ids (n,), vectors (n, d)); ties by frame_id.

    Memory is a block's and the result's. A vector without length is near to nothing: its cosine is 0. Raises ValueError
    where lengths of vectors differ.
    """
    target = unit_rows(query[None])[0]
    keys, cosines = np.empty(0, np.int64), np.empty(0, np.float32)
    for block_keys, vectors in blocks:
        if vectors.shape[1:] != target.shape:
            raise ValueError(f"vectors of {vectors.shape[1:]} values, asked for {target.shape}")
        keys = np.concatenate([keys, block_keys])
        cosines = np.concatenate([cosines, unit_rows(vectors) @ target])
        if len(keys) > 4 * count:
            keys, cosines = _best(keys, cosines, count)
    return Nearest(*_best(keys, cosines, count))


def unit_rows(vectors: np.ndarray) -> Floats:
    """Rows at length 1; rows without length stay 0."""
    rows = vectors.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(lengths > 0, lengths, np.float32(1))
    return rows


def _best(keys: Keys, cosines: Floats, count: int) -> tuple[Keys, Floats]:
    order = np.lexsort((keys, -cosines))[:count]
    return keys[order], cosines[order]

"""A random order of positions that is computed, not stored. No data, no labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

BLOCK = 4_096
ROUNDS = 6
_MIX = np.uint64(0x9E3779B97F4A7C15)


class ShuffledPositions(Sampler[int]):
    """Every position of `length` once an epoch, in another order each, in memory of a block.

    `DataLoader(shuffle=True)` holds a Python list of all positions: 0.4 GB for 10 million. This order is a
    Feistel cipher of the positions, walked along its cycles until it falls below `length` (Black and Rogaway
    2002, ciphers with arbitrary finite domains). seed and the number of the epoch decide it.
    """

    def __init__(self, length: int, *, seed: int) -> None:
        """Raises ValueError for a negative length."""
        if length < 0:
            raise ValueError(f"length = {length} must be at least 0")
        self.length, self.seed, self.epoch = length, seed, 0
        self._half = np.uint64(max(1, -(-max(length - 1, 1).bit_length() // 2)))
        self._mask = np.uint64((1 << int(self._half)) - 1)

    def __len__(self) -> int:
        """Positions an epoch."""
        return self.length

    def __iter__(self) -> Iterator[int]:
        """The positions of the next epoch."""
        keys = np.random.default_rng((self.seed, self.epoch)).integers(0, 2**64, ROUNDS, dtype=np.uint64)
        self.epoch += 1
        for start in range(0, self.length, BLOCK):
            block = np.arange(start, min(start + BLOCK, self.length), dtype=np.uint64)
            outside = np.ones(len(block), dtype=bool)
            while outside.any():
                block[outside] = self._encipher(block[outside], keys)
                outside = block >= self.length
            yield from block.tolist()

    def _encipher(
        self, positions: npt.NDArray[np.uint64], keys: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.uint64]:
        left, right = positions >> self._half, positions & self._mask
        for key in keys:
            mixed = (right ^ key) * _MIX
            mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
            left, right = right, left ^ (mixed >> np.uint64(32) & self._mask)
        return left << self._half | right

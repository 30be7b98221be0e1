"""An index of the vectors of a large archive: near frames without a look at every one of them (faiss).

Vectors at length 1 are turned onto their directions of largest variance, put into cells (k-means) and kept at a byte a
value (Jegou, Douze & Schmid 2011 for the cells): 128 bytes a frame. What it finds are candidates; their true vectors
decide. Not here: where an index is kept, or what it covers (al_assets/similarity_files.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from al_assets.embeddings.similarity import unit_rows

DIMENSIONS = 128
ROWS_A_CELL = 40
"""Rows that a cell's centre is found from; faiss warns below 39."""
MOST_CELLS = 4096
PROBED_CELLS = 32
"""Cells looked into for one query; `al bench similar` says what share of the true neighbours that finds."""
GROWTH = 4.0
"""Beyond so many times the frames that it was trained for, an index is made anew: its cells would be too full."""


def cells_of(frames: int) -> int:
    """Cells for so many frames: about four times the square root, which balances finding a cell with reading it."""
    return int(min(MOST_CELLS, max(16, 4 * frames**0.5)))


def training_rows(frames: int) -> int:
    """Frames that an index for so many of them is trained on."""
    return min(frames, ROWS_A_CELL * cells_of(frames))


@dataclass(eq=False)
class SimilarityIndex:
    """An index in memory, or read in place from a file."""

    index: Any

    def __len__(self) -> int:
        """Frames that it holds."""
        return int(self.index.ntotal)

    @classmethod
    def trained(cls, sample: np.ndarray, frames: int, seed: int) -> SimilarityIndex:
        """An empty index for about so many frames, trained on sample (n, d) of their vectors."""
        import faiss

        cells = max(1, min(cells_of(frames), len(sample) // ROWS_A_CELL))
        kept = min(DIMENSIONS, sample.shape[1], len(sample))
        index = faiss.index_factory(sample.shape[1], f"PCAR{kept},IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
        faiss.extract_index_ivf(index).cp.seed = seed
        index.train(unit_rows(sample))
        return cls(index)

    @classmethod
    def read(cls, path: Path, *, in_place: bool = False) -> SimilarityIndex:
        """The index of a file. in_place: pages are read when they are needed, and it cannot be changed."""
        import faiss

        return cls(
            faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if in_place else 0)
        )

    def write(self, path: Path) -> None:
        """Write it to a file."""
        import faiss

        faiss.write_index(self.index, str(path))

    def add(self, blocks: Iterable[tuple[npt.NDArray[np.int64], np.ndarray]]) -> None:
        """Add blocks of (frame_ids, vectors), one in memory at a time."""
        for keys, vectors in blocks:
            if len(keys):
                self.index.add_with_ids(unit_rows(vectors), keys)

    def remove(self, first: int, last: int) -> None:
        """Take the frames of a key range out, both ends inclusive."""
        import faiss

        faiss.extract_index_ivf(self.index).remove_ids(faiss.IDSelectorRange(first, last + 1))
        self.index.ntotal = faiss.extract_index_ivf(self.index).ntotal

    def candidates(self, query: np.ndarray, count: int) -> npt.NDArray[np.int64]:
        """About `count` frames near query (d,): (m,) int64, in no order that means anything."""
        import faiss

        faiss.extract_index_ivf(self.index).nprobe = PROBED_CELLS
        _, keys = self.index.search(unit_rows(query[None]), min(count, max(1, len(self))))
        return np.asarray(keys[0][keys[0] >= 0])

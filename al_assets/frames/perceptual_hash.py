"""Which neighbouring frames look the same: a 64-bit hash and the finder built on it. No files, no tables."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from al_assets.frames.quality import gray

GRID = 32
TOLERANCE = 8.0
"""Coefficients below this (gray levels x GRID / 2) are noise: two black frames must hash alike."""

THUMBNAIL = 32
CELL_CHANGE = 12.0
"""Gray levels (of 255) by which no cell of a thumbnail may move against the rest between duplicates."""


def _cosines(n: int) -> np.ndarray:
    """Orthonormal DCT-II matrix, (n, n)."""
    k = np.arange(n)
    matrix: np.ndarray = np.cos(np.pi * (2 * k[None, :] + 1) * k[:, None] / (2 * n)) * np.sqrt(2 / n)
    matrix[0] /= np.sqrt(2)
    return matrix


def _lowest(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the n lowest frequencies without the mean, diagonal by diagonal."""
    pairs = sorted(
        ((u + v, u, v) for u in range(GRID) for v in range(GRID) if u + v),
        key=lambda t: t,
    )[:n]
    return np.array([u for _, u, _ in pairs]), np.array([v for _, _, v in pairs])


_DCT = _cosines(GRID)
_ROWS, _COLUMNS = _lowest(64)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """(32, 32) float32 gray levels: area means of the image's luma, whatever its shape."""
    picture = Image.fromarray(gray(image)).convert("F")
    return np.asarray(picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def perceptual_hash(image: np.ndarray) -> int:
    """Signed 64-bit DCT hash: bit i says whether the i-th lowest frequency lies above the median.

    After Zauner 2010 (pHash), on the 64 lowest frequencies without the mean, so a change of brightness alone
    changes nothing; flat pictures hash to 0.
    """
    return hash_thumbnail(thumbnail(image))


def hash_thumbnail(cells: np.ndarray) -> int:
    """perceptual_hash of a picture whose thumbnail is at hand."""
    coefficients = (_DCT @ cells @ _DCT.T)[_ROWS, _COLUMNS]
    bits = coefficients > max(float(np.median(coefficients)), TOLERANCE)
    return int(np.packbits(bits).view(">i8")[0])


def hamming_distance(a: int, b: int) -> int:
    """Number of bits, 0 to 64, in which two hashes differ."""
    return ((a ^ b) & 0xFFFFFFFFFFFFFFFF).bit_count()


def _relit(cells: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`cells` in the light of `target`: scaled and shifted to its median and spread.

    A cloud before the sun changes all cells together; only what changed against the rest makes a new frame.
    """
    low, middle, high = _quartiles(cells)
    target_low, target_middle, target_high = _quartiles(target)
    # A flat picture has no spread to compare.
    gain = (target_high - target_low) / (high - low) if high - low > CELL_CHANGE else 1.0
    relit: np.ndarray = (cells - middle) * min(max(gain, 0.5), 2.0) + target_middle
    return relit


def _quartiles(cells: np.ndarray) -> tuple[float, float, float]:
    quarter = cells.size // 4
    low, middle, high = np.partition(cells, (quarter, 2 * quarter, 3 * quarter), axis=None)[
        [quarter, 2 * quarter, 3 * quarter]
    ]
    return float(low), float(middle), float(high)


class DuplicateFinder:
    """Marks frames that repeat the last frame that was kept.

    The comparison is always with the kept frame, never with the frame before: a slow pan A~B~C would
    otherwise make one duplicate of everything (video2x#270). Where thumbnails are given, a cell that
    changed makes a new frame though the hashes agree: a small animal at the edge moves no low frequency.
    """

    def __init__(self, max_distance: int) -> None:
        """max_distance: bits, 0 to 64, in which duplicates may differ; -1 finds no duplicates."""
        if not -1 <= max_distance <= 64:
            raise ValueError(
                f"max_distance is {max_distance}; give 0 to 64 bits, or -1 to find no duplicates"
            )
        self._max_distance = max_distance
        self._kept: tuple[int, int, np.ndarray | None] | None = None

    @property
    def state(self) -> list[Any] | None:
        """What `go_on` needs: plain values."""
        if self._kept is None:
            return None
        key, phash, cells = self._kept
        return [
            key,
            phash,
            None if cells is None else base64.b64encode(cells.astype("<f4").tobytes()).decode(),
        ]

    def go_on(self, state: Sequence[Any] | None) -> None:
        """Go on from the state of another finder of the same distance."""
        self._kept = None
        if state is not None:
            key, phash, text = state
            cells = None if text is None else np.frombuffer(base64.b64decode(text), "<f4")
            self._kept = key, phash, None if cells is None else cells.reshape(THUMBNAIL, THUMBNAIL)

    def duplicate_of(self, frame_id: int, phash: int, cells: np.ndarray | None = None) -> int | None:
        """frame_id of the kept frame that this one repeats, or None, which makes this one the kept frame."""
        if self._kept is not None and self._repeats(phash, cells):
            return self._kept[0]
        self._kept = (frame_id, phash, cells)
        return None

    def _repeats(self, phash: int, cells: np.ndarray | None) -> bool:
        assert self._kept is not None
        _, kept_hash, kept_cells = self._kept
        if hamming_distance(phash, kept_hash) > self._max_distance:
            return False
        if cells is None or kept_cells is None:
            return True
        return float(np.abs(_relit(kept_cells, cells) - cells).max()) <= CELL_CHANGE

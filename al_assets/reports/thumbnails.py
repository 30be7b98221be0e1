"""Small pictures on one sheet: which points get one, and the sheet itself. No file is read or written here."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

CELL = (112, 84)
"""Width and height of a small picture, pixels."""
COLUMNS = 30
QUALITY = 60
BACKGROUND = (238, 241, 244)


def spread_over(xy: np.ndarray, preferred: np.ndarray, count: int) -> np.ndarray:
    """Places of at most `count` of (n, 2) points, ascending, so that every part of the map has some.

    A grid is laid over the map, fine enough for `count` cells with points in them; each gives one point, a preferred
    one (n,) bool where it has any.
    """
    if len(xy) <= count:
        return np.arange(len(xy))
    if count == 0:
        return np.empty(0, dtype=np.int64)
    span = np.maximum(np.ptp(xy, axis=0).max(), 1e-12)
    scaled = (xy - xy.min(axis=0)) / span
    best = np.empty(0, dtype=np.int64)
    order = np.argsort(~preferred, kind="stable")
    for side in range(2, 4 * count):
        cells = np.minimum((scaled[order] * side).astype(np.int64), side - 1)
        _, first = np.unique(cells[:, 0] * side + cells[:, 1], return_index=True)
        if len(first) > count:
            break
        best = order[first]
    return np.sort(best)


def contact_sheet(images: Sequence[np.ndarray]) -> bytes:
    """A JPEG of all (h, w, 3) uint8 images, shrunk into cells row by row, COLUMNS a row; empty without any."""
    if not images:
        return b""
    width, height = CELL
    rows = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width, rows * height), BACKGROUND)
    for number, image in enumerate(images):
        picture = Image.fromarray(image)
        picture.thumbnail(CELL)
        row, column = divmod(number, COLUMNS)
        inset = ((width - picture.width) // 2, (height - picture.height) // 2)
        sheet.paste(picture, (column * width + inset[0], row * height + inset[1]))
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=QUALITY)
    return data.getvalue()

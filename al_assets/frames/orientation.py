"""Which way up a frame is: reads a display matrix and turns pixels accordingly. No file is opened here."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Orientation:
    """How stored pixels become upright: mirrored left to right first (if so), then turned.

    rotation: degrees counter-clockwise, one of 0, 90, 180, 270.
    """

    rotation: int = 0
    mirrored: bool = False

    def upright(self, image: np.ndarray) -> np.ndarray:
        """The image turned upright, contiguous; (h, w) or (h, w, 3)."""
        if self.mirrored:
            image = image[:, ::-1]
        if self.rotation:
            image = np.rot90(image, self.rotation // 90)
        return np.ascontiguousarray(image)

    @property
    def transposed(self) -> bool:
        """Whether width and height change places."""
        return self.rotation in (90, 270)


UPRIGHT = Orientation()


def from_display_matrix(matrix: bytes | None) -> Orientation:
    """Orientation of a 3x3 display matrix as FFmpeg hands it out: nine native 32-bit integers, row by row.

    A point (x, y), y downwards, goes to (a x + c y, b x + d y) with rows (a, b), (c, d). Turns that are no
    quarter turns (a tilted phone) are taken to the nearest one; an empty or degenerate matrix is upright.
    """
    if matrix is None or len(matrix) < 36:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    determinant = a * d - b * c
    if determinant == 0:
        return UPRIGHT
    mirrored = determinant < 0
    if mirrored:
        a, b = -a, -b
    angle = round(float(np.degrees(np.arctan2(-b, a))) / 90) * 90 % 360
    return Orientation(rotation=angle, mirrored=mirrored)

"""How bright and how sharp a frame is, from a small gray picture of it. No thresholds here: drift judges."""

from __future__ import annotations

import numpy as np
from PIL import Image

WORKING_SIDE = 256
"""Longer side in pixels of the gray picture that all measures share, so that they compare across cameras."""


def gray(image: np.ndarray, side: int = WORKING_SIDE) -> np.ndarray:
    """(h, w) uint8 luma (Rec. 601) of an RGB or gray uint8 image, its longer side at most `side` pixels.

    The same filter as RawFrame.gray has, so that videos and stills measure alike.
    """
    if image.ndim not in (2, 3) or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"expected a (h, w, 3) or (h, w) uint8 image, got {image.shape} {image.dtype}")
    scale = side / max(image.shape[:2])
    if image.ndim == 2 and scale >= 1:
        return image
    picture = Image.fromarray(image)
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(picture.convert("L"))


def brightness(image: np.ndarray) -> float:
    """Mean luma in [0, 1]; 0 is black."""
    return float(gray(image).mean(dtype=np.float64) / 255.0)


def sharpness(image: np.ndarray) -> float:
    """Variance of the Laplacian of the luma, in squared gray levels (Pech-Pacheco et al. 2000).

    0 for a flat picture and for one of fewer than 3 pixels a side; it falls with blur, fog and darkness.
    """
    luma = gray(image).astype(np.int16)
    if min(luma.shape) < 3:
        return 0.0
    centre = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * centre
    # Whole numbers are exact, the same on every machine, and faster than ndarray.var.
    total, squares = int(laplacian.sum()), int(np.square(laplacian, dtype=np.int32).sum())
    return (squares - total * total / laplacian.size) / laplacian.size

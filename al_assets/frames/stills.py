"""Stills out: a frame as a JPEG for a person or a fine-tuning run. Where it is stored is not known here."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def encode_jpeg(image: np.ndarray, *, quality: int = 92, max_side: int | None = None) -> bytes:
    """JPEG of a (h, w, 3) uint8 RGB image, shrunk so that no side exceeds `max_side` pixels, never enlarged.

    The same image gives the same bytes. quality: 1 to 95 (Pillow's scale).
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"expected a (h, w, 3) uint8 RGB image, got {image.shape} {image.dtype}")
    if not 1 <= quality <= 95:
        raise ValueError(f"JPEG quality is {quality}; give 1 to 95")
    if max_side is not None and max_side < 1:
        raise ValueError(f"max_side is {max_side}; give 1 pixel or more")
    picture = Image.fromarray(image)
    if max_side is not None:
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()

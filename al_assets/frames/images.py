"""Still images in: JPEG, PNG and the like to upright RGB pixels. Writing stills belongs in stills.py."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
"""File name endings, in lower case, that make a file a frame of a folder of stills."""

_PARSER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
)
"""Pillow's decoders raise whatever they trip over; the bytes are in memory, so it is the image's fault."""


class UnreadableImageError(ValueError):
    """An image cannot be decoded; the message is for the owner of the archive."""


def read_image(source: str | Path | BinaryIO) -> np.ndarray:
    """(h, w, 3) uint8 RGB pixels, turned upright as the camera says (EXIF); the first picture of several.

    16-bit gray is scaled to 8 bits, transparency is dropped. Raises UnreadableImageError where the image is
    empty, cut off or none; errors of the storage itself come through as they are.
    """
    data = _bytes(source)
    if not data:
        raise UnreadableImageError("the file is empty (0 bytes); copy it again")
    try:
        with Image.open(io.BytesIO(data)) as opened:
            picture = _eight_bit(opened)
            # In place, and converted only where it must be: either copies the picture even where nothing changes.
            ImageOps.exif_transpose(picture, in_place=True)
            return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except UnidentifiedImageError as error:
        raise UnreadableImageError("not an image; remove it or convert it to JPEG or PNG") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(f"too large ({error}); make it smaller") from error
    except _PARSER_ERRORS as error:
        raise UnreadableImageError(f"damaged or cut off ({error}); copy it again") from error


def _bytes(source: str | Path | BinaryIO) -> bytes:
    if isinstance(source, str | Path):
        return Path(source).read_bytes()
    return source.read()


def _eight_bit(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        # Pillow would clip: everything over 255 of a 16-bit image came out white.
        values = np.asarray(picture, dtype=np.float64)
        scaled = Image.fromarray(np.clip(values / 256, 0, 255).astype(np.uint8))
        scaled.getexif().update(picture.getexif())
        return scaled
    return picture

"""Folders of real handwritten digits as stills of an archive. No assertion here."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from resources.storage import Storage

FOLDERS, STILLS = 10, 12


def write_stills(storage: Storage) -> dict[str, str]:
    """Ten folders of twelve real digits each; returns path -> digit."""
    digits = load_digits()
    chosen = np.random.default_rng(4).choice(
        np.flatnonzero(digits.target < 4), FOLDERS * STILLS, replace=False
    )
    truth = {}
    for number, row in enumerate(chosen):
        path = f"folder-{number // STILLS}/ünïcode {number:03d}.png"
        pixels = (digits.images[row] * 15.9).astype(np.uint8)
        still = Image.fromarray(pixels).resize((96, 96), Image.Resampling.BICUBIC).convert("RGB")
        content = io.BytesIO()
        still.save(content, "png")
        storage.write(f"videos/{path}", content.getvalue())
        truth[path] = f"digit {digits.target[row]}"
    return truth

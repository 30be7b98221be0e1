"""How often Python looks for cycles among objects: too often where a million small ones are made. Nothing else."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 100_000
"""Made between two looks, in place of 700; a few tens of MiB."""


@contextmanager
def few_collections() -> Iterator[None]:
    """Cycles are still found, only later: importing is a third faster for it (`al bench labels`)."""
    before = gc.get_threshold()
    gc.set_threshold(max(NEW_OBJECTS, before[0]) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)

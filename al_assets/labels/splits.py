"""Which split a video belongs to, decided once at its registration and never again.

Not here: storing the answer, or drawing frames. The split depends on the ordinal and the seed alone, through
a hash and not through a random generator, whose stream may change with the library's version.
"""

from __future__ import annotations

import hashlib

from al_assets.keys import Split

BLOCK: tuple[Split, ...] = ("train",) * 7 + ("validation",) + ("test",) * 2
_OPENING: tuple[Split, ...] = ("train", "validation", "test")


def assign_splits(n: int, already: int, seed: int) -> list[Split]:
    """Splits of the next n videos when `already` are registered; a video's batch makes no difference."""
    return [split_of(ordinal, seed) for ordinal in range(already, already + n)]


def split_of(ordinal: int, seed: int) -> Split:
    """Split of the ordinal-th video (from 0): seeded permuted blocks of ten, 7 train, 1 validation, 2 test.

    The first three videos of the first block are one of each, so that an archive of three can already learn,
    calibrate and be measured. Raises ValueError for a negative ordinal.
    """
    return _split(ordinal, f"video:{seed}")


def split_of_site(ordinal: int, seed: int) -> Split:
    """Split of the ordinal-th site (from 0), for archives whose videos are split by whole sites."""
    return _split(ordinal, f"site:{seed}")


def _split(ordinal: int, salt: str) -> Split:
    if ordinal < 0:
        raise ValueError(f"ordinal {ordinal} is negative; count registrations from 0")
    block, place = divmod(ordinal, len(BLOCK))
    if block > 0:
        return _permuted(BLOCK, f"{salt}:{block}")[place]
    opening = _permuted(_OPENING, f"{salt}:opening")
    rest: tuple[Split, ...] = ("train",) * 6 + ("test",)
    return (opening + _permuted(rest, f"{salt}:0"))[place]


def _permuted(splits: tuple[Split, ...], salt: str) -> tuple[Split, ...]:
    order = sorted(range(len(splits)), key=lambda slot: hashlib.sha256(f"{salt}:{slot}".encode()).digest())
    return tuple(splits[slot] for slot in order)

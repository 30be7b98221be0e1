"""Which frames are on the map: spread over videos and classes, and mostly the same ones from map to map.

A frame's place in the draw is a hash of its key, so that a larger archive draws what a smaller one drew, and some more.
Not here: reading frames (resources/queries/maps.py), or where they lie (embedding_map.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

VIDEOS = 5_000
"""Videos that a sample is drawn from at most, so that few ranges of keys are read however large the archive."""
CANDIDATES = 3
"""Frames looked at for each that is drawn: among them rare classes are found."""
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def chosen_videos(video_nos: Keys, seed: int) -> Keys:
    """At most VIDEOS of the videos, ascending; those with the smallest hashes."""
    if len(video_nos) <= VIDEOS:
        return video_nos
    return np.sort(video_nos[np.argsort(draw_order(video_nos, seed), kind="stable")[:VIDEOS]])


def even_shares(sizes: Keys, total: int) -> Keys:
    """How many each of several groups gives so that all give the same number, or all they have: (g,) int64.

    even_shares([2, 10, 10], 12) == [2, 5, 5]; the sum is `total`, or all there is.
    """
    if sizes.sum() <= total:
        return sizes.astype(np.int64)
    order = np.argsort(sizes, kind="stable")
    shares = np.zeros(len(sizes), dtype=np.int64)
    left = max(0, total)
    for place, group in enumerate(order):
        shares[group] = min(int(sizes[group]), left // (len(sizes) - place))
        left -= int(shares[group])
    return shares


def spread(groups: Keys, keys: Keys, stays: Marks, total: int, seed: int) -> Marks:
    """Which `total` of the keys are drawn, evenly over their groups: (n,) bool.

    Within a group come first those that were on the last map (stays), then by hash.
    """
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    order = np.lexsort((draw_order(keys, seed), ~stays, group))
    rank = np.empty(len(keys), dtype=np.int64)
    rank[order] = np.arange(len(keys)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.asarray(rank < even_shares(sizes, total)[group])


def draw_order(keys: Keys, seed: int) -> npt.NDArray[np.uint64]:
    """A hash of each key (splitmix64: Steele, Lea & Flood 2014): ascending, it is an order as good as drawn."""
    mixed = keys.astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * multiplier
    return mixed ^ (mixed >> np.uint64(31))

"""Whether a batch keeps the rule of redundancy, looked at anew: pairs of its frames that are too close.

Not here: the rule as a batch is chosen by it (redundancy.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.selection.redundancy import Frames, RedundancyRule, with_blank

BLOCK = 1024
SHOWN = 20


@dataclass(frozen=True)
class Pairs:
    """How many pairs are too close, and the first of them: two frame_ids and why."""

    count: int
    shown: tuple[tuple[int, int, str], ...]


def pairs_in_time(frames: Frames, chosen: npt.NDArray[np.bool_], rule: RedundancyRule) -> Pairs:
    """Neighbours in a clip closer than the rule's gap, of which the strategy chose (n,) at least one."""
    order = np.lexsort((frames.pts_ms, frames.video_no))
    clips, times, own = frames.video_no[order], frames.pts_ms[order], chosen[order]
    gaps = np.diff(times)
    close = (np.diff(clips) == 0) & (gaps < rule.minimum_gap_ms) & (own[1:] | own[:-1])
    found = np.flatnonzero(close)
    keys = frames.frame_ids[order]
    shown = [(int(keys[at]), int(keys[at + 1]), f"{int(gaps[at])} ms apart") for at in found[:SHOWN].tolist()]
    return Pairs(len(found), tuple(shown))


def pairs_alike(frames: Frames, chosen: npt.NDArray[np.bool_], rule: RedundancyRule) -> Pairs:
    """Frames as alike as the rule's cosine or more, of which the strategy chose (n,) at least one."""
    if rule.cosine is None or not chosen.any():
        return Pairs(0, ())
    vectors = with_blank(frames.embeddings)
    own = np.flatnonzero(chosen)
    count, shown = 0, list[tuple[int, int, str]]()
    for start in range(0, len(own), BLOCK):
        rows = own[start : start + BLOCK]
        products = vectors[rows] @ vectors.T
        # Two frames of the strategy are one pair, whichever comes first.
        counted = ~chosen[None, :] | (np.arange(len(frames))[None, :] > rows[:, None])
        at, other = np.nonzero(counted & (products >= rule.cosine))
        count += len(at)
        for row, column in list(zip(at.tolist(), other.tolist(), strict=True))[: SHOWN - len(shown)]:
            cosine = min(float(products[row, column]), 1.0)
            first, second = frames.frame_ids[rows[row]], frames.frame_ids[column]
            shown.append((int(first), int(second), f"cosine {cosine:.3f}"))
    return Pairs(count, tuple(shown))

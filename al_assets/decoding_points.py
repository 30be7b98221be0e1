"""Places in a video from which decoding can go on. Values only: seeking is the frames room's, rows are SQL's."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class DecodingPoint:
    """A frame that was decoded, and what is needed to come to it again without the frames before it.

    frame_index among all decoded frames; pts in ticks of the stream; pts_ms since the first frame; key_pts: ticks of
    the key frame before it, from which to decode; checksum of this frame and those since the key frame; state: JSON of
    clocks and counters.
    """

    frame_index: int
    pts: int
    pts_ms: int
    key_pts: int
    checksum: str
    state: str


def nearest(points: Sequence[DecodingPoint], frame_index: int) -> DecodingPoint | None:
    """The last point before a frame: decoding goes on with the frame after the point. points: ascending."""
    at = bisect_left(points, frame_index, key=lambda point: point.frame_index)
    return points[at - 1] if at else None

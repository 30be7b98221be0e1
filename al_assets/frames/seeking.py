"""Places in a video from which decoding can go on, and coming to them again. Nothing is sampled or stored here.

A seek is trusted only where what comes out of it is what came out before: the frames from a key frame on have the
same timestamps and the same pixels. Anything else (a damaged file, a container whose clock jumps, a codec that
conceals what it misses) is refused, and the caller decodes from the first frame.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from al_assets.decoding_points import DecodingPoint
from al_assets.frames.containers import OpenVideo

SPACING = 1500
"""Frames between points, at least: a minute at 25 a second, which decodes in a second or two."""
CHECKED = 4
"""Frames from the key frame on whose pixels are compared: past the pictures that refer across it."""
SEEKABLE = frozenset({"mov", "mp4", "matroska", "webm", "avi"})
"""Containers with an index of their key frames; others (MPEG-TS) are searched by bisection and guesswork."""


class SeekRefusedError(Exception):
    """Decoding cannot go on from a point; decode from the first frame."""


class PointFinder:
    """Watches frames go by and says where a point is."""

    def __init__(self, container_name: str, after: DecodingPoint | None) -> None:
        """after: the point from which decoding goes on, if it does."""
        self._possible = bool(set(container_name.split(",")) & SEEKABLE)
        self._last_index = after.frame_index if after else -1
        self._last_pts = after.pts if after else None
        self._key_pts: int | None = None
        self._checked, self._checksum = 0, 0

    def stop(self) -> None:
        """No more points: something was wrong with the file."""
        self._possible = False

    def seen(self, frame: Any, frame_index: int, rgb: Any) -> tuple[int, int, str] | None:
        """(pts, key_pts, checksum) where this frame completes a point. rgb: gives the frame's pixels when called."""
        if not self._possible:
            return None
        if frame.pts is None or (self._last_pts is not None and frame.pts <= self._last_pts):
            self.stop()  # timestamps that are not there or come twice lead nowhere
            return None
        self._last_pts = frame.pts
        if self._key_pts is None:
            if not frame.key_frame or frame_index - self._last_index < SPACING:
                return None
            self._key_pts, self._checked, self._checksum = frame.pts, 0, 0
        self._checksum = checksum(rgb(), self._checksum)
        self._checked += 1
        if self._checked < CHECKED:
            return None
        found = frame.pts, self._key_pts, f"{self._checksum:08x}"
        self._key_pts, self._last_index = None, frame_index
        return found


def checksum(image: np.ndarray, before: int = 0) -> int:
    """CRC-32 of pixels, going on from that of the frames before."""
    return zlib.crc32(np.ascontiguousarray(image).data, before)


def seek(video: OpenVideo, point: DecodingPoint) -> None:
    """Have the packets begin at the key frame before a point, or at an earlier one."""
    try:
        video.container.seek(point.key_pts, stream=video.stream, backward=True, any_frame=False)
    except OSError as error:  # FFmpeg's errors are OSErrors
        raise SeekRefusedError(f"the file cannot be sought: {error}") from error


def skip_to(point: DecodingPoint, frames: Iterator[Any], rgb: Any) -> None:
    """Take frames up to the point's own, comparing. Raises SeekRefusedError where they are not those of before."""
    found, checked, last = 0, 0, None
    for frame in frames:
        if frame.pts is None or (last is not None and frame.pts <= last):
            raise SeekRefusedError("frames come without timestamps, or twice")
        last = frame.pts
        if frame.pts < point.key_pts:
            continue
        if not checked and frame.pts != point.key_pts:
            raise SeekRefusedError("the key frame is not where it was")
        found, checked = checksum(rgb(frame), found), checked + 1
        if checked == CHECKED:
            if (frame.pts, f"{found:08x}") != (point.pts, point.checksum):
                raise SeekRefusedError("the frames are not those of before")
            return
    raise SeekRefusedError("the video ends before the point")


def state_text(**state: Any) -> str:
    """State of clocks and counters as JSON; floats come back exactly."""
    return json.dumps(state, separators=(",", ":"))

"""Identity of videos and frames: slugs, frame numbers and key ranges. Arithmetic only; no tables, no files."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

Task = Literal["single_label", "multi_label"]
Split = Literal["train", "validation", "test"]
Keys = TypeVar("Keys", int, npt.NDArray[np.int64])

FRAME_BITS = 24
FRAMES_PER_VIDEO = 1 << FRAME_BITS
LAST_VIDEO_NO = (1 << (63 - FRAME_BITS)) - 1
VIDEO_ID_LENGTH = 64
OVERALL = 0
"""The class_id that stands for "all classes together" in `evaluations`; real classes start at 1."""


class KeyRangeError(ValueError):
    """A video number or frame index does not fit the 64-bit frame key."""


def frame_id(video_no: int, frame_index: int) -> int:
    """Key of a frame: `video_no * 2**24 + frame_index`, a signed 64-bit integer.

    frame_id(1, 0) == 16777216. Raises KeyRangeError where either part does not fit: a video of 2**24
    frames (6.4 days at 30 frames a second) must be cut before it is registered.
    """
    if not 0 <= frame_index < FRAMES_PER_VIDEO:
        raise KeyRangeError(
            f"frame_index {frame_index} is not in [0, {FRAMES_PER_VIDEO}); cut the video into parts"
        )
    if not 0 <= video_no <= LAST_VIDEO_NO:
        raise KeyRangeError(f"video_no {video_no} is not in [0, {LAST_VIDEO_NO}]")
    return (video_no << FRAME_BITS) | frame_index


def video_no_of(frame_id: Keys) -> Keys:
    """Video number of a frame key (of an int or of an int64 array)."""
    return frame_id >> FRAME_BITS


def frame_index_of(frame_id: Keys) -> Keys:
    """Frame index of a frame key (of an int or of an int64 array)."""
    return frame_id & (FRAMES_PER_VIDEO - 1)


def frame_range(video_no: int) -> tuple[int, int]:
    """First and last possible frame_id of a video, both inclusive: the clustered key range of its slice."""
    first = frame_id(video_no, 0)
    return first, first + FRAMES_PER_VIDEO - 1


def make_video_id(path: str, content_hash: str) -> str:
    """Readable, stable and safe name of a video: slug of its path, then ten characters of a hash.

    The alphabet is [a-z0-9._-] and the length at most 64, so that it serves as Dagster partition key, file
    name and SQL value. The hash covers path and content: two archives' `clip.mp4` stay apart.
    """
    stem = path.rsplit(".", 1)[0] if "." in path.rsplit("/", 1)[-1] else path
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9_-]+", "-", ascii_stem.lower().replace("/", "-")).strip("-_.")
    digest = hashlib.sha256(f"{path}\0{content_hash}".encode()).hexdigest()[:10]
    room = VIDEO_ID_LENGTH - len(digest) - 1
    return f"{slug[-room:].strip('-_.') or 'video'}-{digest}"

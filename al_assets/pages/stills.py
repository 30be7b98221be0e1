"""Small pictures of frames for reports: from a still where there is one, else decoded.

Not here: which frames are worth a picture, and what is said of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from al_assets.embeddings.assets import pixels_of
from al_assets.frames.stills import encode_jpeg
from al_assets.keys import video_no_of
from resources.archive import Archive

SIDE = 176
"""Longest side of a small picture, pixels; about 5 kB each."""
QUALITY = 78
AT_ONCE = 8


def small_pictures(archive: Archive, frame_ids: Sequence[int], *, limit: int) -> dict[int, bytes]:
    """frame_id -> JPEG of the first `limit` distinct frames; frames that cannot be read are left out.

    A report is worth having without the frames of a video whose file is gone or broken, so that one video after the
    other is read and what one of them raises costs its own frames only.
    """
    wanted = list(dict.fromkeys(int(key) for key in frame_ids))[:limit]
    by_video: dict[int, list[int]] = {}
    for key in wanted:
        by_video.setdefault(int(video_no_of(key)), []).append(key)
    pixels = pixels_of(archive)
    found: dict[int, bytes] = {}
    # A few at a time: a frame is whole in memory until it is shrunk.
    for keys in (
        part[at : at + AT_ONCE] for part in by_video.values() for at in range(0, len(part), AT_ONCE)
    ):
        try:
            images = pixels.images(keys)
        except (LookupError, OSError, RuntimeError, ValueError):
            continue  # the file is gone, broken or out of reach
        found |= {
            key: encode_jpeg(image, quality=QUALITY, max_side=SIDE)
            for key, image in zip(keys, images, strict=True)
        }
    return found


def place_of(places: Mapping[int, tuple[str, int]], frame_id: int) -> str:
    """Where a frame is from, in words: its video and the time in it."""
    path, pts_ms = places.get(int(frame_id), ("a video that is gone", 0))
    return f"{path} at {clock(pts_ms)}"


def clock(pts_ms: int) -> str:
    """A time in a video as people write it: 1:02.5 or 2:01:02.0."""
    tenths = round(pts_ms / 100)
    seconds, minutes, hours = tenths % 600 / 10, tenths // 600 % 60, tenths // 36_000
    return f"{hours}:{minutes:02}:{seconds:04.1f}" if hours else f"{minutes}:{seconds:04.1f}"

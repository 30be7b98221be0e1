"""How people name a frame outside of exports: by frame_id, by video_id/frame_index, or by a still's path."""

from __future__ import annotations

from collections.abc import Sequence

from al_assets.labels.formats.records import FrameReference
from resources.archive import Archive

HOW = "write a frame_id, video_id/frame_index or a still's path"


class UnknownFrameError(LookupError):
    """A text names no frame of the archive; the message says why and how to write it."""


def reference_of(text: str) -> FrameReference:
    """What a text names: digits a frame_id, `video_id/digits` a frame of a video, all else a still."""
    video_id, _, index = text.strip().rpartition("/")
    if not index.isdecimal():
        return FrameReference(image=text)
    return (
        FrameReference(video_id=video_id, frame_index=int(index))
        if video_id
        else FrameReference(frame_id=int(index))
    )


def frames_named(archive: Archive, texts: Sequence[str]) -> list[int]:
    """frame_id of each text, in that order. Raises UnknownFrameError for the first that names none."""
    found: list[int] = []
    for text, key in zip(texts, archive.lookup.resolve([reference_of(text) for text in texts]), strict=True):
        if not isinstance(key, int):
            raise UnknownFrameError(f"{text!r}: {key}; {HOW}")
        found.append(key)
    return found

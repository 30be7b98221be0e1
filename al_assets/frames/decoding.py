"""Frames with their pixels out of any video that FFmpeg reads, in order. Nothing here measures or stores."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from al_assets.decoding_points import DecodingPoint
from al_assets.frames.containers import Source, UnreadableVideoError
from al_assets.frames.seeking import SeekRefusedError
from al_assets.frames.video_reader import RawFrame, VideoInfo, VideoReader

__all__ = [
    "DecodedFrame",
    "Source",
    "UnreadableVideoError",
    "VideoInfo",
    "decode",
    "probe",
    "read_frames",
]


@dataclass(frozen=True)
class DecodedFrame:
    """One frame: index among all decoded ones, milliseconds since the first, (h, w, 3) uint8 RGB upright."""

    frame_index: int
    pts_ms: int
    image: np.ndarray


def probe(source: Source) -> VideoInfo:
    """Codec, size, rate and duration; the first frame is decoded, since only it knows its orientation.

    Raises UnreadableVideoError where not one frame can be decoded.
    """
    reader = VideoReader(source)
    with contextlib.closing(iter(reader)) as frames:
        next(frames, None)
    assert reader.info is not None  # a pass without a frame has raised
    return reader.info


def decode(source: Source, *, wanted: Callable[[int, int], bool] | None = None) -> Iterator[DecodedFrame]:
    """Frames in order of presentation; those that `wanted(frame_index, pts_ms)` refuses are not converted.

    `wanted` is asked once for every frame, in order, so it may keep state. Memory: a few frames. Raises
    UnreadableVideoError after the last frame that could be decoded where the video is damaged, cut off or
    no video at all.
    """
    with contextlib.closing(iter(VideoReader(source))) as frames:
        for raw in frames:
            if wanted is None or wanted(raw.frame_index, raw.pts_ms):
                yield _converted(raw)


def read_frames(
    source: Source, frame_indices: Sequence[int], point: DecodingPoint | None = None
) -> Iterator[DecodedFrame]:
    """The named frames, ascending and once each, pixel for pixel those of `decode`.

    Decodes from `point` where it lies before the first of them and leads there, else from the start, and stops after
    the last one. Raises UnreadableVideoError where the video ends before a frame that was asked for; a fault
    elsewhere in the file is no error here.
    """
    missing = {int(index) for index in frame_indices}
    if not missing:
        return
    if min(missing) < 0:
        raise ValueError(f"frame_index {min(missing)} is negative; frames count from 0")
    if point is not None and point.frame_index < min(missing):
        with contextlib.suppress(SeekRefusedError):
            try:
                yield from _taken(VideoReader(source, point), missing)
            except UnreadableVideoError as error:
                raise SeekRefusedError(str(error)) from error
            return
    yield from _taken(VideoReader(source), missing)


def _taken(reader: VideoReader, missing: set[int]) -> Iterator[DecodedFrame]:
    """The missing frames; each is missing no longer."""
    fault: str = "it ends before"
    with contextlib.closing(iter(reader)) as frames:
        try:
            for raw in frames:
                if raw.frame_index in missing:
                    missing.remove(raw.frame_index)
                    yield _converted(raw)
                    if not missing:
                        return
        except UnreadableVideoError as error:
            fault = str(error)
    raise UnreadableVideoError(f"frame {min(missing)} cannot be read from the video: {fault}")


def _converted(raw: RawFrame) -> DecodedFrame:
    return DecodedFrame(raw.frame_index, raw.pts_ms, raw.rgb())

"""One pass over one video: raw frames as they come, then what was wrong with it. Nothing is sampled here.

Decoding starts at the first frame, or at a point that an earlier pass left and whose frames come out as they did
then (seeking.py), and runs on one thread. `frame_index` counts decoded frames, so a jump to just any key frame would
not know where it landed in a damaged file; and FFmpeg conceals damage differently with every number of threads (seen
with H.264), so another machine would see other pixels under one key. Archives are decoded in parallel by video.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np

from al_assets.decoding_points import DecodingPoint
from al_assets.frames.containers import Coverage, OpenVideo, Source, UnreadableVideoError, opened
from al_assets.frames.orientation import UPRIGHT, Orientation, from_display_matrix
from al_assets.frames.seeking import PointFinder, SeekRefusedError, seek, skip_to, state_text
from al_assets.frames.timestamps import FrameClock

END_TOLERANCE_MS = 500
"""Video that ends this much before its container says is cut off; headers round their durations."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video says about itself. width and height are those of the upright picture.

    rotation: degrees counter-clockwise by which stored frames are turned to be upright.
    """

    codec: str
    container: str
    frames_per_second: float | None
    width: int
    height: int
    duration_ms: int | None
    rotation: int


class RawFrame:
    """A frame as the decoder left it: pixels are converted only when asked for."""

    def __init__(
        self,
        frame: av.VideoFrame,
        orientation: Orientation,
        frame_index: int,
        pts_ms: int,
    ) -> None:
        """Wrap a frame of PyAV; the reader does this."""
        self._frame = frame
        self.orientation = orientation
        self.frame_index = frame_index
        self.pts_ms = pts_ms

    @property
    def size(self) -> tuple[int, int]:
        """Upright (width, height)."""
        width, height = self._frame.width, self._frame.height
        return (height, width) if self.orientation.transposed else (width, height)

    def rgb(self) -> np.ndarray:
        """(h, w, 3) uint8 RGB, upright."""
        return self._converted(format="rgb24")

    def gray(self, side: int) -> np.ndarray:
        """(h, w) uint8 full-range luma, upright, the longer side `side` pixels (never enlarged).

        The same filter as quality.gray has, so that videos and stills measure alike.
        """
        scale = min(1.0, side / max(self._frame.width, self._frame.height))
        width = max(1, round(self._frame.width * scale))
        height = max(1, round(self._frame.height * scale))
        return self._converted(format="gray", width=width, height=height, interpolation="BILINEAR")

    def _converted(self, **options: Any) -> np.ndarray:
        try:
            # One thread: swscale's own threads took as long again as the conversion itself.
            image = self._frame.reformat(**options, threads=1).to_ndarray()
        except (av.error.FFmpegError, ValueError) as error:
            what = f"{self._frame.width}x{self._frame.height} {self._frame.format.name}"
            raise UnreadableVideoError(
                f"a picture ({what}) cannot be converted; convert the video"
            ) from error
        return self.orientation.upright(image)


class VideoReader:
    """Raw frames of one video.

    `info` is there from the first frame on (None before, and where no frame could be decoded), `decoded`
    counts frames so far, from the first one of the video; `point` is the last place so far from which decoding can
    go on, if there is one. Iterating raises UnreadableVideoError after the last frame that could be decoded, where
    anything was wrong on the way.
    """

    def __init__(self, source: Source, start: DecodingPoint | None = None) -> None:
        """source: path or seekable binary file; a file is left open, its position is not restored.

        start: a point of an earlier pass; frames begin with the one after it. Iterating raises SeekRefusedError where
        the point cannot be come to, and at the first fault in the file: frames so far are right, but damaged files
        are read from their first frame.
        """
        self._source = source
        self._start = start
        self._faults = 0
        self._first_fault: str | None = None
        self._last_ms = 0
        self.info: VideoInfo | None = None
        self.point: DecodingPoint | None = None
        self.decoded = 0

    def __iter__(self) -> Generator[RawFrame]:
        """Decode from the start; closing the iterator closes the file."""
        self.decoded, self._faults, self._first_fault, self._last_ms = 0, 0, None, 0
        with opened(self._source) as video:
            clock = FrameClock(_rate(video.stream))
            finder = PointFinder(video.container.format.name, self._start)
            frames = self._frames(video.container, video.stream, video.coverage)
            if self._start is not None:
                self._go_on(self._start, video, clock, frames)
            orientation, turned = UPRIGHT, None
            for frame in frames:
                if turned != frame.rotation:
                    turned, orientation = frame.rotation, _orientation(frame)
                pts_ms = clock.pts_ms(frame.pts, frame.time_base)
                raw = RawFrame(frame, orientation, self.decoded, pts_ms)
                self._last_ms = raw.pts_ms
                if self.info is None:
                    self.info = _info(video.container, video.stream, frame, raw)
                if self._faults:
                    finder.stop()
                if found := finder.seen(frame, self.decoded, raw.rgb):
                    self.point = self._point(raw, found, clock, video.coverage)
                self.decoded += 1
                yield raw
            self._judge(video.coverage)

    def _go_on(
        self, start: DecodingPoint, video: OpenVideo, clock: FrameClock, frames: Iterator[Any]
    ) -> None:
        """Come to where an earlier pass was."""
        state = json.loads(start.state)
        self.info = VideoInfo(**state["info"])
        video.coverage.go_on(state["coverage"])
        seek(video, start)
        skip_to(start, frames, lambda frame: RawFrame(frame, _orientation(frame), 0, 0).rgb())
        clock.go_on(state["clock"])
        self.decoded, self._last_ms = start.frame_index + 1, start.pts_ms

    def _point(
        self, raw: RawFrame, found: tuple[int, int, str], clock: FrameClock, coverage: Coverage
    ) -> DecodingPoint:
        assert self.info is not None
        pts, key_pts, checked = found
        state = state_text(clock=clock.state, coverage=coverage.state, info=asdict(self.info))
        return DecodingPoint(raw.frame_index, pts, raw.pts_ms, key_pts, checked, state)

    def _frames(self, container: Any, stream: Any, coverage: Coverage) -> Iterator[av.VideoFrame]:
        packets = container.demux()
        flushing = False
        while not flushing:
            packet = self._next(packets)
            flushing = packet is None
            if packet is not None:
                hole = coverage.hole_before(packet)
                if hole:
                    self._fault(f"{hole} bytes could not be read")
                # The empty packets at the end would flush the decoder; that is done once, below.
                if packet.stream is not stream or not packet.size:
                    continue
                if packet.is_corrupt:
                    self._fault("a packet is cut off or damaged")
            try:
                frames = stream.codec_context.decode(packet)
            except av.error.FFmpegError as error:
                self._fault(f"a packet cannot be decoded: {_words(error)}")
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self._fault("a frame is damaged")
                yield frame

    def _next(self, packets: Iterator[Any]) -> Any:
        """The next packet, or None at the end and where reading fails for good."""
        try:
            return next(packets, None)
        except av.error.FFmpegError as error:
            self._fault(f"reading failed: {_words(error)}")
        except IndexError:
            # At the end of the file PyAV 18 trips over streams that appeared on the way.
            pass
        return None

    def _fault(self, words: str) -> None:
        if self._start is not None:
            raise SeekRefusedError(words)
        self._faults += 1
        if self._first_fault is None:
            self._first_fault = f"{words} (after {self.decoded} frames, {self._last_ms / 1000:.1f} s)"

    def _judge(self, coverage: Coverage) -> None:
        """Raise where the video was not whole."""
        if self.decoded == 0:
            detail = f": {self._first_fault}" if self._first_fault else ""
            raise UnreadableVideoError(
                f"no frame could be decoded{detail}; copy the file again or convert it"
            )
        reasons = [self._first_fault] if self._first_fault else []
        if self._faults > 1:
            reasons.append(f"{self._faults - 1} more faults")
        if coverage.mostly_unread():
            reasons.append("more than half of the file could not be read")
        if not reasons and self._ends_early():
            reasons.append("cut off, or frames are missing")
        if reasons:
            raise UnreadableVideoError(
                f"{'; '.join(reasons)}; {self._kept()}; copy it again if the original is whole"
            )

    def _ends_early(self) -> bool:
        stated = self.info.duration_ms if self.info else None
        rate = self.info.frames_per_second if self.info else None
        end = self._last_ms + 2 * (1000 / rate if rate else 40.0)
        return stated is not None and end + END_TOLERANCE_MS < stated

    def _kept(self) -> str:
        stated = self.info.duration_ms if self.info else None
        of = f" of {stated / 1000:.1f} s" if stated is not None else ""
        return f"{self.decoded} frames were decoded, up to {self._last_ms / 1000:.1f} s{of}"


def _orientation(frame: av.VideoFrame) -> Orientation:
    # Asked where the rotation changes only: in PyAV a frame and its side data keep each other alive, and
    # asking every frame filled hundreds of megabytes until Python's collector came round.
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    return UPRIGHT if matrix is None else from_display_matrix(bytes(matrix))


def _rate(stream: Any) -> Fraction | None:
    rate: Fraction | None = stream.average_rate or stream.guessed_rate or stream.base_rate
    return rate if rate else None


def _info(container: Any, stream: Any, first: av.VideoFrame, raw: RawFrame) -> VideoInfo:
    width, height = raw.size
    rate = _rate(stream)
    return VideoInfo(
        codec=str(stream.codec_context.codec.canonical_name),
        container=str(container.format.name),
        frames_per_second=float(rate) if rate else None,
        width=width,
        height=height,
        duration_ms=_duration_ms(container, stream, first),
        rotation=raw.orientation.rotation,
    )


def _duration_ms(container: Any, stream: Any, first: av.VideoFrame) -> int | None:
    """Duration of the picture where a header states it, else of the container if it holds nothing else."""
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif (tagged := _tagged_seconds(stream.metadata.get("DURATION"))) is not None:
        seconds = tagged
    elif container.duration is not None and len(container.streams) == 1:
        seconds = float(container.duration) / av.time_base
    else:
        return None
    if "matroska" in container.format.name and first.pts is not None and first.time_base is not None:
        # Matroska counts its durations from zero, not from the first frame.
        seconds -= float(first.pts * first.time_base)
    return max(0, round(seconds * 1000))


def _tagged_seconds(text: str | None) -> float | None:
    """Seconds of a Matroska DURATION tag such as 00:00:05.480000000."""
    try:
        hours, minutes, seconds = (text or "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".").lower()

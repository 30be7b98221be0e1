"""Opening a video safely and finding its picture stream. No frame is decoded here.

Every source is read through a Python file handle, and FFmpeg is refused any other file or address, so that
a playlist dropped among the videos cannot make it read elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error

Source = str | Path | BinaryIO

NOT_VIDEO = frozenset({"tty", "hls", "concat", "dash", "sdp", "imf", "ffmetadata", "srt", "webvtt", "ass"})
"""FFmpeg formats that are text: it would play a readme as an animation and follow a playlist elsewhere."""

GAPLESS = frozenset({"matroska", "webm", "flv"})
"""Containers whose packets follow each other with little between them; they resynchronise in silence."""
HOLE_BYTES = 4096
UNREAD_BYTES = 1 << 16

BUFFER_BYTES = 1 << 18


class UnreadableVideoError(ValueError):
    """A video cannot be read, wholly or from some point on; the message is for the owner of the archive."""


class _Handle:
    """A file that ends where it fails, and remembers the failure.

    FFmpeg takes a failed read for the end of the file; without the memory, a storage outage in the middle
    of a video would be recorded as a short video.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: BaseException | None = None

    def read(self, size: int) -> bytes:
        if self.failure is None:
            try:
                return self._file.read(size)
            except BaseException as error:  # raised again by `opened`, interrupts too
                self.failure = error
        return b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self.failure is None:
            try:
                return self._file.seek(offset, whence)
            except BaseException as error:  # raised again by `opened`, interrupts too
                self.failure = error
        return -1

    def tell(self) -> int:
        return self._file.tell()


class Coverage:
    """Finds bytes that FFmpeg stepped over without a word while it looked for the next readable packet."""

    def __init__(self, container_name: str, stream: Any, size: int) -> None:
        """size: bytes of the file."""
        # VP8 and VP9 keep transparency between the packets.
        self._gapless = bool(set(container_name.split(",")) & GAPLESS) and "alpha_mode" not in stream.metadata
        self._size = size
        self._end = 0
        self._read = 0
        self._had = 0

    @property
    def state(self) -> tuple[int, int]:
        """What `go_on` needs."""
        return self._end, self._read

    def go_on(self, state: Sequence[int]) -> None:
        """Go on from the state of another account of the same file; packets that it had are not counted twice."""
        self._end, self._read = state
        self._had = self._end

    def hole_before(self, packet: Any) -> int:
        """Bytes between the packets so far and this one, where that is more than headers take; else 0."""
        if packet.pos is None or packet.pos >= self._had:
            self._read += packet.size
        if packet.pos is None or not packet.size:
            return 0
        hole = packet.pos - self._end if self._end else 0
        self._end = max(self._end, packet.pos + packet.size)
        return hole if self._gapless and hole > HOLE_BYTES else 0

    def mostly_unread(self) -> bool:
        """Whether more than half of the file is in no packet, and too much for headers and indexes."""
        unread = self._size - self._read
        return unread > UNREAD_BYTES and unread > self._size / 2


@dataclass(frozen=True)
class OpenVideo:
    """PyAV's container and picture stream, and the account of bytes read."""

    container: Any
    stream: Any
    coverage: Coverage


@contextmanager
def opened(source: Source) -> Iterator[OpenVideo]:
    """A source opened for decoding on one thread.

    Raises UnreadableVideoError where there is no picture to decode; errors of the storage itself (a lost
    connection) come through as they are, whenever they happen, since they say nothing about the video.
    """
    with ExitStack() as stack:
        handle = _Handle(_file(source, stack))
        try:
            size = _size(handle)
            container = stack.enter_context(_container(handle))
            stream = _picture(container)
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            yield OpenVideo(container, stream, Coverage(container.format.name, stream, size))
        finally:
            if handle.failure is not None:
                raise handle.failure


def _file(source: Source, stack: ExitStack) -> BinaryIO:
    if not isinstance(source, str | Path):
        return source
    try:
        return stack.enter_context(open(source, "rb"))
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UnreadableVideoError(
            f"the file cannot be opened: {error.strerror}; check path and rights"
        ) from error


def _size(handle: _Handle) -> int:
    size = handle.seek(0, io.SEEK_END)
    if size == 0:
        raise UnreadableVideoError("the file is empty (0 bytes); copy it again")
    handle.seek(0)
    return size


def _container(handle: _Handle) -> Any:
    try:
        container = av.open(
            handle,
            "r",
            buffer_size=BUFFER_BYTES,
            io_open=_refuse_elsewhere,
            metadata_errors="replace",
        )
    except av.error.FFmpegError as error:
        reason = str(error.strerror or error).rstrip(".").lower()
        raise UnreadableVideoError(
            f"not a video, or its beginning or index is missing ({reason}); copy the file again or convert it"
        ) from error
    if set(container.format.name.split(",")) & NOT_VIDEO:
        name = container.format.name
        container.close()
        raise UnreadableVideoError(f"not a video but a text or playlist ({name}); remove it from the archive")
    return container


def _refuse_elsewhere(url: str, flags: int, options: dict[str, str]) -> BinaryIO:
    raise UnreadableVideoError(
        f"it points to another file or address ({url}); put the videos themselves here"
    )


def _picture(container: Any) -> Any:
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams}))
        only = f", only {kinds}" if kinds else ""
        raise UnreadableVideoError(f"no moving picture in it{only}; remove it from the archive")
    playable = [stream for stream in streams if stream.codec_context is not None]
    if not playable:
        raise UnreadableVideoError("its codec is unknown to this FFmpeg; convert it, for example to H.264")
    return playable[0]


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & stream.disposition.attached_pic)

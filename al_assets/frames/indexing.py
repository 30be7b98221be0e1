"""From a video or a folder of stills to batches of frame rows. No table, no storage, no run is known here."""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa

from al_assets.decoding_points import DecodingPoint
from al_assets.frames.containers import Source, UnreadableVideoError
from al_assets.frames.images import UnreadableImageError, read_image
from al_assets.frames.perceptual_hash import DuplicateFinder, hash_thumbnail, thumbnail
from al_assets.frames.quality import WORKING_SIDE, brightness, gray, sharpness
from al_assets.frames.sampling import Sampler
from al_assets.frames.seeking import state_text
from al_assets.frames.video_reader import VideoInfo, VideoReader
from al_assets.keys import KeyRangeError, frame_id

FRAME_SCHEMA = pa.schema(
    [
        pa.field("frame_id", pa.int64(), nullable=False),
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("frame_index", pa.int32(), nullable=False),
        pa.field("pts_ms", pa.int64(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("brightness", pa.float64(), nullable=False),
        pa.field("sharpness", pa.float64(), nullable=False),
        pa.field("phash", pa.int64(), nullable=False),
        pa.field("duplicate_of", pa.int64()),
        pa.field("image_path", pa.string()),
    ]
)

BATCH_ROWS = 1000
PART_ROWS = 2000
"""Rows of a part of a long video, at least; it ends at the next point from which decoding can go on."""
NAMED_ERRORS = 5

Row = dict[str, Any]
ImageEntry = tuple[int, str, Callable[[], BinaryIO]]


@dataclass(frozen=True)
class IndexOutcome:
    """How indexing ended: failed without a row, partial with an error, or indexed.

    sampled counts rows, decoded counts frames that were decoded for them. info is None for stills.
    """

    status: Literal["indexed", "partial", "failed"]
    error: str | None
    info: VideoInfo | None
    sampled: int
    decoded: int


@dataclass(frozen=True)
class Piece:
    """Some rows (FRAME_SCHEMA, at most 1000) and the points passed on the way; `ends_part`: the last point is right
    behind the last row, and its state lets `index_video` go on from there."""

    rows: pa.RecordBatch
    points: tuple[DecodingPoint, ...]
    ends_part: bool


class VideoIndex:
    """Rows of one video, read once through `batches` or `pieces`; then `outcome` says how it went."""

    def __init__(self, rows: _Rows) -> None:
        """Made by index_video and index_images."""
        self._rows = rows
        self._started = False
        self._outcome: IndexOutcome | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Record batches of FRAME_SCHEMA, at most 1000 rows each; none where nothing could be read.

        An unreadable video or image never raises, it ends as `outcome`; a storage that fails does raise.
        """
        return (piece.rows for piece in self.pieces() if piece.rows.num_rows)

    def pieces(self) -> Iterator[Piece]:
        """The same rows with the points between them. Raises SeekRefusedError where decoding cannot go on from the
        point that was given, or not to the end: what came of it is then to be made anew from the first frame."""
        if self._started:
            raise RuntimeError("the rows were read already; make a new index to read the video again")
        self._started = True
        pending: list[Row] = []
        points: list[DecodingPoint] = []
        sampled = since = 0
        with contextlib.closing(self._rows.read()) as rows:
            for row in rows:
                if isinstance(row, Cut):
                    ends = since >= PART_ROWS
                    points.append(row.point(self._rows.sampled + sampled) if ends else row.place)
                    if ends:
                        yield _piece(pending, points, ends_part=True)
                        pending, points, since = [], [], 0
                    continue
                pending.append(row)
                sampled, since = sampled + 1, since + 1
                if len(pending) == BATCH_ROWS:
                    yield _piece(pending, points)
                    pending, points = [], []
        if pending or points:
            yield _piece(pending, points)
        self._outcome = self._rows.outcome(sampled)

    @property
    def outcome(self) -> IndexOutcome:
        """How it went; RuntimeError until `batches` is exhausted."""
        if self._outcome is None:
            raise RuntimeError("the outcome is known when batches() is exhausted; read them first")
        return self._outcome


def _piece(rows: list[Row], points: list[DecodingPoint], *, ends_part: bool = False) -> Piece:
    return Piece(pa.RecordBatch.from_pylist(rows, schema=FRAME_SCHEMA), tuple(points), ends_part)


def index_video(
    source: Source,
    *,
    video_no: int,
    video_id: str,
    frames_per_second: float | None,
    duplicate_distance: int,
    start: DecodingPoint | None = None,
) -> VideoIndex:
    """Index a video, sampled at `frames_per_second` (None: every frame), in one pass and bounded memory.

    duplicate_distance: bits of the perceptual hash in which neighbouring duplicates may differ; -1: none. start: the
    point at which a part of an earlier pass with the same settings ended; rows begin behind it and are what they
    would have been.
    """
    measure = _Measure(video_no, video_id, duplicate_distance)
    return VideoIndex(_VideoRows(source, measure, Sampler(frames_per_second), start))


def index_images(
    images: Sequence[ImageEntry],
    *,
    video_no: int,
    video_id: str,
    duplicate_distance: int,
) -> VideoIndex:
    """Index a folder of stills given as (frame_index, path, opener); one frame a second stands for time.

    An image that cannot be read is left out, and the outcome names it.
    """
    return VideoIndex(_ImageRows(images, _Measure(video_no, video_id, duplicate_distance)))


class _Measure:
    """Turns one picture into one row."""

    def __init__(self, video_no: int, video_id: str, duplicate_distance: int) -> None:
        self._video_no = video_no
        self._video_id = video_id
        self.duplicates = DuplicateFinder(duplicate_distance)

    def row(
        self,
        frame_index: int,
        pts_ms: int,
        size: tuple[int, int],
        luma: np.ndarray,
        path: str | None = None,
    ) -> Row:
        """`size` is (width, height) of the upright picture, `luma` its gray working copy."""
        key = frame_id(self._video_no, frame_index)
        cells = thumbnail(luma)
        phash = hash_thumbnail(cells)
        return {
            "frame_id": key,
            "video_id": self._video_id,
            "frame_index": frame_index,
            "pts_ms": pts_ms,
            "width": size[0],
            "height": size[1],
            "brightness": brightness(luma),
            "sharpness": sharpness(luma),
            "phash": phash,
            "duplicate_of": self.duplicates.duplicate_of(key, phash, cells),
            "image_path": path,
        }


class _Rows(ABC):
    """Source of rows that ends quietly and can say what went wrong."""

    error: str | None = None
    info: VideoInfo | None = None
    decoded: int = 0
    sampled: int = 0
    """Rows of parts before."""

    @abstractmethod
    def read(self) -> Generator[Row | Cut]: ...

    def outcome(self, sampled: int) -> IndexOutcome:
        sampled += self.sampled
        status: Literal["indexed", "partial", "failed"] = "indexed"
        if self.error is not None:
            status = "partial" if sampled else "failed"
        return IndexOutcome(status, self.error, self.info, sampled, self.decoded)


@dataclass(frozen=True)
class Cut:
    """A point between two rows, with what it takes to go on from it."""

    place: DecodingPoint
    sampler: Sequence[Any]
    duplicates: Sequence[Any] | None

    def point(self, sampled: int) -> DecodingPoint:
        """The point with the state of sampling and of the search for duplicates; sampled: rows so far."""
        state = {"sampled": sampled, "sampler": self.sampler, "duplicates": self.duplicates}
        return replace(self.place, state=state_text(**json.loads(self.place.state), indexing=state))


def can_go_on(point: DecodingPoint) -> bool:
    """Whether a part of a video ended at the point, so that indexing can go on from it."""
    return "indexing" in json.loads(point.state)


class _VideoRows(_Rows):
    def __init__(
        self, source: Source, measure: _Measure, sampler: Sampler, start: DecodingPoint | None
    ) -> None:
        self._reader = VideoReader(source, start)
        self._measure = measure
        self._sampler = sampler
        if start is not None:
            state = json.loads(start.state)["indexing"]
            self.sampled = state["sampled"]
            sampler.go_on(state["sampler"])
            measure.duplicates.go_on(state["duplicates"])

    def read(self) -> Generator[Row | Cut]:
        last = None
        try:
            with contextlib.closing(iter(self._reader)) as frames:
                for frame in frames:
                    if self._sampler(frame.frame_index, frame.pts_ms):
                        luma = frame.gray(WORKING_SIDE)
                        yield self._measure.row(frame.frame_index, frame.pts_ms, frame.size, luma)
                    if self._reader.point is not last:
                        last = self._reader.point
                        assert last is not None
                        yield Cut(last, self._sampler.state, self._measure.duplicates.state)
        except (UnreadableVideoError, KeyRangeError) as error:
            self.error = str(error)
        self.info, self.decoded = self._reader.info, self._reader.decoded


class _ImageRows(_Rows):
    def __init__(self, images: Sequence[ImageEntry], measure: _Measure) -> None:
        self._images = images
        self._measure = measure

    def read(self) -> Generator[Row | Cut]:
        faults: list[str] = []
        for frame_index, path, opener in self._images:
            try:
                with opener() as stream:
                    image = read_image(stream)
                size = (image.shape[1], image.shape[0])
                row = self._measure.row(frame_index, frame_index * 1000, size, gray(image), path)
            except (UnreadableImageError, KeyRangeError, FileNotFoundError) as error:
                faults.append(f"{path}: {error}")
                continue
            self.decoded += 1
            yield row
        if not self._images:
            self.error = "the folder holds no image; add JPEG or PNG files"
        if faults:
            more = f" and {len(faults) - NAMED_ERRORS} more" if len(faults) > NAMED_ERRORS else ""
            named = "; ".join(faults[:NAMED_ERRORS])
            self.error = f"{len(faults)} of {len(self._images)} images could not be read: {named}{more}"

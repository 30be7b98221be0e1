"""From a video or a folder of stills to batches of frame rows. No table, no storage, no run is known here."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa

from al_assets.frames.containers import Source, UnreadableVideoError
from al_assets.frames.images import UnreadableImageError, read_image
from al_assets.frames.perceptual_hash import DuplicateFinder, hash_thumbnail, thumbnail
from al_assets.frames.quality import WORKING_SIDE, brightness, gray, sharpness
from al_assets.frames.sampling import Sampler
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


class VideoIndex:
    """Rows of one video, read once through `batches`; then `outcome` says how it went."""

    def __init__(self, rows: _Rows) -> None:
        """Made by index_video and index_images."""
        self._rows = rows
        self._started = False
        self._outcome: IndexOutcome | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Record batches of FRAME_SCHEMA, at most 1000 rows each; none where nothing could be read.

        An unreadable video or image never raises, it ends as `outcome`; a storage that fails does raise.
        """
        if self._started:
            raise RuntimeError("batches() was read already; make a new index to read the video again")
        self._started = True
        pending: list[Row] = []
        sampled = 0
        with contextlib.closing(self._rows.read()) as rows:
            for row in rows:
                pending.append(row)
                sampled += 1
                if len(pending) == BATCH_ROWS:
                    yield pa.RecordBatch.from_pylist(pending, schema=FRAME_SCHEMA)
                    pending = []
        if pending:
            yield pa.RecordBatch.from_pylist(pending, schema=FRAME_SCHEMA)
        self._outcome = self._rows.outcome(sampled)

    @property
    def outcome(self) -> IndexOutcome:
        """How it went; RuntimeError until `batches` is exhausted."""
        if self._outcome is None:
            raise RuntimeError("the outcome is known when batches() is exhausted; read them first")
        return self._outcome


def index_video(
    source: Source,
    *,
    video_no: int,
    video_id: str,
    frames_per_second: float | None,
    duplicate_distance: int,
) -> VideoIndex:
    """Index a video, sampled at `frames_per_second` (None: every frame), in one pass and bounded memory.

    duplicate_distance: bits of the perceptual hash in which neighbouring duplicates may differ; -1: none.
    """
    measure = _Measure(video_no, video_id, duplicate_distance)
    return VideoIndex(_VideoRows(source, measure, Sampler(frames_per_second)))


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
        self._duplicates = DuplicateFinder(duplicate_distance)

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
            "duplicate_of": self._duplicates.duplicate_of(key, phash, cells),
            "image_path": path,
        }


class _Rows(ABC):
    """Source of rows that ends quietly and can say what went wrong."""

    error: str | None = None
    info: VideoInfo | None = None
    decoded: int = 0

    @abstractmethod
    def read(self) -> Generator[Row]: ...

    def outcome(self, sampled: int) -> IndexOutcome:
        status: Literal["indexed", "partial", "failed"] = "indexed"
        if self.error is not None:
            status = "partial" if sampled else "failed"
        return IndexOutcome(status, self.error, self.info, sampled, self.decoded)


class _VideoRows(_Rows):
    def __init__(self, source: Source, measure: _Measure, sampler: Sampler) -> None:
        self._reader = VideoReader(source)
        self._measure = measure
        self._sampler = sampler

    def read(self) -> Generator[Row]:
        try:
            with contextlib.closing(iter(self._reader)) as frames:
                for frame in frames:
                    if self._sampler(frame.frame_index, frame.pts_ms):
                        luma = frame.gray(WORKING_SIDE)
                        yield self._measure.row(frame.frame_index, frame.pts_ms, frame.size, luma)
        except (UnreadableVideoError, KeyRangeError) as error:
            self.error = str(error)
        self.info, self.decoded = self._reader.info, self._reader.decoded


class _ImageRows(_Rows):
    def __init__(self, images: Sequence[ImageEntry], measure: _Measure) -> None:
        self._images = images
        self._measure = measure

    def read(self) -> Generator[Row]:
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

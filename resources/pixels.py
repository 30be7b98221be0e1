"""Pixels of frames by key, read from videos and stills in storage. Decoding itself is the caller's function."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from al_assets.decoding_points import DecodingPoint, nearest
from al_assets.keys import frame_id, frame_index_of, video_no_of
from resources.errors import FileMissingError
from resources.queries.frames import FrameQueries
from resources.queries.videos import Video, VideoRegister
from resources.storage import Storage

VIDEOS = "videos"
STILLS = "stills"


def still_path(video_id: str, frame_index: int) -> str:
    """Where the still of a video's frame lies under the storage root, if one was written."""
    return f"{STILLS}/{video_id}/{frame_index:08d}.jpg"


def sent_name(frame_id: int) -> str:
    """Name under which a still is sent to a labelling tool; frame_lookup.py knows it again in every export."""
    return f"al-frame-{frame_id}.jpg"


def _stretches(
    wanted: Sequence[int], points: Sequence[DecodingPoint]
) -> Iterator[tuple[list[int], DecodingPoint | None]]:
    """Runs of wanted frames (ascending) that are decoded in one go, and the point from which, if any.

    A run ends where a later point lies between two wanted frames: what is between them is not decoded.
    """
    run: list[int] = []
    begins: DecodingPoint | None = None
    for index in wanted:
        point = nearest(points, index)
        if run and point is not None and point.frame_index > run[-1]:
            yield run, begins
            run = []
        if not run:
            begins = point
        run.append(index)
    if run:
        yield run, begins


@dataclass(frozen=True)
class StoragePixels:
    """Reader of frames' pixels: pickles, and opens its own connections a process.

    read_frames(source, frame_indices, point=...) and read_image(source) come from the frames room, which this
    package must not import.
    """

    storage: Storage
    videos: VideoRegister
    frames: FrameQueries
    read_frames: Callable[..., Iterator[Any]]
    read_image: Callable[[Any], np.ndarray]

    def stream(self, video: Video, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """(frame_id, image (h, w, 3) uint8 RGB) of a video's frames, ascending.

        Raises LookupError for stills not there, and what read_frames raises where a video ends before a frame.
        """
        wanted = sorted({int(index) for index in indices})
        if video.kind == "images":
            yield from self._stills(video, wanted)
            return
        source = self.storage.source(f"{VIDEOS}/{video.path}")
        with nullcontext(source) if isinstance(source, str) else closing(source):
            # A damaged video is decoded from its first frame; one without a gap of frames to skip, too.
            points = self.frames.points_of(video.video_no) if video.status == "indexed" else []
            for run, point in _stretches(wanted, points):
                for frame in self.read_frames(source, run, **({"point": point} if point else {})):
                    yield frame_id(video.video_no, frame.frame_index), frame.image

    def _stills(self, video: Video, wanted: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        at = {index: path for path, index in self.frames.images_of(video.video_no).items()}
        for index in wanted:
            if index not in at:
                raise LookupError(f"there is no still number {index} in videos/{video.path}")
            with self.storage.open(f"{VIDEOS}/{at[index]}") as source:
                yield frame_id(video.video_no, index), self.read_image(source)

    def images(self, frame_ids: Sequence[int]) -> list[np.ndarray]:
        """Images in the order asked for, each read once: stills by one query, other frames from their videos.

        A frame of a video that has a still in `stills/` is read from that, which is exact to the frame and spares
        the decoding of all frames since the last key frame. Raises LookupError for frames not there.
        """
        wanted = list(dict.fromkeys(int(key) for key in frame_ids))
        found = dict(self._read_stills(wanted))
        found.update(self._decoded([key for key in wanted if key not in found]))
        missing = [key for key in wanted if key not in found]
        if missing:
            raise LookupError(f"{len(missing)} frames could not be read, first {missing[0]}")
        return [found[int(key)] for key in frame_ids]

    def _read_stills(self, frame_ids: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        # All files before the first image: reading and decoding by turns drives each other out of the caches.
        for key, path, data in list(self._still_files(frame_ids)):
            try:
                yield key, self.read_image(io.BytesIO(data))
            except ValueError as error:
                raise LookupError(f"{path}: {error}") from error

    def _still_files(self, frame_ids: Sequence[int]) -> Iterator[tuple[int, str, bytes]]:
        for key, (video_id, image_path) in self.frames.files_of(frame_ids).items():
            path = f"{VIDEOS}/{image_path}" if image_path else still_path(video_id, frame_index_of(key))
            with suppress(FileMissingError):  # it is decoded, which names a file that must be there
                yield key, path, self.storage.read(path)

    def _decoded(self, frame_ids: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        by_video: dict[int, list[int]] = defaultdict(list)
        for key in frame_ids:
            by_video[video_no_of(key)].append(frame_index_of(key))
        known = {video.video_no: video for video in self.videos.numbered(by_video)}
        for number, indices in by_video.items():
            if number not in known:
                raise LookupError(f"no video number {number}")
            try:
                yield from self.stream(known[number], indices)
            except ValueError as error:
                raise LookupError(f"videos/{known[number].path}: {error}") from error

    def vectors(self, frame_ids: Sequence[int]) -> np.ndarray:
        """Vectors are read by resources.queries.frames.SqlVectors."""
        raise LookupError("this reader has pixels only; read vectors with SqlVectors")

"""Pixels of frames by key, read from videos and stills in storage. Decoding itself is the caller's function."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from al_assets.keys import frame_id, frame_index_of, video_no_of
from resources.queries.frames import FrameQueries
from resources.queries.videos import Video, VideoRegister
from resources.storage import Storage

VIDEOS = "videos"


@dataclass(frozen=True)
class StoragePixels:
    """Reader of frames' pixels: pickles, and opens its own connections a process.

    read_frames(source, frame_indices) and read_image(source) come from the frames room, which this package must
    not import.
    """

    storage: Storage
    videos: VideoRegister
    frames: FrameQueries
    read_frames: Callable[[Any, Sequence[int]], Iterator[Any]]
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
            for frame in self.read_frames(source, wanted):
                yield frame_id(video.video_no, frame.frame_index), frame.image

    def _stills(self, video: Video, wanted: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        at = {index: path for path, index in self.frames.images_of(video.video_no).items()}
        for index in wanted:
            if index not in at:
                raise LookupError(f"there is no still number {index} in videos/{video.path}")
            with self.storage.open(f"{VIDEOS}/{at[index]}") as source:
                yield frame_id(video.video_no, index), self.read_image(source)

    def images(self, frame_ids: Sequence[int]) -> list[np.ndarray]:
        """Images in the order asked for; each video is decoded once. Raises LookupError for frames not there."""
        by_video: dict[int, list[int]] = defaultdict(list)
        for key in frame_ids:
            by_video[video_no_of(int(key))].append(frame_index_of(int(key)))
        known = {video.video_no: video for video in self.videos.numbered(by_video)}
        found: dict[int, np.ndarray] = {}
        for number, indices in by_video.items():
            if number not in known:
                raise LookupError(f"no video number {number}")
            try:
                found.update(self.stream(known[number], indices))
            except ValueError as error:
                raise LookupError(f"videos/{known[number].path}: {error}") from error
        missing = [int(key) for key in frame_ids if int(key) not in found]
        if missing:
            raise LookupError(f"{len(missing)} frames could not be read, first {missing[0]}")
        return [found[int(key)] for key in frame_ids]

    def vectors(self, frame_ids: Sequence[int]) -> np.ndarray:
        """Vectors are read by resources.queries.frames.SqlVectors."""
        raise LookupError("this reader has pixels only; read vectors with SqlVectors")

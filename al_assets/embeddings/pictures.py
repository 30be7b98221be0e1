"""From files to pictures as a backbone takes them: decoded, upright, resized. No model, no table, no torch.

Processes that decode import this module and nothing heavier.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
from PIL import Image

from al_assets.decoding_points import DecodingPoint
from al_assets.frames.decoding import read_frames
from al_assets.frames.images import read_image

VIDEO_ERRORS = (ValueError, FileNotFoundError)
"""What decoding raises that says something about the file, and nothing about storage or this program."""


STILL_FRAMES = 10


class Files(Protocol):
    """Storage, as far as pictures need it."""

    def source(self, path: str) -> Any:
        """A path or an open file that can be sought."""

    def open(self, path: str) -> BinaryIO:
        """An open file."""


@dataclass(frozen=True)
class PictureJob:
    """Pictures wanted of one video: its path in storage and frame_index of each, ascending.

    images: paths of the stills, one each, for a folder of stills. point: where decoding may begin.
    """

    path: str
    indices: Sequence[int]
    images: Sequence[str] = ()
    point: DecodingPoint | None = None

    @property
    def decoded(self) -> int:
        """Frames that are decoded for it, about: a still costs as much as some frames of a video."""
        if self.images:
            return STILL_FRAMES * len(self.images)
        return self.indices[-1] - (self.point.frame_index if self.point else -1) if len(self.indices) else 0


@dataclass(frozen=True)
class Pictures:
    """Reads the pictures of jobs; pickles where `files` does."""

    files: Files
    side: int
    bicubic: bool

    def __call__(self, job: PictureJob) -> Iterator[np.ndarray]:
        """(side, side, 3) uint8 for each index in order. Raises ValueError and OSError of decoding and storage."""
        for image in self._images(job):
            yield prepared(image, side=self.side, bicubic=self.bicubic)

    def _images(self, job: PictureJob) -> Iterator[np.ndarray]:
        if job.images:
            for path in job.images:
                with self.files.open(path) as stream:
                    yield read_image(stream)
            return
        source = self.files.source(job.path)
        with nullcontext(source) if isinstance(source, str) else closing(source):
            for frame in read_frames(source, job.indices, point=job.point):
                yield frame.image


def prepared(image: np.ndarray, *, side: int, bicubic: bool) -> np.ndarray:
    """The whole frame resized to (side, side, 3) uint8; one of that size comes back as is.

    No crop: an individual may stand at the edge.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"expected a (h, w, 3) uint8 RGB image, got {image.shape} {image.dtype}")
    if image.shape[:2] == (side, side):
        return image
    kind = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((side, side), kind, reducing_gap=2.0))

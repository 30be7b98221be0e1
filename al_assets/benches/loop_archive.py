"""The archive of `al bench loop`: videos, frames and vectors with the structure of clips, written as the assets write.

Each video is a link to one tiny rendered clip, so that stills are decoded from real pixels; its rows go through the
slice writer behind the SQL IO manager. Not here: what is measured on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from al_assets.frames.registration import Arrival, Registration
from al_assets.frames.video_facts import VideoFacts
from al_assets.keys import frame_range
from al_assets.labels.splits import split_of
from resources.archive import Archive
from resources.queries.registrar import SplitRule
from resources.queries.videos import Video, coverage_row, expected_version
from resources.slice_writer import SliceWriter
from resources.slices import KeyList, KeyRange, Restriction, Slice, Update

FRAMES_A_VIDEO, FEWEST_VIDEOS, SMALLEST_VIDEO = 3_000, 40, 25
VIDEOS_A_WRITE = 10
SCENE_FRAMES = 120
"""Consecutive frames that show one class: two minutes at a frame a second."""
SPREAD, CLIP, WALK = 0.3, 0.35, 0.02
"""Standard deviation a dimension of class centres, a clip's own offset and its drift over a scene; noise has 1."""
NOISE_ROWS = 50_000
WIDTH, HEIGHT = 64, 48
BEGAN = datetime(2025, 1, 1)


@dataclass(frozen=True)
class Shape:
    """Size of the archive: frames in all, values a vector, classes."""

    frames: int
    dimensions: int
    classes: int

    @property
    def frames_a_video(self) -> int:
        """Frames of every video but the last, which has what is left."""
        return int(np.clip(self.frames // FEWEST_VIDEOS, SMALLEST_VIDEO, FRAMES_A_VIDEO))

    @property
    def videos(self) -> int:
        """Number of videos."""
        return -(-self.frames // self.frames_a_video)

    def frames_of(self, number: int) -> int:
        """Frames of a video, numbered from 1."""
        return min(self.frames_a_video, self.frames - (number - 1) * self.frames_a_video)


@dataclass(frozen=True)
class World:
    """What a frame shows, and its vector: a class for two minutes, then another; each clip a little off and moving."""

    shape: Shape

    def truth(self, number: int) -> np.ndarray:
        """Class from 0 of each frame of a video: (n,) int64."""
        n = self.shape.frames_of(number)
        scenes = np.random.default_rng([number, 1]).integers(0, self.shape.classes, -(-n // SCENE_FRAMES))
        return np.repeat(scenes, SCENE_FRAMES)[:n]

    def vectors(self, number: int) -> np.ndarray:
        """(n, d) float16 of a video."""
        n, d = self.shape.frames_of(number), self.shape.dimensions
        rng = np.random.default_rng([number, 2])
        offset, course = rng.normal(0, CLIP, d), rng.normal(0, WALK / np.sqrt(SCENE_FRAMES), d)
        start = int(rng.integers(0, len(self._noise) - n))
        shown = self._centres[self.truth(number)] + self._noise[start : start + n]
        shown += offset.astype(np.float32)
        shown += np.arange(n, dtype=np.float32)[:, None] * course.astype(np.float32)
        return np.asarray(shown.astype("<f2"))

    @cached_property
    def _centres(self) -> np.ndarray:
        size = (self.shape.classes, self.shape.dimensions)
        return np.random.default_rng(5).normal(0, SPREAD, size).astype(np.float32)

    @cached_property
    def _noise(self) -> np.ndarray:
        """Rows of which each video takes some: drawing anew for every frame would take longer than writing it."""
        size = (NOISE_ROWS, self.shape.dimensions)
        return np.random.default_rng(6).standard_normal(size, dtype=np.float32)


def render_clip(file: Path, frames: int) -> None:
    """A clip of flat pictures, a frame a second, of a few bytes each."""
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(1))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "35"}
        for number in range(frames):
            grey = np.full((HEIGHT, WIDTH, 3), 40 + number * 7 % 160, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))


def register(archive: Archive, shape: Shape, clip: Path, videos: Path, seed: int) -> list[Video]:
    """Videos in the register as the registrar puts them there, each with a file of its own name."""
    paths = [f"site-{n % 12:02d}/clip-{n:06d}.mp4" for n in range(1, shape.videos + 1)]
    for path in paths:
        (videos / path).parent.mkdir(parents=True, exist_ok=True)
        os.link(clip, videos / path)
    size = clip.stat().st_size
    facts = {
        path: VideoFacts(path.split("/")[0], "bench", BEGAN + timedelta(hours=n))
        for n, path in enumerate(paths)
    }
    new = tuple((Arrival(path, "video", "1", size), f"{n:064x}") for n, path in enumerate(paths))
    rule = SplitRule(by_video=lambda ordinal: split_of(ordinal, seed))
    archive.videos.register(Registration(new=new), facts, rule, now=archive.now())
    return archive.videos.all()


def write_frames(archive: Archive, world: World, videos: Sequence[Video], rate: float) -> int:
    """Frames of the videos, and what their indexing makes known of them; returns rows."""
    writer, rows = SliceWriter(archive.database), 0
    for part in _parts(videos):
        tables = [_frames(video, world.shape.frames_of(video.video_no)) for video in part]
        facts = [
            {
                "status": "indexed",
                "indexed_at": archive.now(),
                "frames_version": expected_version(video.etag, rate),
                "width": WIDTH,
                "height": HEIGHT,
                "frames_per_second": 1.0,
                "duration_ms": 1000 * world.shape.frames_of(video.video_no),
            }
            for video in part
        ]
        updates = [
            Update("videos", {"video_id": v.video_id}, fact) for v, fact in zip(part, facts, strict=True)
        ]
        slice = Slice({"frame_id": _span(part)}, {"frames": pa.concat_tables(tables)}, updates)
        rows += writer.write("frames", slice, now=archive.now()).rows
    return rows


def _frames(video: Video, n: int) -> pa.Table:
    rng = np.random.default_rng([video.video_no, 3])
    at, first = np.arange(n), frame_range(video.video_no)[0]
    repeats = (rng.random(n) < 0.05) & (at > 0)
    light = np.clip(rng.normal(0.3 + 0.03 * (video.video_no % 12), 0.05, n), 0.01, 1)
    columns = {
        "frame_id": first + at,
        "video_id": pa.repeat(pa.scalar(video.video_id), n),
        "frame_index": at,
        "pts_ms": at * 1000,
        "width": np.full(n, WIDTH),
        "height": np.full(n, HEIGHT),
        "brightness": light,
        "sharpness": rng.gamma(4.0, 20.0, n),
        "phash": rng.integers(-(2**63), 2**63 - 1, n),
        "duplicate_of": pa.array(first + at - 1, mask=~repeats),
        "image_path": pa.nulls(n, pa.string()),
    }
    return pa.table(columns)


def write_vectors(archive: Archive, world: World, videos: Sequence[Video], embedder_id: str) -> int:
    """Vectors of the videos and their coverage; returns rows."""
    archive.frames.register_embedder(
        {
            "embedder_id": embedder_id,
            "backbone": "bench",
            "weights_sha256": "",
            "projection": None,
            "dimensions": world.shape.dimensions,
            "created_at": archive.now(),
        }
    )
    writer, rows = SliceWriter(archive.database), 0
    for part in _parts(videos):
        vectors = [world.vectors(video.video_no) for video in part]
        found = {
            "embeddings": pa.concat_tables(
                _vectors(embedder_id, video, own) for video, own in zip(part, vectors, strict=True)
            ),
            "video_coverage": pa.Table.from_pylist(
                [
                    coverage_row("embeddings", embedder_id, video, len(own))
                    for video, own in zip(part, vectors, strict=True)
                ]
            ),
        }
        where: dict[str, Restriction] = {
            "embeddings.embedder_id": embedder_id,
            "embeddings.frame_id": _span(part),
            "video_coverage.asset": "embeddings",
            "video_coverage.version": embedder_id,
            "video_coverage.video_id": KeyList(tuple(video.video_id for video in part)),
        }
        rows += writer.write("embeddings", Slice(where, found), now=archive.now()).rows
    return rows


def _vectors(embedder_id: str, video: Video, vectors: np.ndarray) -> pa.Table:
    n, size = len(vectors), vectors.shape[1] * 2
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(size)
    packed = pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(vectors)])
    return pa.table(
        {
            "embedder_id": pa.repeat(pa.scalar(embedder_id), n),
            "frame_id": frame_range(video.video_no)[0] + np.arange(n),
            "vector": packed,
        }
    )


def _span(part: Sequence[Video]) -> KeyRange:
    return KeyRange(frame_range(part[0].video_no)[0], frame_range(part[-1].video_no)[1])


def _parts(videos: Sequence[Video]) -> Iterator[Sequence[Video]]:
    return (videos[start : start + VIDEOS_A_WRITE] for start in range(0, len(videos), VIDEOS_A_WRITE))

"""A long video is embedded in parts; what is stored is not decoded again, and a half is never taken for the whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from al_assets.decoding_points import DecodingPoint
from al_assets.embedding_slices import EmbeddingSlices, UnreadableVideosError
from al_assets.embedding_work import EmbeddingWork, items_of
from al_assets.embeddings import parts
from al_assets.embeddings.parts import parts_of
from al_assets.frame_slices import frame_slices
from al_assets.frames import indexing, seeking
from al_assets.frames.video_reader import VideoReader
from al_assets.settings import parse_settings
from al_assets.vector_versions import VectorVersions
from resources.slice_writer import SliceWriter
from support.clips import numbered_frame, render
from support.small_archives import SmallArchive, empty_archive

N = 100
SETTINGS = parse_settings(
    {"frames": {"frames_per_second": 12.5}, "embeddings": {"threads": 1, "decoders": 0}}
)


class Embedded(SmallArchive):
    """A small archive whose frames and vectors are written without runs of Dagster."""

    said: list[str]

    def write(self, asset: str, slices: Iterator[object]) -> list[str]:
        writer = SliceWriter(self.archive.database)
        return [writer.write(asset, part, now=datetime.now(UTC)).name for part in slices]  # type: ignore[arg-type]

    def embed(self, slices: int | None = None) -> list[str]:
        """Names of the slices written, at most so many."""
        work = EmbeddingWork(self.archive.storage, SETTINGS.embeddings)
        self.said, embedding = [], work()
        versions = VectorVersions.single(embedding.facts.embedder_id)  # type: ignore[attr-defined]
        self.embedder_id = versions.wanted
        planned = EmbeddingSlices(self.archive, versions, self.archive.videos.all(), self.said.append)
        results = (part for item in planned.items() for part in embedding(item))
        return self.write("embeddings", islice(iter(planned.written(results)), slices))

    def lacking(self) -> int:
        return len(self.archive.videos.lacking("embeddings", self.embedder_id))

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        return self.archive.frames.vectors_of_video(self.embedder_id, 1)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedded]:
    monkeypatch.setattr(seeking, "SPACING", 10)
    monkeypatch.setattr(indexing, "PART_ROWS", 5)
    monkeypatch.setattr(parts_of, "__defaults__", (20,))
    archive = empty_archive(tmp_path)
    made = Embedded(archive)
    (made.root / "videos").mkdir(exist_ok=True)
    render(made.root / "videos/long.mp4", [numbered_frame(at) for at in range(N)], gop=12, b_frames=2)
    made.touch("videos/long.mp4")
    made.look()
    for video in archive.videos.all():
        made.write("frames", frame_slices(archive, SETTINGS.frames, video, logging.getLogger(__name__)))
    yield made
    archive.database.close()


def test_the_last_part_alone_says_that_a_video_is_covered(made: Embedded) -> None:
    assert len(made.embed(2)) == 2
    assert len(made.vectors()[0]) == 40
    assert made.lacking() == 1
    assert [name.split(", ")[-1] for name in made.embed()] == [f"frames 80 to {2**24 - 1}"]
    assert made.lacking() == 0
    assert len(made.vectors()[0]) == N // 2


def test_a_late_part_of_another_run_leaves_the_video_to_do(made: Embedded) -> None:
    work = EmbeddingWork(made.archive.storage, SETTINGS.embeddings)()
    versions = VectorVersions.single(work.facts.embedder_id)  # type: ignore[attr-defined]
    planned = EmbeddingSlices(made.archive, versions, made.archive.videos.all(), print)
    late = next(iter(planned.written(part for item in planned.items() for part in work(item))))
    made.embed()
    assert made.lacking() == 0
    made.write("embeddings", iter([late]))
    assert made.lacking() == 1
    made.embed()
    assert (made.lacking(), len(made.vectors()[0])) == (0, N // 2)


def test_what_is_stored_is_not_decoded_again_and_the_vectors_are_those_of_an_undisturbed_run(
    made: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.embed()
    whole = made.vectors()
    with made.archive.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM embeddings WHERE frame_id % 16777216 >= 80")
        connection.exec_driver_sql("DELETE FROM video_coverage")
    starts: list[DecodingPoint | None] = []
    begin = VideoReader.__init__

    def noting(self: VideoReader, source: object, start: DecodingPoint | None = None) -> None:
        starts.append(start)
        begin(self, source, start)  # type: ignore[arg-type]

    monkeypatch.setattr(VideoReader, "__init__", noting)
    made.embed()
    (start,) = starts
    assert start is not None
    assert 60 < start.frame_index < 80
    again = made.vectors()
    np.testing.assert_array_equal(whole[0], again[0])
    np.testing.assert_allclose(whole[1].astype(np.float32), again[1].astype(np.float32), atol=2e-3)
    assert made.said == ["long.mp4: 10 frames to embed, 40 stand"]


def test_a_video_that_cannot_be_read_is_named_when_the_others_are_done(made: Embedded) -> None:
    render(made.root / "videos/other.mp4", n=10)
    made.touch("videos/other.mp4")
    made.look()
    for video in made.archive.videos.all()[1:]:
        made.write("frames", frame_slices(made.archive, SETTINGS.frames, video, logging.getLogger(__name__)))
    (made.root / "videos/long.mp4").write_bytes(b"half of a vid")
    with pytest.raises(UnreadableVideosError, match=r"of 1 of 2 videos .* stand: long.mp4: .*not a video"):
        made.embed()
    long, other = made.archive.videos.all()
    assert made.archive.videos.lacking("embeddings", made.embedder_id) == [long.video_id]
    assert made.archive.videos.covered_by("embeddings", made.embedder_id) == [other.video_id]


def test_parts_tile_the_video_and_leave_out_what_stands() -> None:
    keys = np.arange(100, 200, 10)
    whole = list(parts_of(keys, keys[:0], 96, 300, 4))
    assert [(part.first, part.last) for part in whole] == [(96, 139), (140, 179), (180, 300)]
    stale = np.array([100, 110, 120, 130, 141])
    some = list(parts_of(keys, stale, 96, 300, 4))
    assert [(part.first, part.todo.tolist()) for part in some] == [
        (140, [140, 150, 160, 170]),
        (180, [180, 190]),
    ]
    assert [part.todo.tolist() for part in parts_of(keys, keys, 96, 300)] == [[]]
    assert parts.PART_FRAMES == 2000
    assert list(items_of([])) == []

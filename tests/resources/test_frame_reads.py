"""Reads of frames and vectors: the same numbers on every database."""

from __future__ import annotations

import numpy as np
import pytest

from al_assets.keys import frame_id
from resources.database import RAW_ROWS, Database
from resources.queries.frames import FrameQueries
from resources.queries.monitoring import MonitoringQueries
from resources.tables import frames
from support.archive_rows import ArchiveRows

N = 2 * RAW_ROWS + 3


@pytest.fixture
def archive(database: Database) -> Database:
    """Two videos, the first longer than the rows that come at a time."""
    rows = ArchiveRows(database)
    rows.add("embedders", embedder_id="e", dimensions=4)
    for number, count in ((1, N), (2, 1)):
        for at, key in enumerate(rows.video(number, [1000 * at for at in range(count)])):
            vector = np.full(4, at + number, "<f2").tobytes()
            rows.add("embeddings", embedder_id="e", frame_id=key, vector=vector)
    return database


def test_vectors_of_a_video_are_whole_in_order_and_writable(archive: Database) -> None:
    queries = FrameQueries(archive)
    keys, vectors = queries.vectors_of_video("e", 1)
    assert keys.tolist() == [frame_id(1, 5 * at) for at in range(N)]
    assert vectors.dtype == np.float16
    assert vectors[:, 0].tolist() == [at + 1 for at in range(N)]
    vectors[0] = 0
    wanted = [frame_id(2, 0), frame_id(1, 25), frame_id(1, 0)]
    keys, vectors = queries.vectors("e", wanted)
    assert keys.tolist() == sorted(wanted)
    assert vectors[:, 3].tolist() == [1, 6, 2]
    keys, vectors = queries.vectors_of_video("e", 3)
    assert (keys.shape, vectors.shape) == ((0,), (0, 4))


def test_more_frames_than_a_number(archive: Database) -> None:
    queries = FrameQueries(archive)
    assert queries.count() == N + 1
    assert [queries.more_than(number) for number in (0, N, N + 1, 10**9)] == [True, True, False, False]


def test_light_of_a_video_is_a_row_a_frame(archive: Database) -> None:
    queries = MonitoringQueries(archive)
    found = queries.light(1)
    assert (found.shape, found.dtype) == ((N, 2), np.float64)
    known = archive.fetch(
        frames.select().where(frames.c.frame_id < frame_id(2, 0)).order_by(frames.c.frame_id)
    )
    assert found[:, 0].tolist() == known["brightness"].to_pylist()
    assert found[:, 1].tolist() == known["sharpness"].to_pylist()
    assert queries.light(3).shape == (0, 2)


def test_a_reader_that_stops_early_gives_its_connection_back(archive: Database) -> None:
    for _ in range(30):
        rows = archive.raw_rows(frames.select())
        assert len(next(rows)) == RAW_ROWS
        rows.close()  # type: ignore[attr-defined]

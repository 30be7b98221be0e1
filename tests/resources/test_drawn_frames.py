"""A draw of the archive's vectors: spread over videos and time, of one split, the same for a seed."""

from __future__ import annotations

import numpy as np
import pytest

from resources.database import Database
from resources.queries.frames import FrameQueries
from tests.support.archive_rows import ArchiveRows


@pytest.fixture
def queries(database: Database) -> FrameQueries:
    """Four training videos of ten frames and a test video; a vector names its video and its place there."""
    rows = ArchiveRows(database)
    rows.add("embedders", embedder_id="e", dimensions=2)
    for number in range(1, 6):
        for place, key in enumerate(
            rows.video(number, range(0, 10_000, 1000), split="train" if number < 5 else "test")
        ):
            vector = np.array([number, place], "<f2").tobytes()
            rows.add("embeddings", embedder_id="e", frame_id=key, vector=vector)
    return FrameQueries(database)


def test_all_frames_of_the_split_come_where_they_are_few(queries: FrameQueries) -> None:
    drawn = queries.drawn("e", "train", 100, 1)
    assert len(drawn) == 40
    assert set(drawn[:, 0]) == {1, 2, 3, 4}


def test_a_draw_is_spread_over_videos_and_time(queries: FrameQueries) -> None:
    drawn = queries.drawn("e", "train", 8, 1)
    assert np.bincount(drawn[:, 0].astype(int))[1:].tolist() == [2, 2, 2, 2]
    assert all(np.ptp(drawn[drawn[:, 0] == number, 1]) == 5 for number in range(1, 5))


def test_the_same_seed_draws_the_same_frames(queries: FrameQueries) -> None:
    assert np.array_equal(queries.drawn("e", "train", 8, 3), queries.drawn("e", "train", 8, 3))


def test_an_embedder_without_vectors_gives_none(queries: FrameQueries) -> None:
    assert queries.drawn("e", "validation", 8, 3).shape == (0, 2)

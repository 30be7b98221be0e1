"""The rows of ten hours at 25 frames a second, every frame sampled, pass through in the memory of a few parts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from al_assets import frame_slices
from al_assets.decoding_points import DecodingPoint
from al_assets.frames.indexing import FRAME_SCHEMA, IndexOutcome, Piece
from al_assets.keys import frame_id
from al_assets.settings import FramesSettings
from support.archive_rows import ArchiveRows
from support.small_archives import SmallArchive, empty_archive

PIECES, ROWS = 900, 1000
MIB = 1 << 20


class TenHours:
    """Stands for the index of such a video: the same rows over and over under other keys, a point every 2,000."""

    outcome = IndexOutcome("indexed", None, None, PIECES * ROWS, PIECES * ROWS)

    def __init__(self) -> None:
        self.highest = 0
        some = {field.name: np.zeros(ROWS) for field in FRAME_SCHEMA}
        some |= {"video_id": ["v"] * ROWS, "image_path": [None] * ROWS, "width": np.ones(ROWS)}  # type: ignore[dict-item]
        self._rows = pa.table({**some, "height": np.ones(ROWS)}).cast(FRAME_SCHEMA).to_batches()[0]

    def pieces(self) -> Iterator[Piece]:
        for number in range(PIECES):
            keys = pa.array(np.arange(ROWS) + frame_id(1, number * ROWS))
            rows = pa.RecordBatch.from_arrays([keys, *self._rows.columns[1:]], schema=FRAME_SCHEMA)
            last = (number + 1) * ROWS - 1
            points = (DecodingPoint(last, last, 40 * last, last - 3, "0" * 8, "{}"),) if number % 2 else ()
            yield Piece(rows, points, bool(points))
            self.highest = max(self.highest, pa.total_allocated_bytes())


@pytest.fixture
def made(tmp_path: Path) -> Iterator[SmallArchive]:
    made = SmallArchive(empty_archive(tmp_path))
    made.drop("videos/long.mp4", "a video")
    yield made
    made.archive.database.close()


@pytest.mark.parametrize(("status", "slices"), [("registered", 2 * PIECES // 2), ("indexed", 2)])
def test_memory_does_not_follow_the_length(
    made: SmallArchive, monkeypatch: pytest.MonkeyPatch, status: str, slices: int
) -> None:
    ArchiveRows(made.archive.database).video(1, video_id="v", path="long.mp4", status=status)
    (video,) = made.archive.videos.all()
    index = TenHours()
    monkeypatch.setattr(frame_slices, "index_video", lambda *_, **__: index)
    rows, count, before = 0, 0, pa.total_allocated_bytes()
    for part in frame_slices.frame_slices(made.archive, FramesSettings(), video, logging.getLogger(__name__)):
        count += 1
        rows += sum(block.num_rows for block in part.rows.get("frames", ()))
    assert rows == PIECES * ROWS
    assert count >= slices
    assert index.highest - before < 40 * MIB

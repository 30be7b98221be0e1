"""Rows between producer and transaction: on disk when they are many, readable twice, gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pytest

from resources.database import Database
from resources.slice_writer import SliceWriter
from resources.slices import Slice
from resources.spool import Spool
from resources.tables import embeddings as embeddings_table
from resources.tables import frames as frames_table
from support.rows import NOW, count, frames, video_slice

BLOCK = 500
VECTOR_BYTES = 20_480


def blocks(n: int) -> Iterator[pa.RecordBatch]:
    """n blocks of 10 MB."""
    for number in range(n):
        vectors = np.full((BLOCK, VECTOR_BYTES), number % 251, np.uint8)
        yield pa.RecordBatch.from_pydict(
            {
                "embedder_id": ["e"] * BLOCK,
                "frame_id": number * BLOCK + np.arange(BLOCK),
                "vector": pa.array([row.tobytes() for row in vectors], pa.binary()),
            }
        )


def test_many_rows_wait_on_disk_and_read_the_same_twice() -> None:
    with Spool() as spool:
        spool.add(embeddings_table, blocks(5), {})
        (spooled,) = spool.tables
        assert spooled.bytes_on_disk > 20 << 20
        for _ in range(2):
            read = pa.Table.from_batches(spooled)
            assert read["frame_id"].to_pylist() == list(range(5 * BLOCK))
            assert read["vector"][4 * BLOCK].as_py() == bytes([4]) * VECTOR_BYTES


def test_few_rows_never_reach_the_disk() -> None:
    with Spool() as spool:
        spool.add(frames_table, iter([frames(1, 5), frames(2, 5)]), {})
        assert spool.tables[0].bytes_on_disk == 0
        assert spool.tables[0].rows == 10


KILLED = """
import os, signal
from resources.spool import Spool
from resources.tables import embeddings
from test_spool import blocks

def dies():
    yield from blocks(4)
    assert spool.tables[0].bytes_on_disk > 1 << 20
    os.kill(os.getpid(), signal.SIGKILL)

with Spool() as spool:
    spool.add(embeddings, dies(), {})
"""


def test_a_killed_process_leaves_nothing_on_disk(tmp_path: Path) -> None:
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, (here, here.parent, here.parents[1])))
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": path}
    child = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    assert child.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_failed_producer_is_not_hidden() -> None:
    def fails() -> Iterator[pa.RecordBatch]:
        yield from blocks(4)
        raise OSError("decoder")

    with pytest.raises(OSError, match="decoder"), Spool() as spool:
        spool.add(embeddings_table, fails(), {})


def test_a_producer_may_use_its_frame_again() -> None:
    def reuses() -> Iterator[pd.DataFrame]:
        frame = frames(1, 3)
        for number in range(3):
            frame.loc[:, "frame_id"] = number * 3 + np.arange(3)
            yield frame

    with Spool() as spool:
        spool.add(frames_table, reuses(), {})
        assert pa.Table.from_batches(spool.tables[0])["frame_id"].to_pylist() == list(range(9))


def test_memory_is_bounded_by_the_block(sqlite_database: Database) -> None:
    process = psutil.Process()
    writer = SliceWriter(sqlite_database)
    writer.write("warm", Slice({"embedder_id": "e"}, {"embeddings": blocks(2)}), now=NOW)
    before = process.memory_info().rss
    peak = before

    def watched() -> Iterator[pa.RecordBatch]:
        nonlocal peak
        for block in blocks(25):
            peak = max(peak, process.memory_info().rss)
            yield block

    writer.write("embeddings", Slice({"embedder_id": "e"}, {"embeddings": watched()}), now=NOW)
    peak = max(peak, process.memory_info().rss)
    assert count(sqlite_database, "embeddings") == 25 * BLOCK
    assert peak - before < 150 << 20, "250 MB went through"


def test_batches_that_change_their_columns_are_refused() -> None:
    from resources.tables import materializations

    rows = pd.DataFrame(
        [{"asset": "a", "slice": "s", "rows": 1, "content_hash": "h", "committed_at": NOW}]
    ).assign(code_version=None, run_id=None)
    with Spool() as spool, pytest.raises(ValueError, match="materializations change their columns"):
        spool.add(materializations, iter([rows, rows.assign(materialization_id=1)]), {})


def test_a_slice_of_one_block_equals_one_of_many(sqlite_database: Database) -> None:
    writer = SliceWriter(sqlite_database)
    rows = frames(1, 1_000)
    whole = writer.write("frames", video_slice(rows), now=NOW)
    cut = writer.write("frames", video_slice(rows.iloc[i : i + 7] for i in range(0, 1_000, 7)), now=NOW)
    table = writer.write("frames", video_slice(pa.Table.from_pandas(rows, preserve_index=False)), now=NOW)
    reader = pa.Table.from_pandas(rows, preserve_index=False).to_reader(max_chunksize=13)
    assert writer.write("frames", video_slice(reader), now=NOW).content_hash == whole.content_hash
    assert whole.content_hash == cut.content_hash == table.content_hash
    assert count(sqlite_database, "frames") == 1_000

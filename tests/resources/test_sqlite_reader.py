"""Large results of SQLite by another process: the same rows in the same order from one state, however it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.bulk import sqlite_reader
from resources.database import Database
from resources.errors import BusyDatabaseError, DatabaseError
from resources.lazy_rows import LazyRows
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, KeyRanges, Slice
from resources.tables import metadata
from support.rows import NOW, frames

ROWS = 5_000


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """However few the rows are."""
    monkeypatch.setattr(sqlite_reader, "NEW_ROWS", 0)
    monkeypatch.setattr(sqlite_reader, "STARTED_ROWS", 0)
    yield
    sqlite_reader.close()


@pytest.fixture
def rows(sqlite_database: Database) -> LazyRows:
    writer = SliceWriter(sqlite_database)
    for video_no in (2, 1):
        writer.write("frames", Slice({}, {"frames": frames(video_no, ROWS)}), mode="append", now=NOW)
    return LazyRows(sqlite_database, "frames")


@pytest.mark.parametrize("batch_rows", [1, 999, 1_000_000])
def test_rows_are_those_of_the_usual_way(rows: LazyRows, batch_rows: int) -> None:
    few = rows.between("frame_id", frame_range(1)[0] + 10, frame_range(1)[0] + 1_500)
    usual = pa.Table.from_batches(rows.database.stream_all(few._statements(), batch_rows))

    found = list(few.iter_batches(batch_rows))

    assert max(batch.num_rows for batch in found) <= batch_rows
    assert pa.Table.from_batches(found).equals(usual)
    assert few.select("image_path", "sharpness").to_table().column_names == ["image_path", "sharpness"]


def test_every_type_of_the_tables_keeps_its_values(sqlite_database: Database) -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 89)
    examples = {pa.string(): "a'?", pa.binary(): b"\0\xff", pa.timestamp("us"): moment}
    for table in metadata.sorted_tables:
        schema = LazyRows(sqlite_database, table.name).schema
        rich = {field.name: examples.get(field.type, 1) for field in schema}
        rich |= {c.name: "ä'?🐒" for c in table.columns if isinstance(c.type, sa.Unicode | sa.UnicodeText)}
        poor = {**rich, **{c.name: None for c in table.columns if c.nullable}, **keys_of(table, 2)}
        given = pa.Table.from_pylist([poor, {**rich, **keys_of(table, 3)}], schema=schema)
        if table.name not in ("serving", "materializations"):  # one row, and the ledger of these writes
            SliceWriter(sqlite_database).write("x", Slice({}, {table.name: given}), mode="append", now=NOW)
            found = LazyRows(sqlite_database, table.name).to_table()
            assert found.schema.types == schema.types
            assert found.to_pylist() == given.to_pylist()


def test_many_ranges_come_one_after_another_from_one_state(rows: LazyRows) -> None:
    first = frame_range(1)[0]
    spans = KeyRanges(tuple(KeyRange(first + 2 * n, first + 2 * n) for n in range(450)))
    reading = LazyRows(rows.database, "frames", ("frame_id",), {"frame_id": spans}).iter_batches(100)
    begun = [next(reading)]
    SliceWriter(rows.database).write("frames", Slice({}, {"frames": frames(1, 1)}), now=NOW)

    found = pa.Table.from_batches([*begun, *reading])

    assert found["frame_id"].to_pylist() == [first + 2 * n for n in range(450)]
    assert rows.count() == 1


def test_nothing_found_is_no_batch(rows: LazyRows) -> None:
    assert list(rows.between("frame_id", 0, 1).iter_batches()) == []


def test_a_reader_that_stops_early_leaves_nothing_for_the_next(rows: LazyRows) -> None:
    reading = rows.iter_batches(10)
    next(reading)
    reading.close()

    assert rows.to_table().num_rows == 2 * ROWS


def test_a_lost_process_is_an_error_that_may_be_tried_again(rows: LazyRows) -> None:
    assert rows.to_table().num_rows == 2 * ROWS
    os.kill(sqlite_reader._idle[0]._process.pid, signal.SIGKILL)

    with pytest.raises(BusyDatabaseError, match="try again"):
        rows.to_table()
    assert rows.to_table().num_rows == 2 * ROWS


def test_what_sqlite_objects_to_is_said(sqlite_database: Database, tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])

    with pytest.raises(DatabaseError, match="no such table: nowhere"):
        list(
            sqlite_reader.read(
                str(sqlite_database.engine.url.database), [("SELECT n FROM nowhere", [])], schema, 10
            )
        )
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        list(sqlite_reader.read(str(tmp_path / "broken.db"), [("SELECT 1", [])], schema, 10))


def test_the_other_process_cannot_write(sqlite_database: Database) -> None:
    path = str(sqlite_database.engine.url.database)
    schema = pa.schema([("n", pa.int64())])

    with pytest.raises(DatabaseError):
        list(sqlite_reader.read(path, [("DELETE FROM frames RETURNING 1", [])], schema, 10))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_a_process_of_its_own(rows: LazyRows) -> None:
    assert rows.to_table().num_rows == 2 * ROWS
    child = os.fork()
    if child == 0:
        rows.database.close()
        good = sqlite_reader._idle == [] and rows.to_table().num_rows == 2 * ROWS
        sqlite_reader.close()
        os._exit(0 if good else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert rows.to_table().num_rows == 2 * ROWS


def keys_of(table: sa.Table, number: int) -> dict[str, object]:
    """Values that tell two rows of the table apart wherever it demands that."""
    unique = {column.name for column in table.primary_key} | {"name", "run_id", "video_no", "batch_id"}
    return {
        column.name: number if isinstance(column.type, sa.Integer) else f"k{number}"
        for column in table.columns
        if column.name in unique
    }

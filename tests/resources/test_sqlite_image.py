"""SQLite files made page by page: SQLite itself finds them whole and reads back what was put in."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from resources import bulk
from resources.bulk.sqlite import IMAGE_ROWS
from resources.bulk.sqlite_image import TABLE, Image, UnfitError
from resources.database import Database
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, Slice
from resources.tables import embeddings, evaluations

NOW = datetime(2026, 1, 1)
SCHEMA = pa.schema(
    [
        pa.field("key", pa.int64(), nullable=False),
        ("small", pa.int16()),
        ("number", pa.int32()),
        ("real", pa.float64()),
        ("single", pa.float32()),
        ("truth", pa.bool_()),
        ("text", pa.string()),
        ("bytes", pa.binary()),
        ("moment", pa.timestamp("us")),
    ]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
VALUES = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-(2**15), 2**15 - 1),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.floats(allow_nan=False),
    st.none() | st.floats(allow_nan=False, width=32),
    st.none() | st.booleans(),
    st.none() | TEXT,
    st.none() | st.binary(max_size=30),
    st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(VALUES, min_size=1, max_size=40), copies=st.integers(1, 40))
def test_sqlite_reads_back_every_value_from_any_number_of_pages(rows: list[tuple], copies: int) -> None:
    columns = zip(*rows * copies, strict=True)
    batch = pa.record_batch(
        [pa.array(v, f.type) for v, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )

    found = read_back([batch, batch.slice(1), batch.slice(0, 1)], page_bytes=1024)

    expected = [stored(row) for row in rows * copies]
    assert found == expected + expected[1:] + expected[:1]


@pytest.mark.parametrize("rows", [1, 37, 38, 39, 74, 75, 1_000, 60_000])
def test_pages_may_be_full_to_the_last_cell_and_the_tree_of_any_height(rows: int) -> None:
    batch = pa.record_batch({"number": pa.array(range(rows), pa.int64())})

    assert read_back([batch], page_bytes=512) == [(number,) for number in range(rows)]


def test_rows_longer_than_a_page_or_of_very_different_lengths_are_left_to_another_way() -> None:
    for texts in (["x" * 70_000], ["x" * 40_000, *["y"] * 100]):
        with tempfile.TemporaryFile() as stream, pytest.raises(UnfitError):
            Image(stream, pa.schema([("text", pa.string())])).add(pa.record_batch({"text": texts}))


def test_many_rows_stand_whichever_way_they_take(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "waiting"))
    (tmp_path / "waiting").mkdir()
    count = IMAGE_ROWS + 1
    fitting = vectors("short", [b"v" * 512] * count)
    unfit = vectors("mixed", [b"v" * 60_000, *[b"v"] * (count - 1)])
    writer = SliceWriter(sqlite_database)

    for name, rows in (("short", fitting), ("mixed", unfit)):
        writer.write("embeddings", Slice({"embedder_id": name}, {"embeddings": rows}), now=NOW)

    stored = sqlite_database.fetch(
        sa.select(embeddings).order_by(embeddings.c.embedder_id.desc(), embeddings.c.frame_id)
    )
    assert stored.equals(pa.concat_tables([fitting, unfit]).cast(stored.schema))
    assert list((tmp_path / "waiting").iterdir()) == []


def test_an_upsert_of_many_rows_replaces_those_with_the_same_key(sqlite_database: Database) -> None:
    def rows(keys: range, support: int) -> pa.Table:
        kinds = {"checkpoint_id": "m", "split": "test", "metric": "f1", "low": None, "high": None}
        values = [{**kinds, "class_id": key, "value": key / 7, "support": support} for key in keys]
        return pa.Table.from_pylist(values)

    writer = SliceWriter(sqlite_database)
    half = IMAGE_ROWS // 2
    writer.write("e", Slice({}, {"evaluations": rows(range(IMAGE_ROWS), 1)}), mode="upsert", now=NOW)
    writer.write(
        "e", Slice({}, {"evaluations": rows(range(half, half + IMAGE_ROWS), 2)}), mode="upsert", now=NOW
    )

    found = sqlite_database.fetch(
        sa.select(evaluations.c.class_id, evaluations.c.support).order_by(evaluations.c.class_id)
    )
    assert found["class_id"].to_pylist() == list(range(half + IMAGE_ROWS))
    assert found["support"].to_pylist() == [1] * half + [2] * IMAGE_ROWS


def test_a_second_attempt_has_its_rows_although_the_file_is_used_up(sqlite_database: Database) -> None:
    rows = Kept(vectors("again", [b"v"] * IMAGE_ROWS).to_batches()[0])
    dialect = bulk.dialect("sqlite")

    with dialect.stage(rows) as staged:
        for ending in ("rollback", "commit"):
            with sqlite_database.engine.connect() as connection:
                dialect.insert(connection, embeddings, staged)
                getattr(connection, ending)()

    count = sqlite_database.fetch(sa.select(sa.func.count()).select_from(embeddings))
    assert count.to_pylist() == [{"count_1": IMAGE_ROWS}]


def test_one_connection_takes_any_number_of_slices_one_after_another(sqlite_database: Database) -> None:
    writer = SliceWriter(sqlite_database)
    for number in range(12):
        first = number * IMAGE_ROWS
        rows = vectors("e", [b"v"] * IMAGE_ROWS, first)
        where = {"embedder_id": "e", "frame_id": KeyRange(first, first + IMAGE_ROWS - 1)}
        writer.write("embeddings", Slice(where, {"embeddings": rows}), now=NOW)

    with sqlite_database.read() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM embeddings").scalar() == 12 * IMAGE_ROWS
        assert len(connection.exec_driver_sql("PRAGMA database_list").all()) == 1


class Kept:
    """Rows as the spool keeps them."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch, self.schema, self.rows = batch, batch.schema, batch.num_rows
        self.constants: dict[str, pa.Scalar] = {}

    def __iter__(self):
        yield self.batch


def vectors(name: str, values: list[bytes], first: int = 0) -> pa.Table:
    keys = range(first, first + len(values))
    return pa.table({"embedder_id": [name] * len(values), "frame_id": keys, "vector": values}).cast(
        pa.schema([("embedder_id", pa.string()), ("frame_id", pa.int64()), ("vector", pa.binary())])
    )


def read_back(batches: list[pa.RecordBatch], page_bytes: int) -> list[tuple]:
    """The rows of an image that SQLite's own check finds in order."""
    with tempfile.NamedTemporaryFile(suffix=".db") as stream:
        image = Image(stream, batches[0].schema, page_bytes)
        for batch in batches:
            image.add(batch)
        image.finish()
        with closing(sqlite3.connect(stream.name)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return connection.execute(f"SELECT {', '.join(image.expressions)} FROM {TABLE}").fetchall()


def stored(row: tuple) -> tuple:
    """The row as SQLite returns it."""
    *plain, moment = row
    spelled = None if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return (*(int(value) if isinstance(value, bool) else value for value in plain), spelled)

"""How fast tables are written and read, against ADBC, pandas and psycopg in the same run. Measures only.

Ours is the whole way: checks, content hash, transaction and ledger row on writing, declared types on reading.
The reference of each ratio does none of that.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.arrow_types import table_schema
from resources.database import Database
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, Slice
from resources.tables import frames, metadata

REPEATS = 3
VIDEO_NO = 1


def measure_io(rows: int, database_url: str | None = None) -> dict[str, dict[str, float]]:
    """`measured` in rows a second and `ratios` of our speed to the reference's, on `rows` rows of `frames`.

    The SQLite ratios are taken on files of their own, those with ADBC only where it is installed;
    `postgresql_write_vs_copy` where `database_url` names a PostgreSQL server, in a schema that is dropped again.
    The works of a repeat run in turns and the best of the repeats counts, since noise only slows.
    """
    table = sample_frames(rows)
    speed: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="al-bench-") as folder:
        for number in range(REPEATS):
            for name, seconds in _sqlite(Path(folder) / f"{number}", table):
                speed[name] = max(speed.get(name, 0.0), rows / seconds)
    if database_url is not None and sa.make_url(database_url).get_backend_name() == "postgresql":
        with _schema(database_url) as url:
            for _ in range(REPEATS):
                for name, seconds in _postgresql(url, table):
                    speed[name] = max(speed.get(name, 0.0), rows / seconds)
    ratios = {
        f"{ours}_vs_{reference}": speed[ours] / speed[f"{ours}_{reference}"]
        for ours, reference in (
            ("sqlite_write", "adbc"),
            ("sqlite_write", "to_sql"),
            ("sqlite_read", "adbc"),
            ("sqlite_read", "read_sql"),
            ("postgresql_write", "copy"),
        )
        if f"{ours}_{reference}" in speed
    }
    return {"measured": {f"{name}_rows_per_second": value for name, value in speed.items()}, "ratios": ratios}


def sample_frames(rows: int) -> pa.Table:
    """Rows like those of one indexed video: what differs from frame to frame differs."""
    rng = np.random.default_rng(0)
    at = np.arange(rows)
    first = frame_range(VIDEO_NO)[0]
    duplicate = pa.array(first + at, mask=rng.random(rows) < 0.9)
    columns = {
        "frame_id": first + at,
        "video_id": pa.array(["clip-0123456789"] * rows),
        "frame_index": at,
        "pts_ms": at * 40,
        "width": np.full(rows, 1920),
        "height": np.full(rows, 1080),
        "brightness": rng.random(rows),
        "sharpness": rng.random(rows) * 100,
        "phash": rng.integers(-(2**63), 2**63 - 1, rows),
        "duplicate_of": duplicate,
        "image_path": pa.nulls(rows, pa.string()),
    }
    schema = table_schema(frames)
    return pa.table({name: pa.array(values) for name, values in columns.items()}).cast(schema)


def _sqlite(folder: Path, table: pa.Table) -> Iterator[tuple[str, float]]:
    folder.mkdir()
    query = sa.select(frames)
    ours = _new_database(f"sqlite:///{folder / 'ours.db'}")
    yield "sqlite_write", _seconds(lambda: _write(ours, table))
    yield "sqlite_read", _seconds(lambda: ours.fetch(query))
    plain = sa.create_engine(ours.url)
    yield "sqlite_read_read_sql", _seconds(lambda: pd.read_sql("SELECT * FROM frames", plain))
    plain.dispose()
    ours.close()
    other = _new_database(f"sqlite:///{folder / 'to_sql.db'}")
    other.close()
    plain = sa.create_engine(other.url)
    frame = table.to_pandas()
    yield (
        "sqlite_write_to_sql",
        _seconds(lambda: frame.to_sql("frames", plain, if_exists="append", index=False)),
    )
    plain.dispose()
    if find_spec("adbc_driver_sqlite") is not None:
        yield from _adbc(folder / "adbc.db", table)


def _adbc(file: Path, table: pa.Table) -> Iterator[tuple[str, float]]:
    # A file of its own: two SQLite libraries of one process on one file undo each other's locks.
    from adbc_driver_sqlite import dbapi

    _new_database(f"sqlite:///{file}").close()
    with dbapi.connect(str(file)) as connection, connection.cursor() as cursor:
        connection.adbc_connection.set_autocommit(True)
        cursor.execute("PRAGMA synchronous=NORMAL")
        connection.adbc_connection.set_autocommit(False)

        def ingest() -> None:
            cursor.adbc_ingest("frames", table, mode="append")
            connection.commit()

        def fetch() -> None:
            cursor.execute("SELECT * FROM frames")
            cursor.fetch_arrow_table()

        yield "sqlite_write_adbc", _seconds(ingest)
        yield "sqlite_read_adbc", _seconds(fetch)


def _postgresql(url: str, table: pa.Table) -> Iterator[tuple[str, float]]:
    database = Database(url=url)
    with database.write() as connection:
        connection.execute(sa.delete(frames))
    yield "postgresql_write", _seconds(lambda: _write(database, table))
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    with database.write() as connection:
        connection.execute(sa.delete(frames))
    with database.write() as connection:
        driver: Any = connection.connection.driver_connection

        def copy() -> None:
            with driver.cursor() as cursor, cursor.copy("COPY frames FROM STDIN (FORMAT BINARY)") as stream:
                stream.set_types(
                    [c.type.compile(connection.dialect).split("(")[0].lower() for c in frames.columns]
                )
                for row in rows:
                    stream.write_row(row)
            driver.commit()

        yield "postgresql_write_copy", _seconds(copy)
    database.close()


def _new_database(url: str) -> Database:
    database = Database(url=url)
    metadata.create_all(database.engine)
    return database


def _write(database: Database, table: pa.Table) -> None:
    part = Slice({"frame_id": KeyRange(*frame_range(VIDEO_NO))}, {"frames": table})
    SliceWriter(database).write("bench", part, now=datetime.now(UTC))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def _schema(database_url: str) -> Iterator[str]:
    """URL of a new schema of the server with the tables in it, dropped at the end."""
    name = f"al_bench_{secrets.token_hex(4)}"
    server = sa.create_engine(database_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.schema.CreateSchema(name))
        try:
            url = sa.make_url(database_url).update_query_dict({"options": f"-csearch_path={name}"})
            yield _new_database(url.render_as_string(hide_password=False)).url
        finally:
            connection.execute(sa.schema.DropSchema(name, cascade=True))

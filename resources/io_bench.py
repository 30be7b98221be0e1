"""How fast tables are written and read, against ADBC, pandas and psycopg in the same run. Measures only.

Ours is the whole way: checks, content hash, transaction and ledger row on writing, declared types on reading.
The reference of each ratio does none of that.
"""

from __future__ import annotations

import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.bench_rows import VIDEO_NO, sample_frames
from resources.database import Database
from resources.lazy_rows import LazyRows
from resources.memory_bench import measure_memory
from resources.queries.frames import FrameQueries
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, Slice
from resources.tables import frames, metadata

REPEATS = 3
DIMENSIONS, EMBEDDER = 256, "efficientnet-lite0-01234567"


def measure_io(rows: int, database_url: str | None = None) -> dict[str, dict[str, float]]:
    """`measured` in rows a second and `ratios` of our speed to the reference's, on `rows` rows of `frames`.

    The SQLite ratios are taken on files of their own, `postgresql_write_vs_copy` where `database_url` names a
    PostgreSQL server, in a schema that is dropped again. Vectors are a tenth as many, and
    peak memory is measured at a tenth of the rows and at ten times as many.
    The works of a repeat run in turns and the best of the repeats counts, since noise only slows.
    """
    table = sample_frames(rows)
    speed: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="al-bench-") as folder:
        for number in range(REPEATS):
            for name, seconds in _sqlite(Path(folder) / f"{number}", table):
                speed[name] = max(speed.get(name, 0.0), rows / seconds)
            for name, seconds in _vectors(Path(folder) / f"{number}" / "vectors.db", rows // 10):
                speed[name] = max(speed.get(name, 0.0), rows // 10 / seconds)
        memory = new_database(f"sqlite:///{Path(folder) / 'memory.db'}")
        memory.close()
        found = measure_memory(memory.url, "sqlite", rows // 10, rows * 10)
        disk = (Path(folder) / "0" / "vectors.db").stat().st_size / (rows // 10 * DIMENSIONS * 2)
    if database_url is not None and sa.make_url(database_url).get_backend_name() == "postgresql":
        with own_schema(database_url) as url:
            for _ in range(REPEATS):
                for name, seconds in _postgresql(url, table):
                    speed[name] = max(speed.get(name, 0.0), rows / seconds)
            for kind, values in measure_memory(url, "postgresql", rows // 10, rows * 10).items():
                found[kind].update(values)
    found["ratios"] |= {
        f"{ours}_vs_{reference}": speed[ours] / speed[f"{ours}_{reference}"]
        for ours, reference in (
            ("sqlite_write", "adbc"),
            ("sqlite_write", "to_sql"),
            ("sqlite_read", "adbc"),
            ("sqlite_read", "read_sql"),
            ("postgresql_write", "copy"),
            ("sqlite_matrix", "cursor"),
        )
        if f"{ours}_{reference}" in speed
    }
    found["ratios"]["sqlite_vectors_disk_vs_payload"] = disk
    found["measured"] |= {f"{name}_rows_per_second": value for name, value in speed.items()}
    return found


def _sqlite(folder: Path, table: pa.Table) -> Iterator[tuple[str, float]]:
    folder.mkdir()
    ours = new_database(f"sqlite:///{folder / 'ours.db'}")
    yield "sqlite_write", _seconds(lambda: _write(ours, table))
    yield "sqlite_read", _seconds(LazyRows(ours, "frames").to_table)
    plain = sa.create_engine(ours.url)
    yield "sqlite_read_read_sql", _seconds(lambda: pd.read_sql("SELECT * FROM frames", plain))
    plain.dispose()
    ours.close()
    other = new_database(f"sqlite:///{folder / 'to_sql.db'}")
    other.close()
    plain = sa.create_engine(other.url)
    frame = table.to_pandas()
    yield (
        "sqlite_write_to_sql",
        _seconds(lambda: frame.to_sql("frames", plain, if_exists="append", index=False)),
    )
    plain.dispose()
    yield from _adbc(folder / "adbc.db", table)


def _vectors(file: Path, count: int) -> Iterator[tuple[str, float]]:
    """The vectors of one video as one matrix, and the same bytes by the bare driver."""
    database = new_database(f"sqlite:///{file}")
    first = frame_range(VIDEO_NO)[0]
    halves = np.random.default_rng(0).normal(0, 1, (count, DIMENSIONS)).astype("<f2")
    rows = pa.table(
        {
            "embedder_id": [EMBEDDER] * count,
            "frame_id": np.arange(first, first + count),
            "vector": pa.array([row.tobytes() for row in halves], pa.binary()),
        }
    )
    SliceWriter(database).write("bench", Slice({}, {"embeddings": rows}), now=datetime.now(UTC))
    queries = FrameQueries(database)
    yield "sqlite_matrix", _seconds(lambda: queries.vectors_of_video(EMBEDDER, VIDEO_NO))
    database.close()  # and so the whole of the file is in the file

    def cursor() -> None:
        query = "SELECT frame_id, vector FROM embeddings WHERE embedder_id = ? ORDER BY frame_id"
        with closing(sqlite3.connect(file)) as connection:
            keys, blobs = zip(*connection.execute(query, (EMBEDDER,)).fetchall(), strict=True)
        np.array(keys), np.frombuffer(b"".join(blobs), "<f2").reshape(-1, DIMENSIONS)

    yield "sqlite_matrix_cursor", _seconds(cursor)


def _adbc(file: Path, table: pa.Table) -> Iterator[tuple[str, float]]:
    # A file of its own: two SQLite libraries of one process on one file undo each other's locks.
    from adbc_driver_sqlite import dbapi

    new_database(f"sqlite:///{file}").close()
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


def new_database(url: str) -> Database:
    """A database with the tables in it, where there were none."""
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
def own_schema(database_url: str) -> Iterator[str]:
    """URL of a new schema of the server with the tables in it, dropped at the end."""
    name = f"al_bench_{secrets.token_hex(4)}"
    server = sa.create_engine(database_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.schema.CreateSchema(name))
        try:
            url = sa.make_url(database_url).update_query_dict({"options": f"-csearch_path={name}"})
            yield new_database(url.render_as_string(hide_password=False)).url
        finally:
            connection.execute(sa.schema.DropSchema(name, cascade=True))

"""What the physical design costs and saves: each choice of sql/PHYSICAL_DESIGN.md against its alternative.

Scores of one version are written, read by uncertainty and deleted again, in variants of the same table. Measures only.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from resources import bulk
from resources.arrow_types import table_schema
from resources.database import Database
from resources.tables import VECTORS_IN_ROW, embeddings, frame_scores

DIMENSIONS = (256, 1280)
VECTOR_ROWS = 20_000
PAGES = (4096, 8192, 16384)
WHAT = (
    *("write_seconds", "mib", "uncertain_seconds", "range_seconds", "delete_seconds"),
    *("vectors_write_seconds", "vectors_mib"),
)
VERSION = "ck-0123456789abcdef"


def measure_design(rows: int, database_url: str | None = None) -> dict[str, dict[str, float]]:
    """`measured` (seconds, MiB) and `ratios` (a choice over its alternative; less is better) on `rows` scores.

    On SQLite in files of its own, and on the PostgreSQL server that `database_url` names, in tables that are
    dropped again.
    """
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="al-bench-") as folder:
        for name, clustered, index in (
            ("plain", True, False),
            ("rowid", False, False),
            ("margin", True, True),
        ):
            database = Database(url=f"sqlite:///{Path(folder) / name}.db")
            found = _scores(database, _table(clustered, index), rows)
            measured |= {f"sqlite_{name}_{what}": value for what, value in found.items()}
            database.close()
        for dimensions in DIMENSIONS:
            for page in PAGES:
                file = Path(folder) / f"{dimensions}-{page}.db"
                measured[f"sqlite_vectors_{dimensions}_page_{page}_vs_payload"] = _vectors(
                    file, dimensions, page, min(rows, VECTOR_ROWS)
                )
    if database_url is not None:
        measured |= _postgresql(Database(url=database_url), rows)
    ratios = {
        f"{dialect}_{name}_vs_plain_{what}": measured[f"{dialect}_{name}_{what}"]
        / measured[f"{dialect}_plain_{what}"]
        for dialect in ("sqlite", "postgresql")
        for name in ("rowid", "margin", "brin", "fillfactor_90", "toasted")
        for what in WHAT
        if f"{dialect}_{name}_{what}" in measured
    }
    return {"measured": measured, "ratios": ratios}


def _postgresql(database: Database, rows: int) -> dict[str, float]:
    variants = {
        "plain": "",
        "margin": "",
        "brin": "CREATE INDEX ON {table} USING brin (frame_id)",
        "fillfactor_90": "ALTER INDEX pk_{table} SET (fillfactor = 90)",
    }
    measured: dict[str, float] = {}
    for name, statement in variants.items():
        found = _scores(database, _table(True, name == "margin"), rows, statement)
        measured |= {f"postgresql_{name}_{what}": value for what, value in found.items()}
    for name, changes in (("plain", VECTORS_IN_ROW), ("toasted", ())):
        found = _long_vectors(database, changes, min(rows, VECTOR_ROWS))
        measured |= {f"postgresql_{name}_vectors_{what}": value for what, value in found.items()}
    return measured


def _long_vectors(database: Database, changes: Sequence[sa.DDL], count: int) -> dict[str, float]:
    """Vectors of the backbone's own length, with what PostgreSQL is told of where to keep them."""
    table = embeddings.to_metadata(sa.MetaData(), name="bench_vectors")
    table.primary_key.name = "pk_bench_vectors"
    for change in changes:
        sa.event.listen(table, "after_create", change)
    rows = _vector_rows(DIMENSIONS[-1], count)
    table.create(database.engine)
    try:
        with database.write() as connection:
            seconds = _seconds(lambda: bulk.dialect(database.dialect_name).insert(connection, table, rows))
        return {"write_seconds": seconds, "mib": _mib(database, table)}
    finally:
        table.drop(database.engine)


def _table(clustered: bool, index: bool) -> sa.Table:
    """`frame_scores` under another name, with or without its index."""
    table = frame_scores.to_metadata(sa.MetaData(), name="bench_scores")
    table.primary_key.name = "pk_bench_scores"
    table.indexes.clear()
    table.dialect_options["sqlite"]["with_rowid"] = not clustered
    if index:
        sa.Index("ix_bench_scores_margin", table.c.checkpoint_id, table.c.margin)
    return table


def _scores(database: Database, table: sa.Table, rows: int, statement: str = "") -> dict[str, float]:
    blocks = _rows(rows)
    dialect = bulk.dialect(database.dialect_name)
    table.create(database.engine)
    try:
        with database.write() as connection:
            if statement:
                connection.exec_driver_sql(statement.format(table=table.name))

        def write() -> None:
            with database.write() as connection:
                dialect.insert(connection, table, blocks)

        least = sa.select(table.c.frame_id).where(table.c.checkpoint_id == VERSION)
        return {
            "write_seconds": _seconds(write),
            "mib": _mib(database, table),
            "uncertain_seconds": _seconds(lambda: database.fetch(least.order_by(table.c.margin).limit(100))),
            "range_seconds": _seconds(
                lambda: database.fetch(
                    sa.select(sa.func.count()).where(table.c.frame_id.between(rows // 2, rows // 2 + 999))
                )
            ),
            "delete_seconds": _seconds(lambda: _delete(database, table)),
        }
    finally:
        table.drop(database.engine)


def _delete(database: Database, table: sa.Table) -> None:
    with database.write() as connection:
        connection.execute(sa.delete(table).where(table.c.checkpoint_id == VERSION))


def _mib(database: Database, table: sa.Table) -> float:
    if database.dialect_name == "postgresql":
        with database.read() as connection:
            size = connection.scalar(sa.select(sa.func.pg_total_relation_size(table.name)))
        return float(size or 0) / 2**20
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(str(database.engine.url.database)).stat().st_size / 2**20


def _rows(rows: int) -> list[pa.RecordBatch]:
    rng = np.random.default_rng(0)
    numbers: dict[str, Any] = {
        "checkpoint_id": pa.array([VERSION] * rows),
        "frame_id": np.arange(rows),
        "top_class_id": rng.integers(1, 300, rows),
        "runner_up_class_id": rng.integers(1, 300, rows),
        "confidence": rng.random(rows),
        "margin": rng.random(rows),
        "entropy": rng.random(rows),
        "top_five": pa.array([bytes(row) for row in rng.integers(0, 255, (rows, 40), np.uint8)]),
    }
    schema = table_schema(frame_scores)
    columns = [pa.array(numbers[name]) for name in schema.names]
    return pa.table(columns, names=schema.names).cast(schema).to_batches(max_chunksize=8_192)


def _vectors(file: Path, dimensions: int, page: int, count: int) -> float:
    """Bytes on disk for each byte of the vectors."""
    _make_file(file, page)
    database = Database(url=f"sqlite:///{file}")
    table = embeddings.to_metadata(sa.MetaData())
    table.create(database.engine)
    with database.write() as connection:
        bulk.dialect("sqlite").insert(connection, table, _vector_rows(dimensions, count))
    found = _mib(database, table) * 2**20
    database.close()
    return found / (2 * dimensions * count)


def _vector_rows(dimensions: int, count: int) -> list[pa.RecordBatch]:
    halves = np.random.default_rng(0).normal(0, 1, (count, dimensions)).astype("<f2")
    columns = {
        "embedder_id": ["efficientnet-lite0-01234567"] * count,
        "frame_id": range(count),
        "vector": [row.tobytes() for row in halves],
    }
    return pa.table({name: pa.array(values) for name, values in columns.items()}).to_batches()


def _make_file(file: Path, page: int) -> None:
    """A new file with another page size than that of `bulk/sqlite.py`, which changes none that is there."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA page_size = {page}")
        connection.execute("PRAGMA user_version = 1")


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

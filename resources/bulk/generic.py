"""Any database that SQLAlchemy reaches: executemany through Core. No tuning for a named database here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import sqlalchemy as sa


def engine_options(url: sa.URL) -> dict[str, Any]:
    """Options for `sa.create_engine`."""
    return {"pool_pre_ping": True}


def prepare(engine: sa.Engine) -> None:
    """Nothing to prepare."""


def insert(connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
    """Insert the batches inside the caller's transaction."""
    for batch in batches:
        if batch.num_rows:
            connection.execute(sa.insert(table), batch.to_pylist())


def upsert(connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
    """Replace rows by primary key: delete those keys, then insert; every database can do that."""
    keys = [column.name for column in table.primary_key]
    statement = sa.delete(table).where(*(table.c[key] == sa.bindparam(f"key_{key}") for key in keys))
    for batch in batches:
        if batch.num_rows:
            connection.execute(statement, [{f"key_{k}": row[k] for k in keys} for row in batch.select(keys).to_pylist()])
            insert(connection, table, [batch])


def lock(connection: sa.Connection, name: str) -> None:
    """Nothing to lock."""

"""SQLite: WAL, explicit transactions, and prepared executemany over the raw connection. No other database here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

BUSY_TIMEOUT_MS = 60_000


def engine_options(url: sa.URL) -> dict[str, Any]:
    """Options for `sa.create_engine`."""
    return {"connect_args": {"timeout": BUSY_TIMEOUT_MS / 1000}}


def prepare(engine: sa.Engine) -> None:
    """Turn the driver's own transaction control off; WAL on; BEGIN as the connection's options say."""

    @sa.event.listens_for(engine, "connect")
    def _connect(driver_connection: Any, _record: Any) -> None:
        driver_connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
            driver_connection.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A deferred transaction that writes later dies with SQLITE_BUSY at once if another has written meanwhile.
        immediate = connection.get_execution_options().get("al_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def insert(connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
    """Insert the batches inside the caller's transaction."""
    _execute(connection, sa.insert(table), table, batches)


def upsert(connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
    """Insert, or replace every other column of the row with the same primary key."""
    keys = [column.name for column in table.primary_key]
    statement = sqlite_insert(table)
    others = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    statement = (
        statement.on_conflict_do_update(index_elements=keys, set_=others)
        if others
        else statement.on_conflict_do_nothing(index_elements=keys)
    )
    _execute(connection, statement, table, batches)


def _execute(connection: sa.Connection, statement: Any, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
    sql: str | None = None
    for batch in batches:
        if sql is None:
            sql = str(statement.compile(dialect=connection.dialect, column_keys=batch.schema.names))
        rows = zip(*(_values(column) for column in batch.columns), strict=True)
        connection.connection.executemany(sql, rows)  # type: ignore[attr-defined]


def _values(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        # SQLAlchemy's storage format of DateTime on SQLite.
        return [None if v is None else v.strftime("%Y-%m-%d %H:%M:%S.%f") for v in column.to_pylist()]
    if column.null_count == 0 and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return column.to_numpy().tolist()
    return column.to_pylist()


def lock(connection: sa.Connection, name: str) -> None:
    """Nothing to lock."""

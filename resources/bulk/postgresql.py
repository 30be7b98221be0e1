"""PostgreSQL through psycopg 3: binary COPY in the caller's transaction. No other database here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert


def engine_options(url: sa.URL) -> dict[str, Any]:
    """Options for `sa.create_engine`."""
    return {"pool_pre_ping": True}


def prepare(engine: sa.Engine) -> None:
    """Nothing to prepare."""


def insert(connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
    """Insert the batches by binary COPY inside the caller's transaction."""
    _copy(connection, table, connection.dialect.identifier_preparer.format_table(table), batches)


def upsert(connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
    """COPY into a staging table that the commit drops, then INSERT ... ON CONFLICT DO UPDATE from it."""
    quote = connection.dialect.identifier_preparer
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE al_staging (LIKE {quote.format_table(table)}) ON COMMIT DROP"
    )
    _copy(connection, table, "al_staging", batches)
    staging = sa.table("al_staging", *(sa.column(c.name, c.type) for c in table.columns))
    names = [c.name for c in table.columns]
    keys = [c.name for c in table.primary_key]
    statement = postgresql_insert(table).from_select(names, sa.select(staging))
    others = {name: statement.excluded[name] for name in names if name not in keys}
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=others)
        if others
        else statement.on_conflict_do_nothing(index_elements=keys)
    )
    connection.exec_driver_sql("DROP TABLE al_staging")


def _copy(connection: sa.Connection, table: sa.Table, target: str, batches: Iterable[pa.RecordBatch]) -> None:
    quote = connection.dialect.identifier_preparer
    driver: Any = connection.connection.driver_connection
    iterator = iter(batches)
    first = next(iterator, None)
    if first is None:
        return
    names = first.schema.names
    columns = ", ".join(quote.quote(name) for name in names)
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {target} ({columns}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types([table.c[name].type.compile(connection.dialect).lower().split("(")[0] for name in names])
        for batch in (first, *iterator):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                copy.write_row(row)


def lock(connection: sa.Connection, name: str) -> None:
    """Let writers of one slice queue up: two that delete at once would both insert."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))

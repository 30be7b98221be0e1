"""SQL Server and Azure SQL through pyodbc: typed parameter arrays, snapshots for readers. No other database here.

Statements are the plainest that do, so that compatible servers take them too: delete and insert in place of MERGE,
no temporary table, no table hints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import registry

from resources import azure_sql, azure_sql_errors
from resources.bulk.generic import Dialect
from resources.bulk.mssql_dialect import INPUT_SIZES
from resources.errors import BusyDatabaseError, DatabaseError

registry.register("mssql.pyodbc", "resources.bulk.mssql_dialect", "Dialect")

LOCK_MILLISECONDS = 600_000
# The return code of a procedure comes back as a row, since pyodbc has no output parameters.
_LOCK = (
    "DECLARE @outcome int; "
    "EXEC @outcome = sp_getapplock @Resource = ?, @LockMode = ?, @LockOwner = 'Transaction', "
    "@LockTimeout = ?; SELECT @outcome"
)
_REFUSALS = {-1: "another writer has held it for ten minutes", -3: "two writers waited for each other"}
# pyodbc lays all rows of a call out in one block of memory.
BLOCK_BYTES = 16 << 20
LONGEST_TEXT = 4_000
LONGEST_BINARY = 8_000
"""Longer values are sent one by one, after the row."""
COMPRESSED = ("frames", "frame_scores", "predictions")
"""Tables of a row a frame that repeat a key of text in every row. Vectors do not compress."""
_FIXED = (
    (pa.types.is_int16, "SQL_SMALLINT"),
    (pa.types.is_int32, "SQL_INTEGER"),
    (pa.types.is_int64, "SQL_BIGINT"),
    (pa.types.is_float32, "SQL_REAL"),
    (pa.types.is_float64, "SQL_FLOAT"),
    (pa.types.is_boolean, "SQL_BIT"),
    (pa.types.is_date32, "SQL_TYPE_DATE"),
)
Size: TypeAlias = tuple[int, int, int]
"""ODBC's type, length and decimals; length 0 is any."""


class SQLServer(Dialect):
    """SQL Server, Azure SQL and what is compatible with them."""

    raw_rows: ClassVar[bool] = True
    # Rows come as they are fetched.
    stream_options: ClassVar[dict[str, Any]] = {}
    read_options: ClassVar[dict[str, Any]] = {"isolation_level": "SNAPSHOT"}

    def make_engine(self, url: sa.URL) -> sa.Engine:
        """An engine whose connections are encrypted, and signed in with a token of the moment where one is used."""
        target, arguments, token = azure_sql.connectable(url)
        statement_seconds = arguments.pop("statement_seconds")
        engine = sa.create_engine(
            target, hide_parameters=True, connect_args=arguments, **self.engine_options(target)
        )

        @sa.event.listens_for(engine, "do_connect")
        def _sign_in(_dialect: Any, _record: Any, positional: list[Any], named: dict[str, Any]) -> None:
            if token is not None:
                positional[0] = azure_sql.without_sign_in(positional[0])
                named["attrs_before"] = azure_sql.token_attributes(token)

        @sa.event.listens_for(engine, "connect")
        def _limit(driver: Any, _record: Any) -> None:
            driver.timeout = statement_seconds

        return engine

    def is_busy(self, error: BaseException, disconnected: bool) -> bool:
        """SQLAlchemy takes a missing driver and an untrusted certificate for broken connections."""
        if azure_sql_errors.is_final(error):
            return False
        return disconnected or azure_sql_errors.is_transient(error)

    def comes_soon(self, error: BaseException) -> bool:
        """Resuming, moving or throttled."""
        return azure_sql_errors.comes_soon(error)

    def explain(self, error: BaseException) -> str:
        """The server's number in plain words; its message would quote the row."""
        return azure_sql_errors.explain(error)

    def allow_snapshots(self, connection: sa.Connection) -> bool:
        """Let readers keep one state while others write, where the database does not yet; whether that was done.

        connection: outside of transactions. Azure SQL allows it from the start, SQL Server does not.
        """
        state = connection.exec_driver_sql(
            "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"
        ).scalar()
        if state != 0:
            return False
        connection.exec_driver_sql("ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON")
        return True

    def compress(self, connection: sa.Connection) -> list[str]:
        """Page compression, which stores an id that all rows of a page share once a page; of indexes too."""
        quote = connection.dialect.identifier_preparer.quote
        rebuilt = []
        try:
            for table in COMPRESSED:
                # To rebuild a table with rows in it may take an hour, which is for its owner to choose.
                if connection.exec_driver_sql(f"SELECT TOP 1 frame_id FROM {quote(table)}").first() is None:
                    connection.exec_driver_sql(
                        f"ALTER INDEX ALL ON {quote(table)} REBUILD WITH (DATA_COMPRESSION = PAGE)"
                    )
                    rebuilt.append(table)
        except sa.exc.DBAPIError as error:
            why = self.explain(error.orig or error)
            return [f"page compression is not to be had here, which costs space only: {why}"]
        return [f"page compression: {', '.join(rebuilt)}"] if rebuilt else []

    def lock(self, connection: sa.Connection, name: str, *, shared: bool = False) -> None:
        """A lock on the name, which goes with the transaction. Raises BusyDatabaseError after ten minutes."""
        # A procedure does not begin a transaction, a table read does; this one nobody changes.
        connection.exec_driver_sql("SELECT COUNT(*) FROM sys.schemas").scalar()
        # Names may be longer than the 255 characters that a resource may have.
        resource = f"al-assets {hashlib.sha256(name.encode()).hexdigest()}"
        cursor: Any = connection.connection.cursor()
        try:
            cursor.execute(_LOCK, resource, "Shared" if shared else "Exclusive", LOCK_MILLISECONDS)
            while cursor.description is None and cursor.nextset():
                pass
            outcome = int(cursor.fetchone()[0])
        finally:
            cursor.close()
        if outcome >= 0:
            return
        reason = _REFUSALS.get(outcome, f"sp_getapplock answers {outcome}")
        kind = BusyDatabaseError if outcome in _REFUSALS else DatabaseError
        raise kind(f"the lock on {name.splitlines()[0]!r} is not to be had: {reason}")

    def insert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
        """Insert rows inside the caller's transaction."""
        quote = connection.dialect.identifier_preparer
        for batch in batches:
            names = ", ".join(quote.quote(name) for name in batch.schema.names)
            marks = ", ".join("?" * batch.num_columns)
            statement = f"INSERT INTO {quote.format_table(table)} ({names}) VALUES ({marks})"
            _send(connection, statement, table, batch)

    def upsert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
        """Delete the rows' keys and insert the rows, inside the caller's transaction."""
        quote = connection.dialect.identifier_preparer
        keys = [column.name for column in table.primary_key]
        found = " AND ".join(f"{quote.quote(key)} = ?" for key in keys)
        for batch in batches:
            last = _last_of_each_key(batch, keys)
            # Uses the clustered key, one seek a row.
            statement = f"DELETE FROM {quote.format_table(table)} WHERE {found}"
            _send(connection, statement, table, last.select(keys))
            self.insert(connection, table, [last])


def _send(connection: sa.Connection, statement: str, table: sa.Table, batch: pa.RecordBatch) -> None:
    """Run a statement for every row, many in one call, each column bound by its type and not by its first value."""
    driver = connection.dialect.loaded_dbapi
    sizes = [_size(driver, table.c[name], batch.column(name)) for name in batch.schema.names]
    row_bytes = sum(16 + (2 * length if kind in _texts(driver) else length) for kind, length, _ in sizes)
    step = max(1, BLOCK_BYTES // row_bytes)
    columns = [_values(column) for column in batch.columns]
    for start in range(0, batch.num_rows, step):
        rows = list(zip(*(values[start : start + step] for values in columns), strict=True))
        connection.exec_driver_sql(statement, rows, execution_options={INPUT_SIZES: sizes})


def _size(driver: Any, declared: sa.Column[Any], column: pa.Array) -> Size:
    """How a column is bound."""
    kind = column.type
    if pa.types.is_string(kind):
        # Bytes of UTF-8 are never fewer than the two-byte units that the driver counts.
        length = max(1, pc.max(pc.binary_length(column)).as_py() or 0)
        wide = isinstance(declared.type, sa.Unicode | sa.UnicodeText)
        # By the wrong one of the two a key is looked up without its index. pyodbc takes a null in front of a
        # varchar for bytes, so what may be null goes as nvarchar, which fits too.
        spelled = "SQL_WVARCHAR" if wide or declared.nullable else "SQL_VARCHAR"
        return getattr(driver, spelled), length if length <= LONGEST_TEXT else 0, 0
    if pa.types.is_binary(kind):
        length = max(1, pc.max(pc.binary_length(column)).as_py() or 0)
        return driver.SQL_VARBINARY, length if length <= LONGEST_BINARY else 0, 0
    if pa.types.is_timestamp(kind):
        return driver.SQL_TYPE_TIMESTAMP, 23, 3
    spelled = next(name for fits, name in _FIXED if fits(kind))
    return getattr(driver, spelled), 0, 0


def _texts(driver: Any) -> tuple[int, int]:
    return driver.SQL_WVARCHAR, driver.SQL_VARCHAR


def _values(column: pa.Array) -> list[Any]:
    """Python values of a column, as the server can store them."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        # datetime2(3); a finer value would be refused by the driver or rounded up by the server.
        column = pc.floor_temporal(column, unit="millisecond")
    elif pa.types.is_floating(kind):
        # SQL Server has no numbers between zero and the smallest normal one.
        smallest = np.finfo(kind.to_pandas_dtype()).smallest_normal
        column = pc.if_else(pc.less(pc.abs(column), smallest), pa.scalar(0.0, kind), column)
    if column.null_count == 0 and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return list(column.to_numpy().tolist())
    return list(column.to_pylist())


def _last_of_each_key(batch: pa.RecordBatch, keys: list[str]) -> pa.RecordBatch:
    places = {
        key: place for place, key in enumerate(zip(*(batch[name].to_pylist() for name in keys), strict=True))
    }
    return batch if len(places) == batch.num_rows else batch.take(pa.array(sorted(places.values())))

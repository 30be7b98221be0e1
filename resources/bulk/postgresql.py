"""PostgreSQL through psycopg 3: binary COPY in the caller's transaction. No other database here."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from resources.bulk import copy_binary
from resources.bulk.generic import Dialect
from resources.errors import OTHER_TABLES

STAGING = "al_staging"
# Serialisation and deadlock; shutdown, crash and start-up; too many connections; lock not available.
TRANSIENT_STATES = ("40001", "40P01", "57P01", "57P02", "57P03", "53300", "55P03")
# At sign-in libpq hands on no state but the text: starting, stopping or recovering; too many connections.
TRANSIENT_REFUSALS = ("the database system is", "too many c", "connection slots are reserved")
# Data exceptions and what functions raise: their first line may quote a value.
QUOTING_CLASSES = ("22", "P0")
CURES = {
    "22P03": OTHER_TABLES,  # a column has another type than COPY was told
    "25006": "connect to a server that takes writes",
    "42501": "have this user granted the right",
    "42703": OTHER_TABLES,
    "42P01": OTHER_TABLES,
    "53100": "free space on the server's disk",
}


class PostgreSQL(Dialect):
    """PostgreSQL."""

    raw_rows: ClassVar[bool] = True
    read_options: ClassVar[dict[str, Any]] = {
        "isolation_level": "REPEATABLE READ",
        "postgresql_readonly": True,
    }

    def engine_options(self, url: sa.URL) -> dict[str, Any]:
        """Binary COPY sends text in the client's encoding."""
        return {**super().engine_options(url), "connect_args": {"client_encoding": "utf8"}}

    def is_transient(self, error: BaseException) -> bool:
        """Conflicts between transactions, and servers that restart or cannot be reached."""
        state = getattr(error, "sqlstate", None)
        if state is not None:
            return state in TRANSIENT_STATES or state.startswith("08")
        # Any other FATAL at sign-in objects to the password, the database or the user.
        text = str(error)
        refused = "FATAL" in text and not any(refusal in text for refusal in TRANSIENT_REFUSALS)
        return type(error).__name__ in ("OperationalError", "ConnectionTimeout") and not refused

    def comes_soon(self, error: BaseException) -> bool:
        """Starting or recovering."""
        return "the database system is starting up" in str(error) or "recovery mode" in str(error)

    def explain(self, error: BaseException) -> str:
        """What the server says first, what it concerns, what to do; its DETAIL and CONTEXT would quote the row."""
        state = getattr(error, "sqlstate", None)
        if state is None:
            return " ".join(str(error).split())
        diagnosis = getattr(error, "diag", None)
        said = None if state[:2] in QUOTING_CLASSES else getattr(diagnosis, "message_primary", None)
        text = " ".join((said or type(error).__name__).split())
        concerns = (
            getattr(diagnosis, name, None) for name in ("table_name", "column_name", "constraint_name")
        )
        text = " ".join([text, *(name for name in concerns if name and f'"{name}"' not in text)])
        return f"{text}; {CURES[state]}" if state in CURES else text

    def lock(self, connection: sa.Connection, name: str, *, shared: bool = False) -> None:
        """Of two writers that replace one slice at once, the second would not see, and so keep, the first's rows."""
        take = sa.func.pg_advisory_xact_lock_shared if shared else sa.func.pg_advisory_xact_lock
        connection.execute(sa.select(take(sa.func.hashtextextended(name, 0))))

    def insert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
        """Insert rows inside the caller's transaction."""
        _copy(connection, connection.dialect.identifier_preparer.format_table(table), batches)

    def upsert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
        """COPY into a staging table, then INSERT .. ON CONFLICT from it, inside the caller's transaction."""
        target = connection.dialect.identifier_preparer.format_table(table)
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {STAGING} (LIKE {target}) ON COMMIT DROP")
        _copy(connection, STAGING, batches)
        names = [column.name for column in table.columns]
        keys = [column.name for column in table.primary_key]
        staged = sa.table(STAGING, *(sa.column(name) for name in (*names, "ctid")))
        # Of several rows with one key the last stands, as in every dialect; two would be an error here.
        order = [*(staged.c[key] for key in keys), staged.c.ctid.desc()]
        chosen = sa.select(*(staged.c[name] for name in names)).ext(distinct_on(*order[:-1])).order_by(*order)
        statement = insert(table).from_select(names, chosen)
        others = {name: statement.excluded[name] for name in names if name not in keys}
        connection.execute(
            statement.on_conflict_do_update(index_elements=keys, set_=others)
            if others
            else statement.on_conflict_do_nothing(index_elements=keys)
        )
        connection.exec_driver_sql(f"DROP TABLE {STAGING}")


def _copy(connection: sa.Connection, target: str, batches: Iterable[pa.RecordBatch]) -> None:
    quote = connection.dialect.identifier_preparer.quote
    driver: Any = connection.connection.driver_connection
    with ThreadPoolExecutor(1) as encoder, driver.cursor() as cursor:
        for names, alike in itertools.groupby(batches, lambda batch: batch.schema.names):
            columns = ", ".join(quote(name) for name in names)
            with cursor.copy(f"COPY {target} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(copy_binary.HEADER)
                for rows in _encoded_ahead(encoder, alike):
                    copy.write(rows)
                copy.write(copy_binary.TRAILER)


def _encoded_ahead(encoder: ThreadPoolExecutor, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Each batch is encoded while the server takes in the one before: by turns both would wait half of the time."""
    waiting: Future[bytes] | None = None
    for batch in batches:
        started = encoder.submit(copy_binary.encode, batch)
        if waiting is not None:
            yield waiting.result()
        waiting = started
    if waiting is not None:
        yield waiting.result()

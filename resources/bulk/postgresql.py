"""PostgreSQL through psycopg 3: binary COPY in the caller's transaction. No other database here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from resources.bulk import copy_binary
from resources.bulk.generic import Dialect

STAGING = "al_staging"
# Serialisation and deadlock; shutdown, crash and start-up; too many connections; lock not available.
TRANSIENT_STATES = ("40001", "40P01", "57P01", "57P02", "57P03", "53300", "55P03")


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
        # A server that answers FATAL at sign-in objects to the password, the database or the user.
        return type(error).__name__ in ("OperationalError", "ConnectionTimeout") and "FATAL" not in str(error)

    def explain(self, error: BaseException) -> str:
        """Name of the error and of what it concerns; its DETAIL would quote the row."""
        if getattr(error, "sqlstate", None) is None:
            return " ".join(str(error).split())
        diagnosis = getattr(error, "diag", None)
        concerns = (
            getattr(diagnosis, name, None) for name in ("table_name", "column_name", "constraint_name")
        )
        return " ".join([type(error).__name__, *(name for name in concerns if name)])

    def lock(self, connection: sa.Connection, name: str) -> None:
        """Of two writers that replace one slice at once, the second would not see, and so keep, the first's rows."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))

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
    for batch in batches:
        names = ", ".join(quote(name) for name in batch.schema.names)
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {target} ({names}) FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.write(copy_binary.encode(batch))

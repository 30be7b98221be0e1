"""The database as a Dagster resource: one engine per process and URL, transactions, retries, Arrow results.

What is written belongs to `slice_writer.py` and `queries/`; what differs between databases to `bulk/`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import pyarrow as pa
import sqlalchemy as sa
import tenacity
from pydantic import Field

from resources import arrow_results, bulk
from resources.arrow_types import expression_type
from resources.errors import BusyDatabaseError, CommitInDoubtError, DatabaseError

Result = TypeVar("Result")

BATCH_ROWS = 10_000
RAW_ROWS = 100
"""Rows at a time of what needs no types: freed in larger pieces, their memory goes back to the system every time."""
ATTEMPTS = 8
RESUME_SECONDS = 90
"""A serverless database that was paused is there again after a minute or so."""

_engines: dict[tuple[int, str], sa.Engine] = {}
_engines_lock = threading.Lock()


class Database(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the tables are. Holds no connection, so it pickles and survives a fork."""

    url: str = Field(
        repr=False,
        description="SQLAlchemy URL, e.g. sqlite:////data/al.db or postgresql+psycopg://user@host/db",
    )

    def __reduce__(self) -> tuple[Any, ...]:
        # Dagster's configuration classes do not pickle; readers of the database go into DataLoader workers.
        return _restored, (self.url,)

    @property
    def engine(self) -> sa.Engine:
        """The engine of this process for this URL."""
        # A parent's engines stay referenced: to close an inherited connection would hang up on the parent.
        key = (os.getpid(), self.url)
        with _engines_lock:
            if key not in _engines:
                _engines[key] = _make_engine(self.url)
            return _engines[key]

    def make_folder(self) -> None:
        """Make the folder of a SQLite file that is not there yet; other databases need none."""
        parsed = _parsed(self.url)
        if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)

    @property
    def dialect_name(self) -> str:
        """SQLAlchemy's name of the dialect: sqlite, postgresql, mssql."""
        return self.engine.dialect.name

    def close(self) -> None:
        """Close this process's idle connections; the next use opens new ones."""
        with _engines_lock:
            engine = _engines.pop((os.getpid(), self.url), None)
        if engine is not None:
            engine.dispose()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that leaves nothing written; all its statements see one state of the database."""
        engine = self.engine
        with (
            self._readable(engine),
            _connected(engine).execution_options(**bulk.dialect(engine.name).read_options) as connection,
            connection.begin() as transaction,
        ):
            yield connection
            # SQL Server has no transaction that may only read: what was written goes.
            transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A connection in ONE transaction: committed at the end, rolled back on any error."""
        engine = self.engine
        committing = False
        with (
            self._readable(engine),
            _connected(engine).execution_options(**bulk.dialect(engine.name).write_options) as connection,
        ):
            try:
                with connection.begin():
                    yield connection
                    committing = True
            except sa.exc.DBAPIError as error:
                if committing and error.connection_invalidated:
                    raise CommitInDoubtError(
                        f"the connection to {_shown(engine)} broke during a commit; look whether the rows stand"
                    ) from None
                raise

    @contextmanager
    def at_once(self) -> Iterator[sa.Connection]:
        """A connection that commits every statement by itself, for what no transaction may hold."""
        engine = self.engine
        with (
            self._readable(engine),
            _connected(engine).execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            yield connection

    def fetch(self, statement: sa.Executable, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The whole result as an Arrow table, its types from the selected columns or else from the values."""
        with self.read() as connection:
            result = connection.execute(statement, dict(parameters or {}))
            names, types = list(result.keys()), _types(statement, len(result.keys()))
            return arrow_results.read_table(self._rows(result), names, types)

    def raw_rows(self, statement: sa.Executable) -> Iterator[Sequence[Sequence[Any]]]:
        """The result as the driver gives it, some rows at a time: for what needs no types."""
        with self.read() as connection:
            yield from self.raw_rows_on(connection, statement)

    def raw_rows_on(
        self, connection: sa.Connection, statement: sa.Executable, parameters: Mapping[str, Any] | None = None
    ) -> Iterator[Sequence[Sequence[Any]]]:
        """`raw_rows` on a connection of `read`, for several results of one state."""
        fetch = self._rows(connection.execute(statement, dict(parameters or {})))
        while rows := fetch(RAW_ROWS):
            yield rows

    def stream(self, statement: sa.Executable, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The result in batches of at most `batch_rows` rows, which is all that is in memory at a time.

        One state of the database is read from the first batch to the last. Every selected column must have a
        type: give textual SQL one by `.columns(...)`.
        """
        return self.stream_all([statement], batch_rows)

    def stream_all(
        self, statements: Iterable[sa.Executable], batch_rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """The results of several statements one after another, from one state of the database."""
        with self.read() as connection:
            for statement in statements:
                yield from self.stream_on(connection, statement, batch_rows)

    def stream_rows(
        self,
        statements: Sequence[sa.Select[Any]],
        schema: pa.Schema,
        batch_rows: int,
        has: Callable[[int], bool],
    ) -> Iterator[pa.RecordBatch]:
        """`stream_all` of a table's rows, by the dialect's way for large results where `has(n)` rows make it pay."""
        engine = self.engine
        large = bulk.dialect(engine.name).read_large(engine, statements, schema, batch_rows, has)
        return self.stream_all(statements, batch_rows) if large is None else large

    def stream_on(
        self, connection: sa.Connection, statement: sa.Executable, batch_rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """`stream` on a connection of `read`, for several results of one state that depend on each other."""
        options = bulk.dialect(self.dialect_name).stream_options
        result = connection.execution_options(**options).execute(statement)
        names, types = list(result.keys()), _types(statement, len(result.keys()))
        if untyped := [name for name, kind in zip(names, types, strict=True) if kind is None]:
            raise DatabaseError(f"columns {', '.join(untyped)} have no type; cast them or use .columns(...)")
        yield from arrow_results.read_batches(self._rows(result), names, types, batch_rows)

    def retry(self, attempt: Callable[[], Result]) -> Result:
        """Call `attempt`, and again with back-off and jitter (some ten seconds in all) after transient faults.

        After a commit whose outcome is unknown too: `attempt` must see for itself whether it stands.
        """
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((BusyDatabaseError, CommitInDoubtError)),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            reraise=True,
        )(attempt)

    def _rows(self, result: sa.CursorResult[Any]) -> arrow_results.FetchMany:
        """The driver's own rows where that is safe: a streamed result has taken some into its buffer already."""
        streamed = result.context.execution_options.get("stream_results", False)
        if bulk.dialect(self.dialect_name).raw_rows and not streamed:
            cursor: Any = result.cursor
            return cursor.fetchmany  # type: ignore[no-any-return]
        return result.fetchmany

    @contextmanager
    def _readable(self, engine: sa.Engine) -> Iterator[None]:
        """Errors of the driver as one line without data; those that quote rows are not chained either."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise _translated(engine, error.orig or error, error.connection_invalidated) from None
        except engine.dialect.loaded_dbapi.Error as error:
            raise _translated(engine, error, False) from None


def _connected(engine: sa.Engine) -> sa.Connection:
    """A connection; a server that says that it is on its way up is waited for."""
    dialect = bulk.dialect(engine.name)
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, sa.exc.DBAPIError) and dialect.comes_soon(error.orig or error)
        ),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
        stop=tenacity.stop_after_delay(RESUME_SECONDS),
        reraise=True,
    )(engine.connect)


def _restored(url: str) -> Database:
    return Database(url=url)


def _translated(engine: sa.Engine, error: BaseException, disconnected: bool) -> DatabaseError:
    dialect = bulk.dialect(engine.name)
    kind = BusyDatabaseError if dialect.is_busy(error, disconnected) else DatabaseError
    return kind(f"{dialect.explain(error)} ({_shown(engine)})")


def _shown(engine: sa.Engine) -> str:
    # Options of a URL may hold a password too.
    return engine.url.set(query={}).render_as_string(hide_password=True)


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise DatabaseError(
            "AL_DATABASE_URL is no SQLAlchemy URL, e.g. sqlite:////data/al.db or "
            "postgresql+psycopg://user@host/db; in a password write @ as %40, : as %3A and / as %2F"
        ) from None
    if parsed.host and "@" in parsed.host:
        raise DatabaseError("AL_DATABASE_URL has an @ in user or password; write it as %40")
    return parsed


def _make_engine(url: str) -> sa.Engine:
    parsed = _parsed(url)
    dialect = bulk.dialect(parsed.get_backend_name())
    try:
        return dialect.make_engine(parsed)
    except (ImportError, sa.exc.NoSuchModuleError) as error:
        raise DatabaseError(
            f"the driver of {parsed.drivername} cannot be loaded ({error}); install it, e.g. al-assets[postgresql]"
        ) from error


def _types(statement: Any, width: int) -> list[pa.DataType | None]:
    selected = getattr(statement, "selected_columns", None)
    return [None] * width if selected is None else [expression_type(column) for column in selected]

"""The database as a Dagster resource: one engine per process and URL, transactions, retries, Arrow results.

What a transaction writes belongs to `sql_io_manager.py` and `queries/`; what differs between databases to `bulk/`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import dagster as dg
import pyarrow as pa
import sqlalchemy as sa
import tenacity
from pydantic import Field

from resources import arrow_types, bulk
from resources.errors import CommitInDoubtError, DatabaseError

Result = TypeVar("Result")

BATCH_ROWS = 10_000

_engines: dict[tuple[int, str], sa.Engine] = {}
_engines_lock = threading.Lock()


class Database(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the tables are."""

    url: str = Field(description="SQLAlchemy URL, e.g. sqlite:////data/al.db or postgresql+psycopg://user@host/db")

    @property
    def engine(self) -> sa.Engine:
        """The engine of this process for this URL."""
        # Entries of a parent process stay referenced: closing an inherited connection would hang up on the parent.
        key = (os.getpid(), self.url)
        with _engines_lock:
            if key not in _engines:
                _engines[key] = _make_engine(self.url)
            return _engines[key]

    @property
    def dialect_name(self) -> str:
        """SQLAlchemy's name of the dialect: sqlite, postgresql, mssql."""
        return self.engine.dialect.name

    def close(self) -> None:
        """Close this process's pooled connections; the next use opens new ones."""
        with _engines_lock:
            engine = _engines.pop((os.getpid(), self.url), None)
        if engine is not None:
            engine.dispose()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for reading; all statements in it see one state of the database."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A connection in ONE transaction: committed at the end, rolled back on any error."""
        with self.engine.connect().execution_options(al_write=True) as connection, connection.begin():
            yield connection

    def fetch(self, statement: sa.Executable, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The whole result of a query as an Arrow table."""
        return pa.Table.from_batches(list(self._batches(statement, parameters, None)))

    def stream(
        self,
        statement: sa.Executable,
        batch_rows: int = BATCH_ROWS,
        parameters: Mapping[str, Any] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The result in batches of at most `batch_rows` rows."""
        return self._batches(statement, parameters, batch_rows)

    def retry(self, attempt: Callable[[], Result], *, idempotent: bool = True) -> Result:
        """Call `attempt`, again after transient faults, with back-off and jitter."""
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
            stop=tenacity.stop_after_attempt(6),
            reraise=True,
        )(attempt)

    def _batches(
        self, statement: Any, parameters: Mapping[str, Any] | None, batch_rows: int | None
    ) -> Iterator[pa.RecordBatch]:
        with self.read() as connection:
            result = connection.execution_options(yield_per=batch_rows or BATCH_ROWS).execute(
                statement, dict(parameters or {})
            )
            names = list(result.keys())
            selected = getattr(statement, "selected_columns", None)
            types = [arrow_types.expression_type(c) for c in selected] if selected is not None else [None] * len(names)
            if batch_rows is None:
                yield arrow_types.to_batch(result.fetchall(), names, types)
                return
            for rows in result.partitions(batch_rows):
                yield arrow_types.to_batch(rows, names, types)


def _make_engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    dialect = bulk.dialect(parsed.get_backend_name())
    engine = sa.create_engine(parsed, **dialect.engine_options(parsed))
    dialect.prepare(engine)
    return engine


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, sa.exc.OperationalError) and not isinstance(error, CommitInDoubtError)


__all__ = ["BATCH_ROWS", "Database", "DatabaseError"]

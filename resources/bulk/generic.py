"""What any database that SQLAlchemy reaches can do, and the base of the tuned dialects. Names no database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import sqlalchemy as sa

from resources.errors import DatabaseError


class Rows(Protocol):
    """Rows of one table, readable any number of times."""

    @property
    def rows(self) -> int:
        """How many there are."""

    @property
    def schema(self) -> pa.Schema:
        """Columns and types of every batch."""

    @property
    def constants(self) -> Mapping[str, pa.Scalar]:
        """Columns that have one value in all rows."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows from the first on."""


class Dialect:
    """All that differs between databases. Subclasses tune; this one uses Core and executemany."""

    raw_rows: ClassVar[bool] = False
    """Whether the driver's rows need none of SQLAlchemy's result processing."""
    read_options: ClassVar[Mapping[str, Any]] = {}
    """Execution options of a connection that only reads."""
    write_options: ClassVar[Mapping[str, Any]] = {}
    """Execution options of a connection that writes."""

    stream_options: ClassVar[Mapping[str, Any]] = {"stream_results": True}
    """Execution options of a query whose result is larger than memory."""

    def make_engine(self, url: sa.URL) -> sa.Engine:
        """A new engine, which connects when it is used. Raises DatabaseError for a URL that cannot work."""
        engine = sa.create_engine(url, hide_parameters=True, **self.engine_options(url))
        self.prepare(engine)
        return engine

    def engine_options(self, url: sa.URL) -> dict[str, Any]:
        """Options for `sa.create_engine`; may raise DatabaseError for a URL that cannot work."""
        return {"pool_pre_ping": True}

    def prepare(self, engine: sa.Engine) -> None:
        """Listen to what the engine does, once, before its first connection."""

    def is_transient(self, error: BaseException) -> bool:
        """Whether after this error of the driver the same transaction may well succeed a moment later."""
        return False

    def is_busy(self, error: BaseException, disconnected: bool) -> bool:
        """Whether to try the transaction again; `disconnected` is SQLAlchemy's view of the connection."""
        return disconnected or self.is_transient(error)

    def comes_soon(self, error: BaseException) -> bool:
        """Whether the server, asked for a connection, answers that it will have one in a moment."""
        return False

    def explain(self, error: BaseException) -> str:
        """What went wrong, without any row data; drivers like to quote the offending key."""
        return type(error).__name__

    def allow_snapshots(self, connection: sa.Connection) -> bool:
        """Let `read` see one state while others write, where that must be switched on; whether it was switched on.

        connection: outside of transactions.
        """
        return False

    def compress(self, connection: sa.Connection) -> list[str]:
        """Have the database compress large tables that are still empty; what was done, or why not, a line each.

        connection: outside of transactions, since a server that lacks the feature refuses the statement.
        """
        return []

    def lock(self, connection: sa.Connection, name: str, *, shared: bool = False) -> None:
        """Wait for the name, and keep it until the transaction ends; `shared` with others who take it so."""

    def damage(self, connection: sa.Connection) -> Iterator[str]:
        """What the database itself finds broken in its own files, where it can be asked; never row data."""
        yield from ()

    def back_up(self, engine: sa.Engine, file: Path) -> None:
        """Write a copy of one state of the database into an empty file, while others go on writing."""
        raise DatabaseError(
            f"{engine.name} databases are backed up by their own tools; sql/BACKUP.md has the commands"
        )

    def read_large(
        self,
        engine: sa.Engine,
        statements: Sequence[sa.Select[Any]],
        schema: pa.Schema,
        batch_rows: int,
        has: Callable[[int], bool],
    ) -> Iterator[pa.RecordBatch] | None:
        """The results by a way that pays for large ones; None where the usual way is as good.

        `has(n)` tells whether there are at least n rows.
        """
        return None

    def stage(self, rows: Rows) -> AbstractContextManager[Iterable[pa.RecordBatch]]:
        """What of the work can be done before the transaction; `insert` and `upsert` take the result, also twice."""
        return nullcontext(rows)

    def insert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
        """Insert rows inside the caller's transaction."""
        for batch in batches:
            if batch.num_rows:
                connection.execute(sa.insert(table), batch.to_pylist())

    def upsert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
        """Insert rows, or replace those with the same primary key, inside the caller's transaction."""
        keys = [column.name for column in table.primary_key]
        old = sa.delete(table).where(*(table.c[key] == sa.bindparam(f"key_{key}") for key in keys))
        for batch in batches:
            # Of several rows with one key the last stands, as in every dialect.
            rows = list({tuple(row[key] for key in keys): row for row in batch.to_pylist()}.values())
            if rows:
                connection.execute(old, [{f"key_{key}": row[key] for key in keys} for row in rows])
                connection.execute(sa.insert(table), rows)

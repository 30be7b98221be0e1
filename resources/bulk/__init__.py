"""One small file per SQL dialect, holding all that differs between databases; this one picks it.

A dialect module has: `engine_options(url)`, `prepare(engine)`, `insert(connection, table, batches)`,
`upsert(connection, table, batches)` and `lock(connection, name)`. All run inside the caller's transaction.
No schema knowledge, no checks of rows: batches arrive with exactly the table's columns and Arrow types.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa

from resources.bulk import generic, postgresql, sqlite


class Dialect(Protocol):
    """What a dialect module offers."""

    def engine_options(self, url: sa.URL) -> dict[str, Any]: ...
    def prepare(self, engine: sa.Engine) -> None: ...
    def insert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None: ...
    def upsert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None: ...
    def lock(self, connection: sa.Connection, name: str) -> None: ...


_DIALECTS: dict[str, Dialect] = {"sqlite": sqlite, "postgresql": postgresql}  # type: ignore[dict-item]


def dialect(name: str) -> Dialect:
    """The module of a dialect by SQLAlchemy's name of it; unknown ones get the generic executemany."""
    return _DIALECTS.get(name, generic)  # type: ignore[arg-type]

"""Compute outside, write inside: spool a slice, then replace it in one short transaction.

Everything about Dagster lives in `sql_io_manager.py`; everything about a named database in `bulk/`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from resources import bulk, content_hash, restrictions, tables
from resources.database import Database
from resources.errors import DatabaseError, SchemaMismatchError
from resources.slice_locks import locks
from resources.slices import Slice, Update
from resources.spool import Spool

WriteMode: TypeAlias = Literal["replace", "upsert", "append"]
FIRST_ROWS = 5
WRITE_MODES: tuple[str, ...] = get_args(WriteMode)


@dataclass(frozen=True)
class Written:
    """What one committed slice amounts to."""

    rows: int
    content_hash: str
    name: str = ""
    by_table: dict[str, int] = field(default_factory=dict)
    first_rows: pa.RecordBatch | None = None


def table_named(name: str) -> sa.Table:
    """The declared table of that name."""
    try:
        return tables.metadata.tables[name]
    except KeyError:
        raise SchemaMismatchError(
            f"there is no table {name!r} in resources/tables.py; declare it there first"
        ) from None


class SliceWriter:
    """Writes slices of an asset's tables, each in one transaction with its row in `materializations`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(
        self,
        asset: str,
        slice: Slice,
        *,
        mode: WriteMode = "replace",
        run_id: str | None = None,
        code_version: str | None = None,
        now: datetime,
    ) -> Written:
        """Replace the slice (or upsert or append its rows) in every table, or change nothing.

        The producer behind `slice.rows` is run to its end first; if it raises, nothing is written. Raises
        SchemaMismatchError and SliceMismatchError before the transaction, DatabaseError from within it.
        """
        if mode not in WRITE_MODES:
            raise ValueError(f"write_mode {mode!r} is not one of {', '.join(WRITE_MODES)}")
        restrictions.check_owners(slice.where, slice.rows)
        with Spool() as spool:
            for name, rows in slice.rows.items():
                table = table_named(name)
                spool.add(table, rows, restrictions.of_table(slice.where, table, strict=mode == "replace"))
            written = _summary(spool, slice.label)
            entry = {
                "asset": asset,
                "slice": slice.label,
                "rows": written.rows,
                "content_hash": written.content_hash,
                "code_version": code_version,
                "run_id": run_id,
                "committed_at": _utc(now),
            }
            try:
                self._store(spool, slice, mode, entry)
            except DatabaseError as error:
                error.args = (f"writing {asset} ({slice.label}): {error}",)
                raise
            return written

    def _store(self, spool: Spool, slice: Slice, mode: WriteMode, entry: dict[str, object]) -> None:
        dialect = bulk.dialect(self._database.dialect_name)
        with ExitStack() as stack:
            staged = {
                spooled.table: stack.enter_context(dialect.stage(spooled))
                for spooled in spool.tables
                if spooled.rows
            }
            begun: list[int] = []
            self._database.retry(lambda: self._commit(spool, staged, slice, mode, entry, begun))

    def _commit(
        self,
        spool: Spool,
        staged: Mapping[sa.Table, Iterable[pa.RecordBatch]],
        slice: Slice,
        mode: WriteMode,
        entry: dict[str, object],
        begun: list[int],
    ) -> None:
        """One attempt; `begun` holds the record's number of each attempt that came as far as its commit."""
        dialect = bulk.dialect(self._database.dialect_name)
        with self._database.write() as connection:
            # Also waits until a commit whose connection broke has ended, one way or the other.
            for lock in locks(slice.where, [spooled.table for spooled in spool.tables]):
                dialect.lock(connection, lock.name, shared=lock.shared)
            if begun and _stands(connection, begun, entry):
                return
            if mode == "replace":
                for spooled in reversed(spool.tables):
                    where = restrictions.of_table(slice.where, spooled.table, strict=True)
                    for condition in restrictions.conditions(spooled.table, where):
                        connection.execute(sa.delete(spooled.table).where(*condition))
            store = dialect.upsert if mode == "upsert" else dialect.insert
            for table, rows in staged.items():
                store(connection, table, rows)
            for update in slice.updates:
                _apply(connection, update)
            begun += connection.execute(sa.insert(tables.materializations), entry).inserted_primary_key or ()


def _summary(spool: Spool, name: str) -> Written:
    hashes = {spooled.table.name: spooled.content_hash for spooled in spool.tables}
    counts = {spooled.table.name: spooled.rows for spooled in spool.tables}
    first = next((batch for spooled in spool.tables for batch in spooled), None)
    return Written(
        rows=sum(counts.values()),
        content_hash=next(iter(hashes.values())) if len(hashes) == 1 else content_hash.combined(hashes),
        name=name,
        by_table=counts,
        # `take` copies: a slice would hold the whole block, or the spool's file, for the sake of five rows.
        first_rows=None if first is None else first.take(pa.array(range(min(FIRST_ROWS, first.num_rows)))),
    )


def _stands(connection: sa.Connection, begun: list[int], entry: dict[str, object]) -> bool:
    """Whether an earlier attempt is committed after all. A number alone may be given again after a crash."""
    record = tables.materializations.c
    names = ("asset", "slice", "content_hash", "run_id")
    found = sa.select(*(record[name] for name in names)).where(record.materialization_id.in_(begun))
    return tuple(entry[name] for name in names) in [tuple(row) for row in connection.execute(found)]


def _apply(connection: sa.Connection, update: Update) -> None:
    table = table_named(update.table)
    condition = [table.c[column] == _plain(value) for column, value in update.key.items()]
    values = {column: _plain(value) for column, value in update.values.items()}
    changed = connection.execute(sa.update(table).where(*condition).values(values)).rowcount
    if changed != 1:
        raise DatabaseError(
            f"an update of {update.table} by {', '.join(update.key)} touched {changed} rows in place of one; "
            "nothing was written"
        )


def _plain(value: Any) -> Any:
    """The value as drivers take it: no numpy scalar, no pandas missing value, no zone."""
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return _utc(value) if isinstance(value, datetime) else value


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)

"""Rows that are read when they are asked for: a table, columns and key ranges, as batches. No writing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from resources import restrictions
from resources.arrow_types import table_schema
from resources.database import BATCH_ROWS, Database
from resources.slice_writer import table_named
from resources.slices import KeyRange, Restriction

TABLE_BATCH_ROWS = 65_536
"""Rows of numbers and short text that are read at a time where all of them are wanted."""


@dataclass(frozen=True)
class LazyRows:
    """A selection of a table's rows in the order of its primary key. Holds no connection, so it pickles."""

    database: Database
    table: str
    columns: tuple[str, ...] = ()
    where: Mapping[str, Restriction] = field(default_factory=dict)

    def select(self, *columns: str) -> LazyRows:
        """The same rows with these columns only."""
        return replace(self, columns=columns)

    def between(self, column: str, first: int, last: int) -> LazyRows:
        """The rows whose key lies in [first, last]."""
        return replace(self, where={**self.where, column: KeyRange(first, last)})

    def iter_batches(self, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Batches of at most `batch_rows` rows; memory is bounded by one batch."""
        return self.database.stream_rows(list(self._statements()), self.schema, batch_rows, self._has)

    def to_table(self) -> pa.Table:
        """All rows as an Arrow table."""
        long = any(pa.types.is_binary(kind) for kind in self.schema.types)
        batches = self.iter_batches(BATCH_ROWS if long else TABLE_BATCH_ROWS)
        return pa.Table.from_batches(list(batches), schema=self.schema)

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a frame."""
        return self.to_table().to_pandas()

    def count(self) -> int:
        """Number of rows, counted by the database."""
        table = table_named(self.table)
        total = 0
        with self.database.read() as connection:
            for condition in restrictions.conditions(table, self.where):
                total += connection.execute(
                    sa.select(sa.func.count()).select_from(table).where(*condition)
                ).scalar_one()
        return total

    def _has(self, rows: int) -> bool:
        """Whether there are at least so many rows, without counting further."""
        table, found = table_named(self.table), 0
        with self.database.read() as connection:
            for condition in restrictions.conditions(table, self.where):
                some = sa.select(sa.literal(1)).select_from(table).where(*condition).limit(rows - found)
                found += connection.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0
                if found >= rows:
                    return True
        return False

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the selected columns."""
        whole = table_schema(table_named(self.table))
        return pa.schema([(name, whole.field(name).type) for name in self.columns or whole.names])

    def _statements(self) -> Iterator[sa.Select[tuple[object, ...]]]:
        table = table_named(self.table)
        selected = [table.c[name] for name in self.columns] or list(table.columns)
        for condition in restrictions.conditions(table, self.where):
            yield sa.select(*selected).where(*condition).order_by(*table.primary_key)

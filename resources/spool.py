"""Rows on local disk between the producer and the transaction. Checks and hashes them on the way; no database.

The producer may take hours; the transaction must not. A retry of the transaction reads the spool again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from resources import row_checks
from resources.arrow_types import table_schema
from resources.content_hash import ContentHash
from resources.errors import StorageError
from resources.slices import Restriction, Rows

BLOCK_ROWS = 8_192
BLOCK_BYTES = 8 << 20
MEMORY_BYTES = 16 << 20
"""Rows of a producer below this stay in memory; above it they go to disk."""


class SpooledTable:
    """Checked rows of one table, readable any number of times."""

    def __init__(self, table: sa.Table, schema: pa.Schema) -> None:
        self.table = table
        self._hash = ContentHash(schema)
        self.schema = schema
        self._constants: dict[str, pa.Scalar] | None = None
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._pending_bytes = 0
        self._kept: list[pa.RecordBatch] = []
        self._kept_bytes = 0
        self._file: IO[bytes] | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None

    @property
    def rows(self) -> int:
        """Rows spooled."""
        return self._hash.rows

    @property
    def content_hash(self) -> str:
        """Hash of the rows."""
        return self._hash.hexdigest()

    @property
    def constants(self) -> dict[str, pa.Scalar]:
        """Columns that have one value in all rows: a slice repeats its version or video in every one."""
        return self._constants or {}

    def add(self, batch: pa.RecordBatch, *, keep: bool) -> None:
        """Take a checked batch; `keep` says that its memory is held by the caller anyway."""
        if batch.schema != self.schema:
            raise ValueError(f"batches of {self.table.name} change their columns on the way")
        # A producer may reuse its buffers, and a slice would keep its whole parent in memory: take a copy.
        self._pending.append(batch if keep else _copy(batch))
        self._pending_rows += batch.num_rows
        self._pending_bytes += batch.nbytes
        if keep or self._pending_rows >= BLOCK_ROWS or self._pending_bytes >= BLOCK_BYTES:
            self._flush(keep=keep)

    @property
    def bytes_on_disk(self) -> int:
        """Bytes that went to local disk."""
        return 0 if self._file is None else os.fstat(self._file.fileno()).st_size

    def finish(self) -> None:
        """No more rows come."""
        self._flush(keep=True)
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.flush()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows in order, in blocks; begin again by a new loop, one at a time."""
        if self._file is not None:
            self._file.seek(0)
            with os.fdopen(os.dup(self._file.fileno()), "rb") as source, pa.ipc.open_stream(source) as reader:
                yield from _cut(reader)
        yield from _cut(self._kept)

    def close(self) -> None:
        """Give the disk space back."""
        if self._file is not None:
            self._file.close()

    def _flush(self, *, keep: bool) -> None:
        if not self._pending:
            return
        block = self._pending[0] if len(self._pending) == 1 else pa.concat_batches(self._pending)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        self._hash.update(block)
        self._constants = _constants(block, self._constants)
        self._kept.append(block)
        if keep:
            return
        self._kept_bytes += block.nbytes
        if self._kept_bytes > MEMORY_BYTES:
            self._spill()

    def _spill(self) -> None:
        try:
            if self._file is None or self._writer is None:
                # A file without a name: a killed process leaves nothing behind.
                self._file = tempfile.TemporaryFile()  # noqa: SIM115
                self._writer = pa.ipc.new_stream(self._file, self.schema)
            for block in self._kept:
                self._writer.write_batch(block)
        except OSError as error:
            folder = tempfile.gettempdir()
            raise StorageError(
                f"rows cannot wait in {folder}: {error.strerror or error}; free space there or set TMPDIR"
            ) from error
        self._kept, self._kept_bytes = [], 0


class Spool:
    """The rows of one slice, until the `with` block ends."""

    def __init__(self) -> None:
        self.tables: list[SpooledTable] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for spooled in self.tables:
            spooled.close()

    def add(self, table: sa.Table, rows: Rows | None, where: dict[str, Restriction]) -> None:
        """Run the producer to its end, checking every block against the table and the slice."""
        whole = isinstance(rows, pd.DataFrame | pa.Table | pa.RecordBatch)
        single = whole or isinstance(rows, pa.RecordBatchReader)
        blocks: Iterable[Rows] = () if rows is None else [rows] if single else rows  # type: ignore[list-item]
        spooled: SpooledTable | None = None
        for block in blocks:
            for batch in row_checks.blocks(table, block):  # type: ignore[arg-type]
                fitted = row_checks.conform(table, batch)
                row_checks.inside(table, fitted, where)
                spooled = spooled or self._new(table, fitted.schema)
                spooled.add(fitted, keep=whole)
        (spooled or self._new(table, table_schema(table))).finish()

    def append(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take a few rows more of a table, for producers of several tables at once; `finish` ends them all."""
        if not rows:
            return
        self._append(table, pa.RecordBatch.from_pylist(list(rows), schema=table_schema(table)))

    def append_columns(self, table: sa.Table, columns: Mapping[str, pa.Array]) -> None:
        """`append` of rows given as columns of one length; columns that are not given are null."""
        schema, rows = table_schema(table), len(next(iter(columns.values())))
        if rows:
            arrays = [
                columns[field.name].cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
                for field in schema
            ]
            self._append(table, pa.RecordBatch.from_arrays(arrays, schema=schema))

    def _append(self, table: sa.Table, batch: pa.RecordBatch) -> None:
        spooled = next((each for each in self.tables if each.table is table), None)
        spooled = spooled or self._new(table, table_schema(table))
        spooled.add(row_checks.conform(table, batch), keep=False)

    def finish(self) -> None:
        """No more rows come by `append`."""
        for spooled in self.tables:
            spooled.finish()

    def _new(self, table: sa.Table, schema: pa.Schema) -> SpooledTable:
        self.tables.append(SpooledTable(table, schema))
        return self.tables[-1]


def _constants(block: pa.RecordBatch, known: dict[str, pa.Scalar] | None) -> dict[str, pa.Scalar]:
    """Columns with one value in the block, and that of the blocks before it."""
    if not block.num_rows:
        return known or {}
    found = {}
    for name in block.schema.names if known is None else known:
        column = block.column(name)
        value = column[0] if known is None else known[name]
        if column[-1] == value and (
            column.null_count == len(column)
            if not value.is_valid
            else pc.all(pc.equal(column, value)).as_py()
        ):
            found[name] = value
    return found


def _copy(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.ipc.read_record_batch(batch.serialize(), batch.schema)


def _cut(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, BLOCK_ROWS):
            yield batch.slice(start, BLOCK_ROWS)

"""A deterministic hash of rows, independent of how they were cut into batches. No files, no database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class ContentHash:
    """SHA-256 over the columns of one table, fed batch by batch.

    Each column is hashed on its own (validity, lengths, values), so batch boundaries leave no trace; the order
    of rows does. What lies under a null is not hashed.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._columns = [[hashlib.sha256() for _ in range(3)] for _ in schema]

    def update(self, batch: pa.RecordBatch) -> None:
        """Add a batch that has exactly the schema."""
        self.rows += batch.num_rows
        for (validity, lengths, values), field, column in zip(
            self._columns, self._schema, batch.columns, strict=True
        ):
            if field.nullable:
                validity.update(_contiguous(column.is_valid().cast(pa.uint8())))
            if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
                offsets, content = _offsets_and_content(column)
                lengths.update(_bytes(np.diff(offsets)))
                values.update(content)
            else:
                values.update(_contiguous(column))

    def hexdigest(self) -> str:
        """64 hexadecimal characters."""
        whole = hashlib.sha256(str(self.rows).encode())
        for field, parts in zip(self._schema, self._columns, strict=True):
            whole.update(f"\0{field.name}\0{field.type}\0".encode())
            for part in parts:
                whole.update(part.digest())
        return whole.hexdigest()


def combined(hashes: Mapping[str, str]) -> str:
    """One hash of several named ones, whatever their order."""
    return hashlib.sha256("\n".join(f"{name} {hashes[name]}" for name in sorted(hashes)).encode()).hexdigest()


def _offsets_and_content(column: pa.Array) -> tuple[np.ndarray[Any, Any], memoryview]:
    if column.null_count:
        column = pc.fill_null(column, b"" if pa.types.is_binary(column.type) else "")
    _, offsets_buffer, content = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset : column.offset + len(column) + 1]
    if content is None or not len(offsets):
        return np.zeros(len(column) + 1, np.int32), memoryview(b"")
    return offsets, memoryview(content)[offsets[0] : offsets[-1]]


def _contiguous(column: pa.Array) -> memoryview:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if column.null_count:
        column = pc.fill_null(column, pa.scalar(0, pa.int64()).cast(column.type))
    return _bytes(column.to_numpy(zero_copy_only=False))


def _bytes(values: np.ndarray[Any, Any]) -> memoryview:
    plain: Any = np.ascontiguousarray(values).view(np.uint8)
    return memoryview(plain)

"""PostgreSQL's binary COPY format, made from Arrow batches column by column. No connection.

Runs of columns without nulls become one numpy record per row; only text, bytes and columns with nulls cost a
Python object per value. https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# PostgreSQL counts microseconds and days from 2000-01-01, Arrow from 1970-01-01.
EPOCH_DAYS = 10_957
EPOCH_MICROSECONDS = EPOCH_DAYS * 86_400_000_000


def encode(batch: pa.RecordBatch) -> bytes:
    """The batch's rows, to stand between HEADER and TRAILER."""
    rows = batch.num_rows
    parts: list[list[bytes]] = []
    record: list[np.ndarray[Any, Any]] = [np.full(rows, batch.num_columns, ">i2")]
    for column in batch.columns:
        missing = column.is_null().to_numpy(zero_copy_only=False)
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            sizes = pc.fill_null(pc.binary_length(column), -1).to_numpy().astype(">i4")
            values = column.cast(pa.binary()).to_pylist()
        else:
            numbers = _numbers(column)
            sizes = np.where(missing, -1, numbers.itemsize).astype(">i4")
            if not missing.any():
                record += [sizes, numbers]
                continue
            values = _as_bytes([numbers])
        record.append(sizes)
        if missing.all():
            continue
        parts.append(_as_bytes(record))
        for row in np.flatnonzero(missing):
            values[row] = b""
        parts.append(values)
        record = []
    if record:
        parts.append(_as_bytes(record))
    pieces: list[bytes] = [b""] * (rows * len(parts))
    for position, part in enumerate(parts):
        pieces[position :: len(parts)] = part
    return b"".join(pieces)


def _numbers(column: pa.Array) -> np.ndarray[Any, Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _filled(column, pa.int64(), ">i8", less=EPOCH_MICROSECONDS)
    if pa.types.is_date32(kind):
        return _filled(column, pa.int32(), ">i4", less=EPOCH_DAYS)
    if pa.types.is_boolean(kind):
        return _filled(column, pa.uint8(), "u1")
    return _filled(column, kind, f">{'f' if pa.types.is_floating(kind) else 'i'}{kind.bit_width // 8}")


def _filled(column: pa.Array, kind: pa.DataType, layout: str, less: int = 0) -> np.ndarray[Any, Any]:
    # Arithmetic of numpy ends in the machine's byte order, so the layout comes last.
    return (pc.fill_null(column.cast(kind), 0).to_numpy() - less).astype(layout)


def _as_bytes(columns: list[np.ndarray[Any, Any]]) -> list[bytes]:
    """The columns side by side, one packed bytes object per row."""
    layout = np.dtype([(str(position), column.dtype) for position, column in enumerate(columns)])
    packed = np.empty(len(columns[0]), layout)
    for position, column in enumerate(columns):
        packed[str(position)] = column
    opaque: Any = packed.view(np.dtype((np.void, layout.itemsize)))
    return opaque.tolist()

"""Vectors as they lie in the table: float16, little-endian, 2 * dimensions bytes a frame. No model here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

FLOAT16 = np.dtype("<f2")


def pack(vectors: np.ndarray) -> pa.Array:
    """(n, d) floats as a binary column of n values of 2 * d bytes each.

    Raises ValueError naming the first row that holds NaN or a value that float16 cannot hold (over 65504):
    one such vector would poison every distance and product that it takes part in.
    """
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise ValueError(f"expected vectors of shape (n, d), got {vectors.shape}")
    with np.errstate(over="ignore"):
        halves = np.ascontiguousarray(vectors, dtype=FLOAT16)
    bad = np.flatnonzero(~np.isfinite(halves).all(axis=1))
    if bad.size:
        row = int(bad[0])
        raise ValueError(
            f"{bad.size} of {len(halves)} vectors hold NaN, infinity or more than 65504, first in row {row}; "
            "check the frame of that row and the backbone's weights"
        )
    width = halves.shape[1] * FLOAT16.itemsize
    offsets = np.arange(len(halves) + 1, dtype=np.int64) * width
    kind, offset_type = (
        (pa.binary(), np.int32) if offsets[-1] <= np.iinfo(np.int32).max else (pa.large_binary(), np.int64)
    )
    buffers = [None, pa.py_buffer(offsets.astype(offset_type)), pa.py_buffer(halves)]
    return pa.Array.from_buffers(kind, len(halves), buffers)


def unpack(column: pa.Array | pa.ChunkedArray | Sequence[bytes], dimensions: int) -> np.ndarray:
    """(n, dimensions) float16 of a binary column or a sequence of bytes; read-only where nothing is copied.

    One Arrow array without gaps is viewed in place; several chunks and Python bytes are copied once.
    Raises ValueError naming the first row that is missing or has another length.
    """
    if dimensions < 1:
        raise ValueError(f"dimensions is {dimensions}; give 1 or more")
    if isinstance(column, pa.ChunkedArray):
        parts = [_view(chunk, dimensions) for chunk in column.chunks if len(chunk)]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty((0, dimensions), FLOAT16)
    if isinstance(column, pa.Array):
        return _view(column, dimensions)
    width = dimensions * FLOAT16.itemsize
    for row, value in enumerate(column):
        if value is None or len(value) != width:
            raise _wrong_length(row, None if value is None else len(value), dimensions)
    return np.frombuffer(b"".join(column), dtype=FLOAT16).reshape(len(column), dimensions)


def _view(array: pa.Array, dimensions: int) -> np.ndarray:
    width = dimensions * FLOAT16.itemsize
    if array.null_count:
        raise _wrong_length(
            int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0]),
            None,
            dimensions,
        )
    if not len(array):
        return np.empty((0, dimensions), FLOAT16)
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        _, offset_buffer, data = array.buffers()
        kind = np.int32 if pa.types.is_binary(array.type) else np.int64
        offsets = np.frombuffer(offset_buffer, dtype=kind)[array.offset : array.offset + len(array) + 1]
        wrong = np.flatnonzero(np.diff(offsets) != width)
        if wrong.size:
            row = int(wrong[0])
            raise _wrong_length(row, int(offsets[row + 1] - offsets[row]), dimensions)
        start = int(offsets[0])
    elif pa.types.is_fixed_size_binary(array.type):
        if array.type.byte_width != width:
            raise _wrong_length(0, array.type.byte_width, dimensions)
        _, data = array.buffers()
        start = array.offset * width
    else:
        raise TypeError(f"expected a binary column, got {array.type}")
    values = np.frombuffer(data, dtype=FLOAT16, count=len(array) * dimensions, offset=start)
    return values.reshape(len(array), dimensions)


def _wrong_length(row: int, found: int | None, dimensions: int) -> ValueError:
    what = "is missing" if found is None else f"has {found} bytes"
    return ValueError(
        f"vector {row} {what}, {2 * dimensions} bytes are expected for {dimensions} dimensions; "
        "was it made by another embedder?"
    )

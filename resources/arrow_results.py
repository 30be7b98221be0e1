"""Arrow tables and batches from the rows of a DBAPI cursor. Knows types, not statements or transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import pyarrow as pa

FetchMany: TypeAlias = Callable[[int], Sequence[Sequence[Any]]]

# Rows turned into columns at a time: a thousand tuples still lie in the processor's cache.
STRIDE = 1_000


def read_table(fetch: FetchMany, names: Sequence[str], types: Sequence[pa.DataType | None]) -> pa.Table:
    """All rows. A column without a type gets it from its values."""
    if None in types:
        rows = [row for chunk in iter(lambda: fetch(STRIDE), []) for row in chunk]
        return pa.Table.from_arrays(_columns(rows, types), names=list(names))
    schema = pa.schema(list(zip(names, types, strict=True)))
    return pa.Table.from_batches(list(_strides(fetch, schema)), schema=schema).combine_chunks()


def read_batches(
    fetch: FetchMany, names: Sequence[str], types: Sequence[pa.DataType], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """The rows in batches of `batch_rows`, the last one smaller; none where there is no row."""
    schema = pa.schema(list(zip(names, types, strict=True)))
    pending: list[pa.RecordBatch] = []
    count = 0
    stride = min(STRIDE, batch_rows)
    while True:
        batch = next(_strides(fetch, schema, min(stride, batch_rows - count)), None)
        if batch is not None:
            pending.append(batch)
            count += batch.num_rows
        if pending and (batch is None or count >= batch_rows):
            yield pending[0] if len(pending) == 1 else pa.concat_batches(pending)
            pending, count = [], 0
        if batch is None:
            return


def _strides(fetch: FetchMany, schema: pa.Schema, stride: int = STRIDE) -> Iterator[pa.RecordBatch]:
    while rows := fetch(stride):
        yield pa.RecordBatch.from_arrays(_columns(rows, schema.types), schema=schema)


def _columns(rows: Sequence[Sequence[Any]], types: Sequence[pa.DataType | None]) -> list[pa.Array]:
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(types)
    return [_array(values, kind) for values, kind in zip(columns, types, strict=True)]


def _array(values: Sequence[Any], kind: pa.DataType | None) -> pa.Array:
    try:
        array = pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return _converted(values, kind)
    return array.cast(pa.float64()) if pa.types.is_decimal(array.type) else array


def _converted(values: Sequence[Any], kind: pa.DataType | None) -> pa.Array:
    """What drivers return in a form of their own: times as text, truth as 0 and 1, sums as decimals."""
    if kind is not None and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return pa.array(values, pa.string()).cast(kind)
    if kind is not None and pa.types.is_boolean(kind):
        return pa.array([None if value is None else bool(value) for value in values], kind)
    whole = kind is not None and pa.types.is_integer(kind)
    plain = [
        (int(value) if whole else float(value)) if isinstance(value, Decimal) else value for value in values
    ]
    return pa.array(plain, kind)

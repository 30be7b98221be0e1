"""Arrow types of SQLAlchemy columns, and Arrow batches from driver rows. No connection, no SQL text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa


def arrow_type(kind: sa.types.TypeEngine[Any]) -> pa.DataType | None:
    """Arrow type of a declared column type; None where SQLAlchemy does not know the type either."""
    if isinstance(kind, sa.types.TypeDecorator):
        return arrow_type(kind.impl_instance)
    for declared, arrow in _TYPES:
        if isinstance(kind, declared):
            return arrow
    return None


# Subclasses before their bases: SmallInteger and BigInteger are Integers, LargeBinary is not a String.
_TYPES: tuple[tuple[type[sa.types.TypeEngine[Any]], pa.DataType], ...] = (
    (sa.Boolean, pa.bool_()),
    (sa.SmallInteger, pa.int16()),
    (sa.BigInteger, pa.int64()),
    (sa.Integer, pa.int32()),
    (sa.REAL, pa.float32()),
    (sa.Float, pa.float64()),
    (sa.Numeric, pa.float64()),
    (sa.DateTime, pa.timestamp("us")),
    (sa.Date, pa.date32()),
    (sa.LargeBinary, pa.binary()),
    (sa.String, pa.string()),
)


def table_schema(table: sa.Table) -> pa.Schema:
    """Arrow schema of a table as `tables.py` declares it, columns in their order."""
    return pa.schema([pa.field(c.name, arrow_type(c.type), bool(c.nullable)) for c in table.columns])


def expression_type(column: sa.ColumnElement[Any]) -> pa.DataType | None:
    """Arrow type of a selected expression: exact for a table's column, wide for anything computed."""
    plain = column
    while isinstance(plain, sa.Label):
        plain = plain.element
    arrow = arrow_type(column.type)
    if arrow is None or isinstance(plain, sa.Column):
        return arrow
    if pa.types.is_integer(arrow):
        return pa.int64()
    return pa.float64() if pa.types.is_floating(arrow) else arrow


def to_batch(rows: Sequence[Sequence[Any]], names: Sequence[str], types: Sequence[pa.DataType | None]) -> pa.RecordBatch:
    """Driver rows as one Arrow batch; a type that is None is inferred from the values."""
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    arrays = [pa.array(values, type=kind) for values, kind in zip(columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))

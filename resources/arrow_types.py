"""Arrow types of SQLAlchemy columns and expressions. No connection, no rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import sqlalchemy as sa

# Subclasses before their bases: SmallInteger and BigInteger are Integers.
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


def arrow_type(kind: sa.types.TypeEngine[Any]) -> pa.DataType | None:
    """Arrow type of a declared type, whatever the dialect's variant; None where SQLAlchemy knows no type."""
    return next((arrow for declared, arrow in _TYPES if isinstance(kind, declared)), None)


def table_schema(table: sa.Table) -> pa.Schema:
    """Arrow schema of a table as `tables.py` declares it, columns in their order."""
    return pa.schema([pa.field(c.name, arrow_type(c.type), bool(c.nullable)) for c in table.columns])


def expression_type(expression: sa.ColumnElement[Any]) -> pa.DataType | None:
    """Arrow type of a selected expression: exact for a table's column, wide for anything computed."""
    plain: Any = expression
    while isinstance(plain, sa.Label):
        plain = plain.element
    arrow = arrow_type(expression.type)
    if arrow is None or isinstance(plain, sa.Column):
        return arrow
    if pa.types.is_integer(arrow):
        return pa.int64()
    return pa.float64() if pa.types.is_floating(arrow) else arrow

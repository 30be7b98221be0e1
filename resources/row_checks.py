"""Do rows fit their table? Column names, types, nulls, lengths and slice bounds, all before anything is written.

Works on Arrow only: no connection. Messages name columns and counts, never a value of the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from resources.arrow_types import table_schema
from resources.errors import SchemaMismatchError, SliceMismatchError
from resources.slices import KeyList, KeyRange, KeyRanges, Restriction, RowBlock

LARGEST_EXACT_FLOAT = 2**53


def insert_schema(table: sa.Table, names: list[str]) -> pa.Schema:
    """Schema of what will be inserted, in the table's order; raises where columns are missing or extra.

    Only a key that the database numbers itself, or a column with a server default, may be left out.
    """
    schema = table_schema(table)
    numbered = table.autoincrement_column
    optional = {c.name for c in table.columns if c.server_default is not None or c is numbered}
    problems = []
    if missing := [n for n in schema.names if n not in names and n not in optional]:
        problems.append(f"missing {', '.join(missing)}")
    if extra := [n for n in names if n not in schema.names]:
        problems.append(f"extra {', '.join(extra)}")
    if twice := sorted({n for n in names if names.count(n) > 1}):
        problems.append(f"given twice {', '.join(twice)}")
    if problems:
        raise SchemaMismatchError(f"{table.name}: columns {'; '.join(problems)}. Nothing was written")
    return pa.schema([field for field in schema if field.name in names])


def blocks(table: sa.Table, rows: RowBlock) -> Iterator[pa.RecordBatch]:
    """A block of rows as Arrow batches with its own column types."""
    if isinstance(rows, pd.DataFrame):
        yield _from_pandas(table, rows)
    elif isinstance(rows, pa.RecordBatch):
        yield rows
    elif isinstance(rows, pa.Table):
        batches = rows.to_batches()
        yield from batches or [pa.RecordBatch.from_pylist([], schema=rows.schema)]
    elif isinstance(rows, pa.RecordBatchReader):
        yield pa.RecordBatch.from_pylist([], schema=rows.schema)
        yield from rows
    else:
        raise SchemaMismatchError(
            f"{table.name}: rows must be pandas or Arrow blocks, or an iterable of them, not {type(rows).__name__}"
        )


def conform(table: sa.Table, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with exactly the table's columns, order and types; raises naming every column that does not fit."""
    schema = insert_schema(table, batch.schema.names)
    problems: list[str] = []
    columns = []
    for field in schema:
        try:
            columns.append(_fit(batch.column(field.name), field, table.columns[field.name]))
        except (_Misfit, pa.ArrowInvalid) as misfit:
            reason = (
                str(misfit) if isinstance(misfit, _Misfit) else f"has values that {field.type} cannot hold"
            )
            problems.append(f"{field.name} {reason}")
    if problems:
        raise SchemaMismatchError(f"{table.name}: {'; '.join(problems)}. Nothing was written")
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def inside(table: sa.Table, batch: pa.RecordBatch, where: dict[str, Restriction]) -> None:
    """Raise SliceMismatchError unless every row lies where the slice says; else a re-run would leave rows behind."""
    for name, wanted in where.items():
        column = batch.column(name)
        fits = _fits(column, wanted)
        outside = batch.num_rows - (pc.sum(fits).as_py() or 0)
        if outside:
            raise SliceMismatchError(
                f"{table.name}: {outside} of {batch.num_rows} rows lie outside the slice by {name}. Nothing was written"
            )


class _Misfit(Exception):
    """One column does not fit; the text continues the column's name."""


def _fits(column: pa.Array, wanted: Restriction) -> pa.Array:
    if isinstance(wanted, KeyRange):
        return pc.and_(pc.greater_equal(column, wanted.first), pc.less_equal(column, wanted.last))
    if isinstance(wanted, KeyRanges):
        fits = pa.repeat(pa.scalar(False), len(column))
        for span in wanted.ranges:
            fits = pc.or_(fits, _fits(column, span))
        return fits
    if isinstance(wanted, KeyList):
        return pc.is_in(column, value_set=pa.array(wanted.keys, column.type))
    return pc.equal(column, wanted)


def _from_pandas(table: sa.Table, frame: pd.DataFrame) -> pa.RecordBatch:
    arrays, problems = [], []
    for position, name in enumerate(frame.columns):
        try:
            arrays.append(pa.array(frame.iloc[:, position], from_pandas=True))
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            problems.append(f"{name} mixes types")
    if problems:
        raise SchemaMismatchError(f"{table.name}: {'; '.join(problems)}. Nothing was written")
    flat = [a.combine_chunks() if isinstance(a, pa.ChunkedArray) else a for a in arrays]
    return pa.RecordBatch.from_arrays(flat, names=[str(name) for name in frame.columns])


def _fit(column: pa.Array, field: pa.Field, declared: sa.Column[Any]) -> pa.Array:
    fitted = _cast(column, field)
    if pa.types.is_floating(field.type):
        fitted = _finite(fitted, field)
    if fitted.null_count and not field.nullable:
        raise _Misfit(f"has {fitted.null_count} nulls but must have a value")
    if pa.types.is_string(field.type):
        _check_text(fitted, declared)
    return fitted


def _cast(column: pa.Array, field: pa.Field) -> pa.Array:
    given, wanted = column.type, field.type
    if given == wanted:
        return column
    if pa.types.is_dictionary(given):
        return _cast(column.dictionary_decode(), field)
    if pa.types.is_timestamp(given) and pa.types.is_timestamp(wanted):
        # Casting a zoned timestamp to a plain one keeps the UTC instant, which is what the tables hold.
        return column.cast(wanted, safe=False)
    if pa.types.is_null(given) or _same_family(given, wanted) or _pandas_integers(column, field):
        return column.cast(wanted, safe=not pa.types.is_floating(wanted))
    raise _Misfit(f"is {given}, expected {wanted}")


def _same_family(given: pa.DataType, wanted: pa.DataType) -> bool:
    number = pa.types.is_integer(given) or pa.types.is_boolean(given)
    if pa.types.is_integer(wanted):
        return number
    if pa.types.is_floating(wanted):
        return pa.types.is_floating(given) or pa.types.is_integer(given)
    if pa.types.is_string(wanted):
        return pa.types.is_large_string(given) or pa.types.is_string_view(given)
    if pa.types.is_binary(wanted):
        return (
            pa.types.is_large_binary(given)
            or pa.types.is_binary_view(given)
            or pa.types.is_fixed_size_binary(given)
        )
    return False


def _pandas_integers(column: pa.Array, field: pa.Field) -> bool:
    """Nullable integers that pandas turned into floats: exact, so they may go back."""
    if not (field.nullable and pa.types.is_integer(field.type) and pa.types.is_floating(column.type)):
        return False
    largest = pc.max(pc.abs(column)).as_py()
    return largest is None or largest <= LARGEST_EXACT_FLOAT


def _finite(column: pa.Array, field: pa.Field) -> pa.Array:
    """NaN is null where null is allowed; infinity is refused everywhere, as SQL Server would."""
    if field.nullable:
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    finite = pc.all(pc.is_finite(column)).as_py()
    if finite is False:
        unfit = len(column) - column.null_count - pc.sum(pc.is_finite(column)).as_py()
        raise _Misfit(f"has {unfit} values that are NaN or infinite")
    return column


def _check_text(column: pa.Array, declared: sa.Column[Any]) -> None:
    # SQLite would take all of it and PostgreSQL most: refused alike everywhere is what some database cannot keep.
    wide = isinstance(declared.type, sa.Unicode | sa.UnicodeText)
    if not wide and not pc.all(pc.string_is_ascii(column)).as_py() and len(column) > column.null_count:
        raise _Misfit("has letters beyond ASCII, which only names and paths may have")
    limit = getattr(declared.type, "length", None)
    # Few texts have as many bytes as the column takes characters, so that the slower count is seldom made.
    if limit and (pc.max(pc.binary_length(column)).as_py() or 0) > limit:
        long = column.filter(pc.greater(pc.binary_length(column), limit)).to_pylist()
        # SQL Server counts an emoji as two.
        if max(len(text.encode("utf-16-le")) // 2 for text in long) > limit:
            raise _Misfit(f"has text longer than {limit} characters")
    if pc.any(pc.match_substring(column, "\0")).as_py():
        raise _Misfit("has text with a NUL character")

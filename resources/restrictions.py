"""SQL conditions of a slice: bound values only, key lists cut to what every database takes as parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from resources.errors import SliceMismatchError
from resources.slices import KeyList, KeyRange, Restriction

KEYS_PER_STATEMENT = 500


def of_table(where: Mapping[str, Restriction], table: sa.Table, *, strict: bool) -> dict[str, Restriction]:
    """The part of `where` that restricts this table, by column name.

    `"table.column"` restricts that table only. A plain column that the table lacks is refused when `strict`,
    for a delete would otherwise reach further than the slice.
    """
    found: dict[str, Restriction] = {}
    for name, value in where.items():
        owner, _, column = name.rpartition(".")
        if owner and owner != table.name:
            continue
        if column in table.columns:
            found[column] = value
        elif strict or owner:
            raise SliceMismatchError(
                f"{table.name} has no column {column} to restrict the slice by; "
                f'name the tables one by one as "table.column", or leave {table.name} out of the slice'
            )
    if where and not found and strict:
        raise SliceMismatchError(f"nothing in the slice restricts {table.name}; name one of its columns in `where`")
    return found


def conditions(table: sa.Table, where: Mapping[str, Restriction]) -> Iterator[list[sa.ColumnElement[bool]]]:
    """Alternatives that together select the slice; each is a list of conditions to be joined by AND."""
    plain = [_condition(table.c[c], v) for c, v in where.items() if not isinstance(v, KeyList)]
    lists = [(table.c[c], v.keys) for c, v in where.items() if isinstance(v, KeyList)]
    if not lists:
        yield plain
        return
    (column, keys), *others = lists
    rest = plain + [other.in_(values) for other, values in others]
    for start in range(0, len(keys), KEYS_PER_STATEMENT):
        yield [*rest, column.in_(keys[start : start + KEYS_PER_STATEMENT])]


def _condition(column: sa.Column[object], value: str | int | KeyRange) -> sa.ColumnElement[bool]:
    if isinstance(value, KeyRange):
        return column.between(value.first, value.last)
    return column == value

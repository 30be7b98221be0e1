"""SQL conditions of a slice: bound values only, key lists cut to what every database takes as parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import product
from typing import Any

import sqlalchemy as sa

from resources.errors import SliceMismatchError
from resources.slices import KeyList, KeyRange, KeyRanges, Restriction

# SQL Server takes 2,100 parameters, and SQLite nests at most 1,000 conditions.
PER_STATEMENT = 200


def check_owners(where: Mapping[str, Restriction], names: Collection[str]) -> None:
    """Raise SliceMismatchError where `where` speaks of a table that the slice does not write."""
    if strangers := sorted({name.rpartition(".")[0] for name in where if "." in name} - set(names)):
        raise SliceMismatchError(
            f"the slice is restricted by {', '.join(strangers)} but brings no rows of it"
        )


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
        raise SliceMismatchError(
            f"nothing in the slice restricts {table.name}; name one of its columns in `where`"
        )
    return found


def conditions(table: sa.Table, where: Mapping[str, Restriction]) -> Iterator[list[sa.ColumnElement[bool]]]:
    """Alternatives that together select the slice; each is a list of conditions to be joined by AND."""
    for choice in product(*(_alternatives(table.c[column], value) for column, value in where.items())):
        yield list(choice)


def _alternatives(column: sa.Column[Any], value: Restriction) -> list[sa.ColumnElement[bool]]:
    if isinstance(value, KeyRange):
        return [column.between(value.first, value.last)]
    if isinstance(value, KeyRanges):
        spans = [column.between(span.first, span.last) for span in value.ranges]
        return [
            sa.or_(*spans[start : start + PER_STATEMENT]) for start in range(0, len(spans), PER_STATEMENT)
        ]
    if isinstance(value, KeyList):
        keys = value.keys
        return [
            column.in_(keys[start : start + PER_STATEMENT]) for start in range(0, len(keys), PER_STATEMENT)
        ]
    return [column == value]

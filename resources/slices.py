"""What a write is: a slice of one or more tables, its new rows, and updates that belong to the same transaction.

Values only. How a slice is spooled, checked and committed lives in `sql_io_manager.py` and its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa

RowBlock: TypeAlias = pd.DataFrame | pa.Table | pa.RecordBatch | pa.RecordBatchReader
Rows: TypeAlias = RowBlock | Iterable[RowBlock]
"""Rows of one table. An iterable is consumed once, on local disk, before the transaction begins."""

NAME_LENGTH = 400


@dataclass(frozen=True)
class KeyRange:
    """Keys from `first` to `last`, both inclusive."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"a key range runs from low to high, got {self.first} to {self.last}")


@dataclass(frozen=True)
class KeyList:
    """Any of several keys, for a run over many partitions."""

    keys: tuple[str | int, ...]


Restriction: TypeAlias = str | int | KeyRange | KeyList


@dataclass(frozen=True)
class Update:
    """Set `values` in the one row of `table` that `key` names, in the same transaction as the rows."""

    table: str
    key: Mapping[str, Any]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Slice:
    """The rows that shall stand where `where` holds, in every table named, or nothing changes.

    A column in `where` restricts every table of the slice and must exist in each of them;
    `"table.column"` restricts that table only. An empty `where` is the whole of each table.
    """

    where: Mapping[str, Restriction]
    rows: Mapping[str, Rows]
    updates: Sequence[Update] = ()
    name: str = ""

    @property
    def label(self) -> str:
        """Name for `materializations.slice`: as given, or derived from `where`; at most 400 characters."""
        text = self.name or ", ".join(_spell(column, value) for column, value in self.where.items()) or "all"
        return text if len(text) <= NAME_LENGTH else text[: NAME_LENGTH - 3] + "..."


def _spell(column: str, value: Restriction) -> str:
    if isinstance(value, KeyRange):
        return f"{column} {value.first}..{value.last}"
    if isinstance(value, KeyList):
        return f"{column} in {len(value.keys)} keys from {value.keys[0]}" if value.keys else f"{column} in no key"
    return f"{column} = {value}"

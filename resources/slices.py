"""What a write is: a slice of one or more tables, its new rows, and updates that belong to the same transaction.

Values only. How a slice is spooled, checked and committed lives in `sql_io_manager.py` and its neighbours.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
        # numpy's integers are welcome, but drivers do not know them.
        object.__setattr__(self, "first", operator.index(self.first))
        object.__setattr__(self, "last", operator.index(self.last))
        if self.first > self.last:
            raise ValueError(f"a key range runs from low to high, got {self.first} to {self.last}")


@dataclass(frozen=True)
class KeyList:
    """Any of several keys, for a run over many partitions."""

    keys: tuple[str | int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(_plain(key) for key in self.keys))


@dataclass(frozen=True)
class KeyRanges:
    """Any of several ranges: the frames of many videos."""

    ranges: tuple[KeyRange, ...]


Restriction: TypeAlias = str | int | KeyRange | KeyList | KeyRanges


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

    def __post_init__(self) -> None:
        plain = {
            column: value if isinstance(value, KeyRange | KeyList | KeyRanges) else _plain(value)
            for column, value in self.where.items()
        }
        object.__setattr__(self, "where", plain)

    @property
    def label(self) -> str:
        """Name for `materializations.slice`: as given, or derived from `where`; at most 400 characters."""
        text = self.name or ", ".join(_spell(column, value) for column, value in self.where.items()) or "all"
        return text if len(text) <= NAME_LENGTH else text[: NAME_LENGTH - 3] + "..."


@dataclass
class SliceStream:
    """Slices as they come, and metadata of the output that is known when the last one has come."""

    slices: Iterator[Slice] = field(default_factory=lambda: iter(()))
    metadata: dict[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Slice]:
        return self.slices


def _spell(column: str, value: Restriction) -> str:
    if isinstance(value, KeyRange):
        return f"{column} {value.first}..{value.last}"
    if isinstance(value, KeyList):
        return (
            f"{column} in {len(value.keys)} keys from {value.keys[0]}"
            if value.keys
            else f"{column} in no key"
        )
    if isinstance(value, KeyRanges):
        return f"{column} in {len(value.ranges)} ranges"
    return f"{column} = {value}"


def _plain(key: Any) -> str | int:
    return key if isinstance(key, str) else operator.index(key)

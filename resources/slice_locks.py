"""Which writers wait for each other: those whose slices may have a row in common, whatever they call them. No SQL.

A table is locked by all its writers at once, and each locks the videos (or other keys) that it replaces for itself
alone; a slice that cannot be told by a few of them locks the whole table for itself. Every writer takes its locks in
the same order, so that no two wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from al_assets.keys import video_no_of
from resources import restrictions
from resources.slices import KeyList, KeyRange, KeyRanges, Restriction

SEPARATE = 64
"""Most keys that are locked one by one."""


@dataclass(frozen=True)
class Lock:
    """A name to lock; `shared` with others who lock it so."""

    name: str
    shared: bool = False


def locks(where: Mapping[str, Restriction], tables: Iterable[sa.Table]) -> list[Lock]:
    """The locks of a slice, in the order in which they are to be taken."""
    found = []
    for table in sorted(tables, key=lambda each: each.name):
        keys = _keys(restrictions.of_table(where, table, strict=False), table)
        found.append(Lock(table.name, shared=keys is not None))
        found += [Lock(f"{table.name}\n{key}") for key in sorted(keys or ())]
    return found


def _keys(where: Mapping[str, Restriction], table: sa.Table) -> set[str] | None:
    """Names of the keys that the slice touches; None where they are many, or not those that the table is told by."""
    names = table.columns.keys()
    told_by = next(
        (name for name in ("frame_id", "video_id") if name in names), table.primary_key.columns[0].name
    )
    value = where.get(told_by)
    spans: tuple[KeyRange, ...] = ()
    if isinstance(value, KeyRange):
        spans = (value,)
    elif isinstance(value, KeyRanges):
        spans = value.ranges
    elif value is not None and told_by == "frame_id":
        keys = value.keys if isinstance(value, KeyList) else (value,)
        spans = tuple(KeyRange(int(key), int(key)) for key in keys)
    elif value is not None:
        plain = value.keys if isinstance(value, KeyList) else (value,)
        return {str(key) for key in plain} if len(plain) <= SEPARATE else None
    if not spans or told_by != "frame_id":
        return None
    ends = [(int(video_no_of(span.first)), int(video_no_of(span.last))) for span in spans]
    if sum(last - first + 1 for first, last in ends) > SEPARATE:
        return None
    return {str(number) for first, last in ends for number in range(first, last + 1)}

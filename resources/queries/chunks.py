"""Cutting key lists: SQL Server takes 2,100 parameters a statement, old SQLite builds 999. Nothing else."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
CHUNK = 900


def in_chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Consecutive parts of at most `size` values; none for an empty list."""
    for start in range(0, len(values), size):
        yield values[start : start + size]

"""A SQLite file that holds the rows of Arrow batches in one table, made page by page with numpy. No connection.

`INSERT .. SELECT` from such a file runs inside SQLite; to bind the same values from Python takes twice as long.
All cells of a batch have one length: numbers are stored at the width of their type, text is followed by a filler,
and the null of a number is a blob of zeros as long as the number, which `expressions` turns back into null.
https://www.sqlite.org/fileformat2.html, "B-tree Pages" and "Record Format".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import IO, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Values: TypeAlias = np.ndarray[Any, Any]

TABLE = "image"
PAGE_BYTES = 65_536
LEAF, INTERIOR = 13, 5
LEAF_HEADER, INTERIOR_HEADER = 8, 12
# Variable-length integers are made of one width: a leading 0x80 is legal and means nothing.
LENGTH_BYTES, ROW_BYTES = 3, 4
ROWS = 1 << 7 * ROW_BYTES
LOCAL_RESERVE = 64
"""A cell with this much less than a page needs no overflow page."""
WASTE = 4
"""Fillers may make a column of text at most so many times as long."""

_INTEGERS = {1: 1, 2: 2, 4: 4, 8: 6}
_REAL, _BLOB, _TEXT = 7, 12, 13


class UnfitError(ValueError):
    """The rows cannot be laid out in cells of one length; insert them in another way."""


@dataclass(frozen=True)
class _Part:
    """Bytes of every cell: the same in all rows, or a value a row in numpy's layout."""

    layout: str
    values: Values | bytes

    @property
    def size(self) -> int:
        return np.dtype(self.layout).itemsize

    def rows(self, first: int, last: int, shape: tuple[int, int]) -> Any:
        """What to assign to an array of the shape (pages, rows a page)."""
        if isinstance(self.values, bytes):
            return np.void(self.values)
        return self.values[first:last].reshape(*shape, *self.values.shape[1:])


@dataclass(frozen=True)
class _Column:
    """What one column adds to the cells: its serial type in the record's header, and its body."""

    serial: _Part
    body: _Part | None = None


class Image:
    """Writes the file; `add` batches of one schema, at least one row in all, then `finish`."""

    def __init__(self, stream: IO[bytes], schema: pa.Schema, page_bytes: int = PAGE_BYTES) -> None:
        self._stream, self._schema, self._page = stream, schema, page_bytes
        self._rows = 0
        self._children: list[tuple[int, int]] = []
        self._fields = sum(2 if _is_long(field.type) else 1 for field in schema)
        self._stream.write(bytes(2 * page_bytes))

    @property
    def expressions(self) -> list[str]:
        """What to select from `image`, in the order of the schema."""
        chosen, position = [], 0
        for field in self._schema:
            name = f"c{position}"
            zeros = "00" * _width(field.type)
            chosen.append(f"NULLIF({name}, x'{zeros}')" if zeros and field.nullable else name)
            position += 2 if _is_long(field.type) else 1
        return chosen

    def add(self, batch: pa.RecordBatch) -> None:
        """Append leaf pages with the rows. Raises UnfitError."""
        if not batch.num_rows:
            return
        parts = self._record(batch.num_rows, [part for column in batch.columns for part in _columns(column)])
        per_page = (self._page - LEAF_HEADER) // (sum(part.size for part in parts) + 2)
        whole = batch.num_rows - batch.num_rows % per_page
        self._leaves(parts, 0, whole, per_page)
        self._leaves(parts, whole, batch.num_rows, batch.num_rows - whole)

    def finish(self) -> None:
        """Write the pages above the leaves, and the header."""
        self._raise_tree()
        first = bytearray(_first_page(self._fields, self._page))
        pages = self._stream.seek(0, 2) // self._page
        first[28:32] = pages.to_bytes(4, "big")
        first[92:96] = first[24:28]  # the number of pages is that of this change
        self._stream.seek(0)
        self._stream.write(first)
        self._stream.flush()

    def _record(self, rows: int, columns: Sequence[_Column]) -> list[_Part]:
        """What a cell consists of: length, rowid, header, body."""
        serials = [column.serial for column in columns]
        bodies = [column.body for column in columns if column.body is not None]
        header = sum(part.size for part in serials)
        header += 1 if header < 127 else 2
        payload = header + sum(part.size for part in bodies)
        if payload > self._page - LOCAL_RESERVE or self._rows + rows >= ROWS:
            raise UnfitError("a row is longer than a page, or there are too many")
        numbers = np.arange(self._rows + 1, self._rows + rows + 1, dtype=np.uint32)
        self._rows += rows
        return [
            _fixed(_varint_of(payload, LENGTH_BYTES)),
            _varints(numbers, ROW_BYTES),
            _fixed(_varint_of(header, 1 if header < 128 else 2)),
            *serials,
            *bodies,
        ]

    def _leaves(self, parts: Sequence[_Part], first: int, last: int, per_page: int) -> None:
        """Pages of `per_page` cells each."""
        if first == last:
            return
        size = sum(part.size for part in parts)
        start, pages = self._page - per_page * size, (last - first) // per_page
        out = np.zeros((pages, self._page), np.uint8)
        out[:, :LEAF_HEADER] = _header(LEAF, per_page, start)
        out[:, LEAF_HEADER : LEAF_HEADER + 2 * per_page] = _pointers(start, size, per_page)
        names = [str(position) for position in range(len(parts))]
        cell = np.dtype([(name, part.layout) for name, part in zip(names, parts, strict=True)])
        cells = np.ndarray((pages, per_page), cell, out, start, (self._page, size))  # type: ignore[arg-type]
        for name, part in zip(names, parts, strict=True):
            cells[name] = part.rows(first, last, (pages, per_page))
        row = self._children[-1][1] if self._children else 0
        self._append(out, [row + per_page * (page + 1) for page in range(pages)])

    def _append(self, pages: Values, last_rows: Sequence[int]) -> None:
        number = self._stream.tell() // self._page + 1
        self._stream.write(pages.data.cast("B"))
        self._children += [(number + page, row) for page, row in enumerate(last_rows)]

    def _raise_tree(self) -> None:
        """Interior pages until the children of the root, which is the second page, fit into it."""
        if len(self._children) == 1:
            # A root above a single leaf would be corrupt: the leaf itself is the root.
            self._stream.seek(2 * self._page)
            leaf = self._stream.read(self._page)
            self._stream.seek(2 * self._page)
            self._stream.truncate()
            self._root(leaf)
            return
        fanout = (self._page - INTERIOR_HEADER) // (4 + ROW_BYTES + 2)
        while len(self._children) > fanout:
            children, self._children = self._children, []
            for group in _groups(children, fanout):
                self._append(self._interior(group), [group[-1][1]])
        self._root(bytes(self._interior(self._children)))

    def _root(self, page: bytes) -> None:
        self._stream.seek(self._page)
        self._stream.write(page)

    def _interior(self, children: Sequence[tuple[int, int]]) -> Values:
        """A page above its children; the last of them stands in the header."""
        *others, (last, _) = children
        cells = b"".join(page.to_bytes(4, "big") + _varint_of(row, ROW_BYTES) for page, row in others)
        start, size = self._page - len(cells), 4 + ROW_BYTES
        out = np.zeros(self._page, np.uint8)
        out[:LEAF_HEADER] = _header(INTERIOR, len(others), start)
        out[LEAF_HEADER:INTERIOR_HEADER] = np.frombuffer(last.to_bytes(4, "big"), np.uint8)
        out[INTERIOR_HEADER : INTERIOR_HEADER + 2 * len(others)] = _pointers(start, size, len(others))
        out[start:] = np.frombuffer(cells, np.uint8)
        return out


@lru_cache(maxsize=32)
def _first_page(fields: int, page_bytes: int) -> bytes:
    """Header and schema of a file with one table, as SQLite itself writes them."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA page_size = {page_bytes}")
        names = ", ".join(f"c{position}" for position in range(fields))
        connection.execute(f"CREATE TABLE {TABLE} ({names})")
        return connection.serialize()[:page_bytes]


def _groups(children: list[tuple[int, int]], fanout: int) -> list[list[tuple[int, int]]]:
    """Even groups, so that none has a single child."""
    count = -(-len(children) // fanout)
    cuts = np.linspace(0, len(children), count + 1).astype(int)
    return [children[first:last] for first, last in pairwise(cuts)]


def _columns(column: pa.Array) -> list[_Column]:
    kind = column.type
    if _is_long(kind):
        return _long(column)
    if column.null_count == len(column):
        return [_Column(_fixed(b"\0"))]
    width = _width(kind)
    layout = f">{'f' if pa.types.is_floating(kind) else 'i'}{width}"
    serial = _REAL if pa.types.is_floating(kind) else _INTEGERS[width]
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    if not column.null_count:
        return [_Column(_fixed(bytes([serial])), _Part(layout, column.to_numpy()))]
    missing = column.is_null().to_numpy(zero_copy_only=False)
    serials = np.where(missing, np.uint8(_BLOB + 2 * width), np.uint8(serial))
    return [_Column(_Part("u1", serials), _Part(layout, pc.fill_null(column, 0).to_numpy()))]


def _long(column: pa.Array) -> list[_Column]:
    """Text or bytes and the filler behind it, which together have one length."""
    serial = _BLOB if pa.types.is_binary(column.type) else _TEXT
    if pa.types.is_timestamp(column.type):
        # The form in which SQLAlchemy stores DateTime on SQLite; Arrow adds the microseconds to %S.
        column = pc.strftime(column, "%Y-%m-%d %H:%M:%S")
    if column.null_count == len(column):
        return [_Column(_fixed(b"\0")), _Column(_fixed(b"\0"))]
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    column = column.cast(pa.binary())
    column = column if missing is None else pc.fill_null(column, b"")
    _, offsets, buffer = column.buffers()
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    content = np.frombuffer(buffer or b"", np.uint8)[bounds[0] : bounds[-1]]
    lengths = np.diff(bounds)
    longest = int(lengths.max())
    if longest * len(column) > WASTE * len(content) + PAGE_BYTES:
        raise UnfitError("text of very different lengths")
    width = max(1, -(-(serial + 2 * longest).bit_length() // 7))
    if len(content) == longest * len(column) and missing is None:
        body = _Part(f"V{longest}", content.view(f"V{longest}")) if longest else None
        return [_Column(_fixed(_varint_of(serial + 2 * longest, width)), body), _Column(_fixed(b"\0"))]
    padded = np.zeros((len(column), longest), np.uint8)
    padded[np.arange(longest) < lengths[:, None]] = content
    serials = serial + 2 * lengths if missing is None else np.where(missing, 0, serial + 2 * lengths)
    return [
        _Column(_varints(serials, width), _Part(f"({longest},)u1", padded) if longest else None),
        _Column(_varints(_BLOB + 2 * (longest - lengths), width)),
    ]


def _is_long(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_timestamp(kind)


def _width(kind: pa.DataType) -> int:
    """Bytes of a number; 0 of what has no fixed length."""
    if _is_long(kind):
        return 0
    if pa.types.is_boolean(kind):
        return 1
    if pa.types.is_floating(kind):
        return 8
    if pa.types.is_signed_integer(kind):
        return int(kind.bit_width // 8)
    raise UnfitError(f"{kind} has no layout here")


def _fixed(content: bytes) -> _Part:
    return _Part(f"V{len(content)}", content)


def _varint_of(value: int, width: int) -> bytes:
    """A variable-length integer of that width."""
    groups = [value >> 7 * place & 0x7F | 0x80 for place in reversed(range(1, width))]
    return bytes([*groups, value & 0x7F])


def _varints(values: Values, width: int) -> _Part:
    """Variable-length integers of one width, at most four bytes."""
    values = values.astype(np.uint32)
    packed = values & 0x7F
    for place in range(1, width):
        packed |= (values >> 7 * place & 0x7F | 0x80) << 8 * place
    if width == 3:
        return _Part("(3,)u1", packed.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:])
    return _Part(f">u{width}", packed)


def _header(kind: int, cells: int, start: int) -> Values:
    page = bytes([kind, 0, 0]) + cells.to_bytes(2, "big") + start.to_bytes(2, "big") + bytes(1)
    return np.frombuffer(page, np.uint8)


def _pointers(start: int, size: int, count: int) -> Values:
    return (start + size * np.arange(count)).astype(">u2").view(np.uint8)

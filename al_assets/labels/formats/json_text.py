"""JSON files of any size, element by element: what is held is a window of text and where each element lies.

Not here: what any format makes of the elements. The file is copied once to local disk (memory while it is small), as
UTF-8, so that a format may check it whole, then return to any element, with the caller's stream closed.
"""

from __future__ import annotations

import codecs
import json
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from al_assets.labels.formats.records import ExportUnreadableError
from al_assets.labels.formats.values import storable
from al_assets.names import BrokenValueError, shown

CHUNK = 1 << 20
IN_MEMORY = 32 << 20
"""Bytes of a file that are copied to memory; a larger one goes to disk."""
_SPACE = re.compile(r"[ \t\r\n]*")
_LONGEST_TOKEN = 16
"""A window may end within `-Infinity`, a number or a pair of escapes: what is read that near to its end may change."""


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= 30 else float(digits)


_FAST = json.JSONDecoder()
_DECODER = json.JSONDecoder(parse_int=_whole)


def _decoded(text: str, at: int) -> tuple[object, int]:
    """The value that begins at a place, and the place behind it."""
    try:
        return _FAST.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError:  # int() refuses beyond 4300 digits, which would take the whole file down
        return _DECODER.raw_decode(text, at)


def spooled(stream: BinaryIO) -> BinaryIO:
    """A copy of a text file as UTF-8 without BOM. Raises ExportUnreadableError as `values.decode_text` does."""
    copy = cast(BinaryIO, SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 - lives as long as the records
    chunk = stream.read(CHUNK)
    name = "utf-16" if chunk.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    decoder, done, blank = codecs.getincrementaldecoder(name)(), 0, True
    while True:
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise ExportUnreadableError(
                f"the export is not {name.removesuffix('-sig').upper()} text from about byte {done + error.start}"
                " on: it is half-written or in another encoding; save it as UTF-8 and replace the file"
            ) from error
        copy.write(text.encode("utf-8"))
        blank = blank and not text.strip(" \t\r\n\x00")
        if not chunk:
            break
        done += len(chunk)
        chunk = stream.read(CHUNK)
    if blank:
        raise ExportUnreadableError("the export is empty; export again and replace the file")
    return copy


@contextmanager
def whole_json() -> Iterator[None]:
    """Turns what a damaged file makes the parser say into an ExportUnreadableError."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise ExportUnreadableError(
            f"the export is not whole JSON: {error.msg};"
            " it is half-written or was edited: export again and replace the file"
        ) from error
    except RecursionError as error:
        raise ExportUnreadableError("the export nests lists too deeply to be one; export again") from error


class JsonText:
    """Parses a file from its start, within `whole_json`, and notes where in it the values lie."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._window, self._at, self._byte = "", 0, 0

    def peek(self) -> str:
        """The next character that is no space; empty at the end of the file."""
        while True:
            found = _SPACE.match(self._window, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._window) or not self._fill():
                return self._window[self._at : self._at + 1]

    def take(self, mark: str) -> None:
        """Step over a character that must stand here."""
        if self.peek() != mark:
            raise self._error(f"expected {mark!r}")
        self._move(self._at + 1)

    def value(self) -> tuple[object, int, int]:
        """The value that begins here, with its first byte in the file and the byte after its last."""
        self.peek()
        while True:
            try:
                found, end = _decoded(self._window, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._window) - _LONGEST_TOKEN
                if not cut or not self._fill():
                    raise self._error(error.msg, error.pos) from error
                continue
            # A number may go on in the next window, after a point or an exponent that stands here.
            if end < len(self._window) - _LONGEST_TOKEN or not self._fill():
                start = self._byte
                self._move(end)
                return found, start, self._byte

    def elements(self) -> Iterator[tuple[object, int, int]]:
        """The values of the list that begins here."""
        self.take("[")
        first = True
        while self.peek() != "]":
            if not first:
                self.take(",")
            first = False
            yield self.value()
        self.take("]")

    def members(self) -> Iterator[str]:
        """The names in the object that begins here; whoever asks takes each value before the next name."""
        self.take("{")
        first = True
        while self.peek() != "}":
            if not first:
                self.take(",")
            first = False
            if self.peek() != '"':
                raise self._error("expected a name in quotes")
            name, _, _ = self.value()
            self.take(":")
            yield str(name)
        self.take("}")

    def finish(self, what: str) -> None:
        """Only space may follow."""
        if self.peek():
            raise self._error(f"more text after the {what}")

    def _move(self, end: int) -> None:
        passed = self._window[self._at : end]
        self._byte += len(passed) if passed.isascii() else len(passed.encode())
        self._at = end

    def _fill(self) -> bool:
        """Whether more of the file could be added. Doubles, so that one long value is not read again and again."""
        rest = len(self._window) - self._at
        data = self._file.read(max(CHUNK, rest))
        if not data:
            return False
        self._window = self._window[self._at :] + self._decoder.decode(data)
        self._at = 0
        return True

    def _error(self, what: str, at: int | None = None) -> json.JSONDecodeError:
        before = self._window[self._at : self._at if at is None else at]
        byte = self._byte + len(before.encode())
        return json.JSONDecodeError(f"{what} at byte {byte}", "", 0)


class Places:
    """Where values lie in a file: two machine words each."""

    def __init__(self) -> None:
        self._edges = array("q")

    def __len__(self) -> int:
        return len(self._edges) // 2

    def add(self, start: int, stop: int) -> None:
        """Note one more value."""
        self._edges.append(start)
        self._edges.append(stop)

    def text(self, file: BinaryIO, number: int) -> str:
        """Source text of a value that was noted, counted from 0."""
        start, stop = self._edges[2 * number], self._edges[2 * number + 1]
        file.seek(start)
        return file.read(stop - start).decode()


def places_of_list(file: BinaryIO) -> Places:
    """Where the elements of a file's one list lie. Raises ExportUnreadableError unless the file is whole."""
    places = Places()
    with whole_json():
        text = JsonText(file)
        for _, start, stop in text.elements():
            places.add(start, stop)
        text.finish("list")
    return places


def parsed(text: str) -> object:
    """The value that a text holds. Raises BrokenValueError where it is none, or nests beyond reason."""
    try:
        value, end = _decoded(text, _skip(text, 0))
        if _skip(text, end) < len(text):
            raise json.JSONDecodeError("more text after the value", text, end)
    except json.JSONDecodeError as error:
        raise BrokenValueError(f"it is not JSON: {error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise BrokenValueError("it nests lists too deeply to be a record") from error
    return value


def as_json(value: object) -> str:
    """A value as text that any table can hold."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        return text if text.isascii() else storable(text)  # NUL is escaped by now
    except RecursionError:
        return storable(shown(value))


def names_in(head: str) -> tuple[str, ...] | None:
    """Names in the first object of a text that may be cut anywhere, the last one's value too; None if none begins."""
    at = _skip(head, 0)
    if head[at : at + 1] != "{":
        return None
    names: list[str] = []
    try:
        while head[at : at + 1] in ("{", ","):
            name, at = _decoded(head, _skip(head, at + 1))
            at = _skip(head, at)
            if not isinstance(name, str) or head[at : at + 1] != ":":
                break
            names.append(name)
            _, at = _decoded(head, _skip(head, at + 1))
            at = _skip(head, at)
    except (json.JSONDecodeError, RecursionError):
        pass
    return tuple(names)


def names_in_list(head: str) -> tuple[str, ...] | None:
    """Names in the first object of a list; None where the text begins no list of objects."""
    at = _skip(head, 0)
    return names_in(head[at + 1 :]) if head[at : at + 1] == "[" else None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at

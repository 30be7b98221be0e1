"""Large results of a SQLite file by way of ADBC, which makes Arrow columns three times as fast as Python could.

ADBC brings a SQLite library of its own, and two libraries of one process on one file undo each other's locks
(sqlite.org/howtocorrupt.html, "Multiple copies of SQLite linked into the same application"). So `sqlite_child.py`
has it in another process. A question is a pickle of path, statements, kinds of columns, schema and rows a batch; an
answer is a letter, a length and so many bytes: B an Arrow batch, E an error's text, a full stop the end.
"""

from __future__ import annotations

import atexit
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from resources.errors import BusyDatabaseError, DatabaseError

Statement: TypeAlias = tuple[str, Sequence[Any]]
"""SQL with question marks, and their values."""

STARTED_ROWS = 20_000
"""A result at least so large is worth a question to a process that is there."""
NEW_ROWS = 400_000
"""A result at least so large is worth the half second in which a process starts."""
PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031
_HEADER = struct.Struct("<cq")

_idle: list[_Reader] = []
_lock = threading.Lock()


def worthwhile_rows() -> int:
    """Rows from which on the other process is faster."""
    return STARTED_ROWS if _idle else NEW_ROWS


def read(
    path: str, statements: Sequence[Statement], schema: pa.Schema, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """The results one after another, from one state of the file, in batches of the schema.

    Raises DatabaseError for what SQLite objects to, BusyDatabaseError where the process was lost.
    """
    with _lock:
        reader = _idle.pop() if _idle else None
    reader = reader or _Reader()
    finished = False
    try:
        yield from reader.batches(path, statements, schema, batch_rows)
        finished = True
    finally:
        if finished:
            with _lock:
                _idle.append(reader)
        else:
            # What is left of the answer would be taken for the next one.
            reader.kill()


def idle_processes() -> list[int]:
    """Process ids of those that wait for a question."""
    with _lock:
        return [reader.pid for reader in _idle]


def close() -> None:
    """End the processes that wait for a question."""
    with _lock:
        readers = _idle.copy()
        _idle.clear()
    for reader in readers:
        reader.kill()


class _Reader:
    """One process and its pipes; answers one question at a time."""

    def __init__(self) -> None:
        child = Path(__file__).with_name("sqlite_child.py")
        # -P: modules beside the child must not hide others of their names.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(child)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        if sys.platform == "linux":
            import fcntl

            with suppress(OSError):
                fcntl.fcntl(self._pipe(self._process.stdout), _SET_PIPE_SIZE, PIPE_BYTES)

    def batches(
        self, path: str, statements: Sequence[Statement], schema: pa.Schema, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        kinds = [_kind(field.type) for field in schema]
        question = pickle.dumps((path, statements, kinds, schema, batch_rows))
        try:
            self._pipe(self._process.stdin).write(question)
            while True:
                kind, length = _HEADER.unpack(memoryview(self._read(_HEADER.size)))
                content = self._read(length)
                if kind == b".":
                    return
                if kind == b"E":
                    text = content.to_pybytes().decode()
                    raise (BusyDatabaseError if "locked" in text else DatabaseError)(f"{text} ({path})")
                yield pa.ipc.read_record_batch(content, schema)
        except (BrokenPipeError, EOFError):
            raise BusyDatabaseError("the process that reads the SQLite file was lost; try again") from None

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self.forget()
        self._process.wait()

    def forget(self) -> None:
        """Close this end of the pipes."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                self._pipe(pipe).close()

    def _read(self, length: int) -> pa.Buffer:
        # Arrow's pool hands out memory again that was touched before, which is the dearest part of it.
        buffer = pa.allocate_buffer(length)
        view = memoryview(buffer)
        while view:
            count = self._pipe(self._process.stdout).readinto(view)
            if not count:
                raise EOFError
            view = view[count:]
        return buffer

    @staticmethod
    def _pipe(pipe: Any) -> Any:
        assert pipe is not None
        return pipe


def _kind(kind: pa.DataType) -> str:
    """What SQLite keeps such a column as: it has four types."""
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "int"
    if pa.types.is_floating(kind):
        return "float"
    return "bytes" if pa.types.is_binary(kind) else "text"


def _forget_parents() -> None:
    """A forked child must not hold the pipes open, nor talk to its parent's processes."""
    for reader in _idle:
        reader.forget()
    _idle.clear()


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents)

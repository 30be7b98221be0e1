"""Runs in a process of its own: reads a SQLite file through ADBC and writes Arrow batches to standard output.

Started by `sqlite_reader.py`, which describes the messages. Imports nothing of ours: it must start fast.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
from adbc_driver_sqlite import dbapi

BUSY_MILLISECONDS = 60_000
# ADBC takes a column's type from the values of the first batch, so a row that has one of each goes before it.
EXAMPLES = {"int": "0", "float": "0.0", "text": "''", "bytes": "x''"}


def main() -> None:
    """Answer questions until the parent closes the pipe."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            path, statements, kinds, schema, batch_rows = pickle.load(questions)
        except EOFError:
            return
        try:
            with _connected(path) as connection:
                _answer(answers, _batches(connection, statements, kinds, batch_rows), schema)
            _send(answers, b".", b"")
        except dbapi.Error as error:
            _send(answers, b"E", str(error).encode())
        except pa.ArrowInvalid:
            _send(answers, b"E", b"a value does not fit the type that its column is declared with")


def _answer(answers: BinaryIO, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
    """Each batch is cast and goes through the pipe while SQLite reads the next one."""
    with ThreadPoolExecutor(1) as sender:
        sending: Future[None] | None = None
        for batch in batches:
            if sending is not None:
                sending.result()
            sending = sender.submit(_send_batch, answers, batch, schema)
        if sending is not None:
            sending.result()


def _send_batch(answers: BinaryIO, batch: pa.RecordBatch, schema: pa.Schema) -> None:
    _send(answers, b"B", batch.rename_columns(schema.names).cast(schema).serialize())


@contextmanager
def _connected(path: str) -> Iterator[Any]:
    """A connection in a transaction that cannot write; open no longer than the question takes."""
    with dbapi.connect(path, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}").fetchall()
            cursor.execute("PRAGMA query_only = 1")
        connection.adbc_connection.set_autocommit(False)
        yield connection


def _batches(connection: Any, statements: Any, kinds: Any, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """All results from one state of the database, which the first statement fixes."""
    example = ", ".join(EXAMPLES[kind] for kind in kinds)
    for sql, parameters in statements:
        options = {"adbc.sqlite.query.batch_rows": str(batch_rows)}
        with connection.cursor(adbc_stmt_kwargs=options) as cursor:
            # The limit keeps the order: SQLite drops that of a plain subquery.
            cursor.execute(
                f"SELECT {example} UNION ALL SELECT * FROM ({sql} LIMIT -1)", list(parameters) or None
            )
            rest = 1
            for batch in cursor.fetch_record_batch():
                kept = batch.slice(rest)
                rest = 0
                if kept.num_rows:
                    yield kept


def _send(stream: BinaryIO, kind: bytes, content: Any) -> None:
    stream.write(struct.pack("<cq", kind, len(content)))
    stream.write(content)
    stream.flush()


if __name__ == "__main__":
    main()

"""SQLite: WAL, explicit transactions, rows by way of an image or many a statement. No other database here.

Rows go through the connection of the caller's transaction. A second SQLite library in the process (ADBC
bundles one) would undo the first one's locks: see "Multiple copies of SQLite linked into the same application"
in sqlite.org/howtocorrupt.html. `sqlite_reader.py` therefore has it in a process of its own.
"""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from resources.bulk import sqlite_file, sqlite_reader
from resources.bulk.generic import Dialect, Rows
from resources.bulk.sqlite_image import TABLE, Image, UnfitError
from resources.errors import OTHER_TABLES, DatabaseError, StorageError

BUSY_TIMEOUT_SECONDS = 60
# A vector of 1280 float16 values leaves a third of a 4 kB page empty; three of them fill one of 8 kB.
PAGE_BYTES = 8192
# Pages of an index that is filled in no order are soon needed again, and with SQLite's own 2 MiB read and written anew.
INDEX_CACHE_KIB = 32_768
USUAL_CACHE_KIB = 2_000
# 16 rows a statement run half as fast again as one, and more gain nothing; 999 is the least limit of parameters.
ROWS_PER_STATEMENT = 16
PARAMETERS = 999
# Below this a file of its own costs more than it saves; SQLite attaches ten files at most.
IMAGE_ROWS = 2_000
ATTACHED = 8

CURES = {
    sqlite3.SQLITE_BUSY: "another process writes for too long: see which runs are under way, or give more time by "
    "?timeout=SECONDS in AL_DATABASE_URL",
    sqlite3.SQLITE_READONLY: "let this user write the file and its folder",
    sqlite3.SQLITE_IOERR: "look at its disk: full, over its quota or failing",
    sqlite3.SQLITE_CORRUPT: "restore the file from a backup",
    sqlite3.SQLITE_FULL: "free space on its disk",
    sqlite3.SQLITE_NOTADB: "point AL_DATABASE_URL to a database, or restore the file from a backup",
}


@dataclass(frozen=True)
class StagedFile:
    """Rows in a SQLite file of their own, and what to select there; the rows themselves too, should it be gone."""

    path: Path
    expressions: list[str]
    constants: tuple[Any, ...]
    rows: Rows

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(self.rows)


class SQLite(Dialect):
    """SQLite through the standard library's driver."""

    raw_rows: ClassVar[bool] = True
    read_options: ClassVar[dict[str, Any]] = {"al_access": "read"}
    stream_options: ClassVar[dict[str, Any]] = {}  # SQLite computes rows as they are fetched
    write_options: ClassVar[dict[str, Any]] = {"al_access": "write"}

    def engine_options(self, url: sa.URL) -> dict[str, Any]:
        """A generous wait for the one writer; `?timeout=SECONDS` in the URL overrides it."""
        if url.database in (None, "", ":memory:"):
            raise DatabaseError(
                "an in-memory SQLite database cannot be shared; name a file: sqlite:////data/al.db"
            )
        folder = Path(url.database).expanduser().parent
        if not url.database.startswith("file:") and not folder.is_dir():
            raise DatabaseError(
                f"the folder {folder} of the database does not exist; create it or correct the URL"
            )
        return {} if "timeout" in url.query else {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS}}

    def prepare(self, engine: sa.Engine) -> None:
        """Turn the driver's own transaction control off; BEGIN as the connection's purpose demands."""

        @sa.event.listens_for(engine, "connect")
        def _connect(driver: sqlite3.Connection, _record: Any) -> None:
            driver.isolation_level = None
            driver.execute(f"PRAGMA page_size={PAGE_BYTES}")  # of a new file only
            sqlite_file.to_wal(driver)
            driver.execute("PRAGMA synchronous=NORMAL")
            driver.execute("PRAGMA foreign_keys=ON")

        @sa.event.listens_for(engine, "checkin")
        def _checkin(driver: sqlite3.Connection | None, record: Any) -> None:
            if driver is not None:
                driver.execute(f"PRAGMA cache_size=-{USUAL_CACHE_KIB}")
            for name in record.info.pop("al_attached", ()):
                if driver is not None:
                    driver.execute(f"DETACH {name}")

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            access = connection.get_execution_options().get("al_access")
            connection.exec_driver_sql(f"PRAGMA query_only={int(access == 'read')}")
            # A deferred transaction that reads first and then writes fails at once when another wrote meanwhile.
            connection.exec_driver_sql("BEGIN IMMEDIATE" if access == "write" else "BEGIN")

    def is_transient(self, error: BaseException) -> bool:
        """Another writer held the file for longer than the time-out."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

    def explain(self, error: BaseException) -> str:
        """SQLite's message, which names columns and never values, and what to do."""
        text, code = str(error), getattr(error, "sqlite_errorcode", 0) & 0xFF
        cure = OTHER_TABLES if "no such" in text or "has no column" in text else CURES.get(code)
        return f"{text}; {cure}" if cure else text

    def damage(self, connection: sa.Connection) -> Iterator[str]:
        """What SQLite's own checks of pages, indexes and foreign keys find."""
        return sqlite_file.damage(connection)

    def back_up(self, engine: sa.Engine, file: Path) -> None:
        """Copy one state through SQLite's online backup."""
        sqlite_file.back_up(engine, file)

    def read_large(
        self,
        engine: sa.Engine,
        statements: Sequence[sa.Select[Any]],
        schema: pa.Schema,
        batch_rows: int,
        has: Callable[[int], bool],
    ) -> Iterator[pa.RecordBatch] | None:
        """Through ADBC in another process."""
        path = str(engine.url.database)
        if path.startswith("file:") or not has(sqlite_reader.worthwhile_rows()):
            return None
        compiled = [
            statement.compile(engine, compile_kwargs={"render_postcompile": True}) for statement in statements
        ]
        questions = [(str(each), [each.params[name] for name in each.positiontup or ()]) for each in compiled]
        return sqlite_reader.read(path, questions, schema, batch_rows)

    @contextmanager
    def stage(self, rows: Rows) -> Iterator[Iterable[pa.RecordBatch]]:
        """Many rows as a SQLite file, so that the transaction is one INSERT .. SELECT."""
        staged: StagedFile | None = None
        try:
            if rows.rows >= IMAGE_ROWS:
                with suppress(UnfitError):
                    staged = _image(rows)
            yield staged or rows
        finally:
            if staged is not None:
                staged.path.unlink(missing_ok=True)

    def insert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
        """Insert rows inside the caller's transaction."""
        self._insert(connection, table, batches, "")

    def upsert(self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> None:
        """Insert rows, or replace those with the same primary key, inside the caller's transaction."""
        quote = connection.dialect.identifier_preparer.quote
        keys = [quote(column.name) for column in table.primary_key]
        others = [quote(column.name) for column in table.columns if not column.primary_key]
        action = (
            f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "NOTHING"
        )
        self._insert(connection, table, batches, f" ON CONFLICT ({', '.join(keys)}) DO {action}")

    def _insert(
        self, connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch], conflict: str
    ) -> None:
        quote = connection.dialect.identifier_preparer
        if table.indexes:
            connection.exec_driver_sql(f"PRAGMA main.cache_size=-{INDEX_CACHE_KIB}")
        if isinstance(batches, StagedFile) and (source := _attached(connection, batches)):
            names = ", ".join(quote.quote(name) for name in batches.rows.schema.names)
            chosen = f"SELECT {', '.join(batches.expressions)} FROM {source}.{TABLE} WHERE true"
            connection.exec_driver_sql(
                f"INSERT INTO main.{quote.format_table(table)} ({names}) {chosen}{conflict}",
                batches.constants,
            )
            return
        for batch in batches:
            names = ", ".join(quote.quote(name) for name in batch.schema.names)
            columns = [_values(column) for column in batch.columns]
            if all(isinstance(values, _Repeated) for values in columns):
                columns[0] = columns[0] * batch.num_rows  # equal rows are still rows
            repeated = [isinstance(values, _Repeated) for values in columns]
            constants = tuple(values[0] for values, once in zip(columns, repeated, strict=True) if once)
            varying = [values for values, once in zip(columns, repeated, strict=True) if not once]
            flat: list[Any] = [None] * (batch.num_rows * len(varying))
            for position, values in enumerate(varying):
                flat[position :: len(varying)] = values
            done = 0
            for rows in (_rows_per_statement(len(constants), len(varying)), 1):
                step, end = rows * len(varying), batch.num_rows - (batch.num_rows - done) % rows
                parameters = [
                    constants + tuple(flat[start : start + step])
                    for start in range(done * len(varying), end * len(varying), step)
                ]
                if parameters:
                    marks = _placeholders(repeated, rows)
                    sql = f"INSERT INTO {quote.format_table(table)} ({names}) VALUES {marks}{conflict}"
                    connection.exec_driver_sql(sql, parameters)
                done = end


def _image(rows: Rows) -> StagedFile:
    """Columns that do not vary are not written but bound to the statement."""
    names = [name for name in rows.schema.names if name not in rows.constants]
    if not names:
        raise UnfitError("equal rows")
    try:
        with tempfile.NamedTemporaryFile(prefix="al-rows-", suffix=".db", delete=False) as stream:
            path = Path(stream.name)
            try:
                image = Image(stream, pa.schema([rows.schema.field(name) for name in names]))
                for batch in rows:
                    image.add(batch.select(names))
                image.finish()
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise StorageError(
            f"rows cannot wait in {tempfile.gettempdir()}: {error.strerror or error}; free space there or set TMPDIR"
        ) from error
    expressions = dict(zip(names, image.expressions, strict=True))
    bound = [_python(pa.array([value]))[0] for value in rows.constants.values()]
    marks = {name: f"?{position}" for position, name in enumerate(rows.constants, 1)}
    chosen = [expressions.get(name) or marks[name] for name in rows.schema.names]
    return StagedFile(path, chosen, tuple(bound), rows)


def _attached(connection: sa.Connection, staged: StagedFile) -> str | None:
    """Name under which the file is open in this transaction; None where it is used up or none more can be opened."""
    names: list[str] = connection.connection.info.setdefault("al_attached", [])
    if len(names) == ATTACHED or not staged.path.exists():
        return None
    name = f"staged_{len(names)}"
    connection.exec_driver_sql(f"ATTACH ? AS {name}", (str(staged.path),))
    names.append(name)
    # Open but without a name: a killed process leaves nothing behind.
    with suppress(OSError):
        staged.path.unlink()
    return name


def _rows_per_statement(constants: int, varying: int) -> int:
    return max(1, min(ROWS_PER_STATEMENT, (PARAMETERS - constants) // varying))


def _placeholders(repeated: list[bool], rows: int) -> str:
    """Two rows whose first and last columns repeat are `(?1, ?3, ?2), (?1, ?4, ?2)`: what repeats is bound once."""
    shared, single = itertools.count(1), itertools.count(sum(repeated) + 1)
    fixed = [f"?{next(shared)}" if once else "" for once in repeated]
    return ", ".join(f"({', '.join(mark or f'?{next(single)}' for mark in fixed)})" for _ in range(rows))


class _Repeated(list[Any]):
    """The one value of all rows: a slice repeats its version or video in every row, and boxes are often absent."""


def _values(column: pa.Array) -> list[Any]:
    """Python values of a column as the driver binds them, by way of numpy where that is faster than Arrow."""
    kind = column.type
    if len(column) == 1:
        return _python(column)  # so that every statement has a value of its own
    if column.null_count == len(column):
        return _Repeated([None])
    if column.null_count:
        return _python(column)
    if pa.types.is_string(kind):
        encoded = column.dictionary_encode()
        words = encoded.dictionary.to_pylist()
        if len(words) == 1:
            return _Repeated(words)
        # Ids repeat: one Python string for all rows that share it.
        return [words[position] for position in encoded.indices.to_numpy().tolist()]
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = column.to_numpy()
        return _Repeated([numbers[0].item()]) if (numbers == numbers[0]).all() else numbers.tolist()
    return _python(column)


def _python(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        # The form in which SQLAlchemy stores DateTime on SQLite; Arrow adds the microseconds to %S.
        column = pc.strftime(column, "%Y-%m-%d %H:%M:%S")
    if column.null_count and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        values: list[Any] = pc.fill_null(column, 0).to_numpy().tolist()
        for position in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)):
            values[position] = None
        return values
    return list(column.to_pylist())

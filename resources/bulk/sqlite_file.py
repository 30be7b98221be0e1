"""A SQLite database as a file: checking it and copying it while others write. No tables, no rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from resources.errors import DatabaseError

FINDINGS = 100
"""Most faults that a check names; beyond them the file is to be restored, not read about."""


def damage(connection: sa.Connection) -> Iterator[str]:
    """Faults in pages and indexes, and rows that break a foreign key, one line each."""
    for (line,) in connection.exec_driver_sql(f"PRAGMA integrity_check({FINDINGS})"):
        if line != "ok":
            yield str(line)
    for table, _row, parent, _number in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"a row of {table} names a row of {parent} that is not there"


def back_up(engine: sa.Engine, file: Path) -> None:
    """Copy one state of the database into an empty file and check the copy.

    All pages in one step: a copy in several steps begins anew whenever another connection writes, which on a busy
    archive never ends (sqlite.org/backup.html). Writers go on meanwhile, in the write-ahead log.
    Raises DatabaseError; the file is then of no use.
    """
    try:
        with closing(sqlite3.connect(file)) as copy:
            with engine.connect() as connection:
                source = connection.connection.driver_connection
                assert isinstance(source, sqlite3.Connection)
                source.backup(copy, pages=-1)
            # One file and no log beside it, so that it can be moved as it is.
            copy.execute("PRAGMA journal_mode=DELETE")
            (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise DatabaseError(f"the database cannot be copied: {error}") from None
    if found != "ok":
        raise DatabaseError(f"the database is damaged ({found}); `al archive verify` says more")

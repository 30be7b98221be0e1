"""A SQLite database as a file: its log, checking it, and copying it while others write. No tables, no rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
import tenacity

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


@tenacity.retry(
    retry=tenacity.retry_if_exception(
        lambda error: getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    ),
    wait=tenacity.wait_random(0.01, 0.1),
    stop=tenacity.stop_after_delay(10),
    reraise=True,
)
def to_wal(driver: sqlite3.Connection) -> None:
    """Switch a new file over. Two processes that do so at once are refused without the usual wait."""
    if driver.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        driver.execute("PRAGMA journal_mode=WAL")

"""Faults of PostgreSQL that pass: a write is tried again from the spool and made once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.errors import BusyDatabaseError
from resources.slice_writer import SliceWriter
from resources.slices import Slice, Update
from support.archive_rows import ArchiveRows
from support.rows import NOW, count, frames

RECORD = "INSERT INTO materializations"


def at_first(
    database: Database, statement: str, act: Callable[[int], object], moment: str = "before_cursor_execute"
) -> list[str]:
    """Act, once, when the statement is to be sent, given the server's process; lists every time it was sent."""
    seen: list[str] = []

    @sa.event.listens_for(database.engine, moment)
    def look(connection: sa.Connection, _cursor: Any, text: str, *_: Any) -> None:
        if text.startswith(statement):
            seen.append(text)
            if len(seen) == 1:
                act(connection.connection.driver_connection.info.backend_pid)

    return seen


@pytest.fixture
def other(postgresql_database: Database) -> ArchiveRows:
    """Somebody else at the same database, with two videos in it."""
    url = sa.make_url(postgresql_database.url).update_query_dict({"application_name": "other"})
    rows = ArchiveRows(Database(url=url.render_as_string(hide_password=False)))
    for number in (1, 2):
        rows.video(number)
    return rows


def execute(rows: ArchiveRows, *statements: str) -> None:
    with rows.database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def write(database: Database) -> None:
    """Replace the slice of v1, and note something in the rows of both videos."""
    notes = [Update("videos", {"video_id": f"v{number}"}, {"codec": "h264"}) for number in (1, 2)]
    part = Slice({"video_id": "v1"}, {"frames": frames(1, 500, video_id="v1")}, updates=notes)
    SliceWriter(database).write("frames", part, now=NOW)
    assert count(database, "frames") == 500
    assert count(database, "videos", codec="h264") == 2
    assert count(database, "materializations") == 1


@pytest.mark.parametrize("statement", ["DELETE FROM frames", RECORD])
def test_a_write_outlives_a_crash_of_the_server(
    postgresql_database: Database, other: ArchiveRows, statement: str
) -> None:
    # A backend that dies makes the server end all others, recover from its log and start again.
    tries = at_first(postgresql_database, statement, lambda pid: os.kill(pid, signal.SIGKILL))
    write(postgresql_database)
    assert len(tries) == 2


def test_a_write_outlives_being_disconnected_by_an_administrator(
    postgresql_database: Database, other: ArchiveRows
) -> None:
    tries = at_first(
        postgresql_database, RECORD, lambda pid: execute(other, f"SELECT pg_terminate_backend({pid}, 5000)")
    )
    write(postgresql_database)
    assert len(tries) == 2


def test_a_write_that_lost_a_deadlock_is_made_again(
    postgresql_database: Database, other: ArchiveRows
) -> None:
    holder = other.database.engine.connect()
    holder.exec_driver_sql("SET deadlock_timeout = '1min'")  # the writer is to be the victim
    holder.exec_driver_sql("UPDATE videos SET site = 'a' WHERE video_id = 'v2'")

    def cross() -> None:
        holder.exec_driver_sql("UPDATE videos SET site = 'a' WHERE video_id = 'v1'")
        holder.commit()
        holder.close()

    with ThreadPoolExecutor(1) as pool:
        # The writer has v1 by then, and is about to wait for v2.
        tries = at_first(
            postgresql_database, "UPDATE videos", lambda _: pool.submit(cross), "after_cursor_execute"
        )
        write(postgresql_database)
    assert len(tries) == 3
    assert count(postgresql_database, "videos", site="a") == 2


def test_a_write_that_cannot_be_serialized_is_made_again(
    postgresql_database: Database, other: ArchiveRows
) -> None:
    name = sa.make_url(postgresql_database.url).database
    execute(other, f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    tries = at_first(
        postgresql_database, "UPDATE videos", lambda _: execute(other, "UPDATE videos SET site = 'a'")
    )
    write(postgresql_database)
    assert len(tries) == 3
    assert count(postgresql_database, "videos", site="a") == 2


def test_a_server_with_no_connection_to_spare_is_busy(
    postgresql_database: Database, other: ArchiveRows
) -> None:
    execute(other, "CREATE ROLE guest LOGIN PASSWORD 'guest' CONNECTION LIMIT 1")
    url = sa.make_url(postgresql_database.url).set(username="guest", password="guest")
    first, second = (
        Database(url=url.update_query_dict({"application_name": n}).render_as_string(hide_password=False))
        for n in ("first", "second")
    )
    with first.read(), pytest.raises(BusyDatabaseError, match="too many connections"), second.read():
        pytest.fail("signed in all the same")
    first.close()
    second.retry(lambda: second.fetch(sa.text("SELECT 1 AS one")))
    second.close()
    execute(other, "DROP ROLE guest")

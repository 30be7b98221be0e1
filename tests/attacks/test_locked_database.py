"""SQLite has one writer: others wait for it, and when it stays too long they say so and what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from resources.database import Database
from resources.errors import BusyDatabaseError
from resources.slice_writer import SliceWriter
from support.fork_server import fork_server, say
from support.rows import NOW, count, frames, video_slice


def hold(url: str) -> None:
    """Hold the writer's lock until killed."""
    with Database(url=url).write():
        say("held")
        threading.Event().wait()


@contextmanager
def holder(database: Database) -> Iterator[threading.Event]:
    """Another process that holds the lock until the event, or to the end."""
    release = threading.Event()
    with fork_server("attacks.test_locked_database", "hold") as server:
        pid = server.start(database.url)
        assert server.first_line() == "held"

        def end() -> None:
            release.wait()
            server.kill(pid)

        killer = threading.Thread(target=end)
        killer.start()
        yield release
        release.set()
        killer.join()


def test_a_write_waits_for_another_process_and_is_made(sqlite_database: Database) -> None:
    with holder(sqlite_database) as release:
        threading.Timer(0.5, release.set).start()
        SliceWriter(sqlite_database).write("frames", video_slice(frames(1, 3)), now=NOW)
    assert count(sqlite_database, "frames") == 3


def test_a_write_that_waited_in_vain_says_what_to_do(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.database.ATTEMPTS", 2)
    hasty = Database(url=f"{sqlite_database.url}?timeout=0.05")
    SliceWriter(sqlite_database).write("frames", video_slice(frames(1, 3)), now=NOW)
    with holder(sqlite_database):
        assert count(sqlite_database, "frames") == 3  # readers do not wait
        with pytest.raises(
            BusyDatabaseError,
            match=r"^writing frames \(frame_id .*\): database is locked; .* see which runs .* \?timeout=SECONDS in",
        ):
            SliceWriter(hasty).write("frames", video_slice(frames(1, 5)), now=NOW)
    assert count(sqlite_database, "frames") == 3
    SliceWriter(hasty).write("frames", video_slice(frames(1, 5)), now=NOW)
    assert count(sqlite_database, "frames") == 5
    hasty.close()

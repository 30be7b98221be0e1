"""Writers that die by kill -9 leave the old slice or the new one, whole, and no lock behind."""

from __future__ import annotations

import random
import time

import sqlalchemy as sa

from resources.database import Database
from resources.tables import materializations
from support.archive_rows import ArchiveRows
from support.fork_server import fork_server
from support.rows import count
from support.versioned_slice import standing_version, wait_for_writers, write_version

KILLS = 100
SEED = 20260301


def test_a_hundred_kills_leave_the_old_slice_or_the_new_one(database: Database) -> None:
    ArchiveRows(database).video(1, video_id="clip-1")
    standing, unfinished = 3, 0
    began = time.monotonic()
    for version in range(1, standing + 1):
        write_version(database, version)
    # So that kills fall into every phase of a rewrite, and into the second one too.
    longest = (time.monotonic() - began) / 2
    moments = random.Random(SEED)
    with fork_server("support.versioned_slice", "rewrite_for_ever") as server:
        for _ in range(KILLS):
            pid = server.start(database.url, str(standing + 1))
            assert server.first_line() == f"begin {standing + 1}"
            time.sleep(moments.uniform(0, longest))
            lines = server.kill(pid)
            word, number = lines[-1].split(" ", 1)
            assert word in ("begin", "end"), number
            if moments.random() < 0.5:
                database.close()  # nobody has the file open now: the next one must recover it
            wait_for_writers(database)
            standing, record = standing_version(database)
            assert record.run_id == f"run-{standing}"
            # What was said to be committed stands; what was begun may.
            assert standing in ((int(number) - 1, int(number)) if word == "begin" else (int(number),))
            unfinished += standing == int(number) - 1
    assert unfinished > KILLS // 4
    assert_hashes_come_again(database, standing)


def test_a_kill_between_any_two_statements_leaves_the_old_slice_or_the_new_one(database: Database) -> None:
    ArchiveRows(database).video(1, video_id="clip-1")
    write_version(database, 1)
    left = []
    with fork_server("support.versioned_slice", "die_at") as server:
        for event in range(1, 200):
            server.start(database.url, str(event + 1), str(event))
            if server.end() == ["survived"]:
                break
            wait_for_writers(database)
            version, record = standing_version(database)
            assert record.run_id == f"run-{version}"
            left.append(version == event + 1)
            if not left[-1]:
                write_version(database, event + 1)
    assert len(left) > 10
    assert left == sorted(left), "a slice stood before its transaction was committed"


def assert_hashes_come_again(database: Database, newest: int) -> None:
    query = sa.select(materializations.c.run_id, materializations.c.content_hash)
    with database.read() as connection:
        hashes = {run: content_hash for run, content_hash in connection.execute(query)}
    assert set(hashes) == {f"run-{version}" for version in range(1, newest + 1)}
    assert count(database, "materializations") == newest
    for version in (1, newest // 2, newest):
        assert write_version(database, version) == hashes[f"run-{version}"]

"""A process that dies in the middle of a write leaves the previous slice, and no lock behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from resources.database import Database
from resources.slice_writer import SliceWriter
from support.rows import NOW, count, frames, video_slice

# Replaces the slice by many rows, and says so when the old rows are deleted and half of the new ones are in.
WRITER = """
import sys, time
import sqlalchemy as sa
from resources.database import Database
from resources.slice_writer import SliceWriter
from support.rows import NOW, frames, video_slice

database = Database(url=sys.argv[1])
inserts = 0

@sa.event.listens_for(database.engine, "before_cursor_execute")
def pause(connection, cursor, statement, parameters, context, executemany):
    global inserts
    inserts += statement.startswith("INSERT INTO frames")
    if inserts == 2 or statement.startswith("INSERT INTO materializations"):  # COPY shows no statement
        print("half-way", flush=True)
        time.sleep(60)

SliceWriter(database).write("frames", video_slice(frames(n=20_000)), now=NOW)
"""


def test_a_writer_killed_half_way_leaves_the_previous_slice(database: Database) -> None:
    SliceWriter(database).write("frames", video_slice(frames(n=3)), now=NOW)
    tests = Path(__file__).parents[1]
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, database.url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}"},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "half-way\n"
    assert count(database, "frames") == 3
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert count(database, "frames") == 3
    SliceWriter(database).write("frames", video_slice(frames(n=5)), now=NOW)
    assert count(database, "frames") == 5

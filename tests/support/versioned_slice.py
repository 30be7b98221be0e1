"""A slice of two tables and an update whose every row tells which version wrote it, so that a mix would show.

No test here: `rewrite_for_ever` runs in processes that are to be killed, `standing_version` looks what they left.
"""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources import bulk
from resources.database import Database
from resources.slice_locks import locks
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, Slice, Update
from resources.tables import metadata
from support.fork_server import say
from support.rows import NOW, frames

ASSET = "frames"


def rows_of(version: int) -> int:
    """1,500 to 2,999: on both sides of what SQLite writes row by row."""
    return 1_500 + version * 389 % 1_500


def version_slice(version: int, video_no: int = 1) -> Slice:
    """Version 1, 2, ... of a video's slice: frames, their vectors, and a number in the video's row."""
    rows = frames(video_no, rows_of(version), brightness=float(version))
    vectors = {
        "embedder_id": ["e1"] * len(rows),
        "frame_id": rows["frame_id"].to_numpy(),
        "vector": pa.array([vector_of(version)] * len(rows), pa.binary()),
    }
    return Slice(
        where={"frame_id": KeyRange(*frame_range(video_no))},
        rows={"frames": rows, "embeddings": pa.table(vectors)},
        updates=[Update("videos", {"video_id": f"clip-{video_no}"}, {"size_bytes": version})],
        name=f"video_id = clip-{video_no}",
    )


def vector_of(version: int) -> bytes:
    """The vector of every frame of a version."""
    return np.full(64, version, "<f4").tobytes()


def write_version(database: Database, version: int) -> str:
    """Replace the slice; returns its content hash."""
    written = SliceWriter(database).write(ASSET, version_slice(version), run_id=f"run-{version}", now=NOW)
    return written.content_hash


def rewrite_for_ever(url: str, version: str) -> None:
    """Replace the slice by one version after another, saying when each begins and when it is committed."""
    database = Database(url=url)
    number = int(version)
    with database.read():
        pass  # the connection is made before the clock runs
    while True:
        say(f"begin {number}")
        write_version(database, number)
        say(f"end {number}")
        number += 1


def die_at(url: str, version: str, event: str) -> None:
    """Replace the slice and kill this process at the numbered thing that its connection does; say so otherwise."""
    database = Database(url=url)
    left = int(event)

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "after_cursor_execute", "commit", "checkin"):
        sa.event.listen(database.engine, name, count)
    write_version(database, int(version))
    say("survived")


def wait_for_writers(database: Database) -> None:
    """Wait until the server has noticed that its client is dead: whoever gets the writers' lock is alone."""
    with database.write() as connection:
        for lock in locks(version_slice(1).where, [metadata.tables["frames"]]):
            bulk.dialect(database.dialect_name).lock(connection, lock.name, shared=lock.shared)


def standing_version(database: Database, video_no: int = 1) -> tuple[int, sa.Row[Any]]:
    """The version that stands, and its record; fails unless it stands whole, in every table and on record."""
    videos, materializations = metadata.tables["videos"], metadata.tables["materializations"]
    version_of = sa.select(videos.c.size_bytes).where(videos.c.video_no == video_no)
    newest = (
        sa.select(materializations)
        .where(materializations.c.slice == version_slice(1, video_no).name)
        .order_by(materializations.c.materialization_id.desc())
        .limit(1)
    )
    with database.read() as connection:
        version = connection.execute(version_of).scalar_one()
        rows = rows_of(version)
        for table, column, value in (
            ("frames", "brightness", float(version)),
            ("embeddings", "vector", vector_of(version)),
        ):
            standing = metadata.tables[table].c
            counted = sa.select(standing[column], sa.func.count()).group_by(standing[column])
            own = counted.where(standing.frame_id.between(*frame_range(video_no)))
            assert connection.execute(own).all() == [(value, rows)], f"{table} are not of version {version}"
        record = connection.execute(newest).one()
        assert record.rows == 2 * rows
    return version, record

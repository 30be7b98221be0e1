"""Several writers at once all succeed, and readers see the old slice until the new one is committed."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import repeat

import pandas as pd
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.database import Database
from resources.slice_writer import SliceWriter
from resources.slices import KeyList, KeyRange, KeyRanges, Slice
from resources.tables import frames as frames_table
from support.archive_rows import ArchiveRows
from support.rows import NOW, count, frames, video_slice
from support.versioned_slice import standing_version, write_version

WRITERS = 4
REWRITES = 5


def rewrite(url: str, video_no: int) -> None:
    """Replace one slice several times, as a worker would."""
    writer = SliceWriter(Database(url=url))
    for n in range(1, REWRITES + 1):
        writer.write("frames", video_slice(frames(video_no, 500 + n), video_no), now=NOW)


def test_threads_that_write_different_slices_all_succeed(database: Database) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(rewrite, repeat(database.url), range(1, WRITERS + 1)))
    assert count(database, "frames") == WRITERS * (500 + REWRITES)


def write_versions(url: str, versions: range) -> None:
    """Replace the same slice by one version after another."""
    for version in versions:
        write_version(Database(url=url), version)


def test_processes_that_write_the_same_slice_end_as_one_of_them_and_never_a_mix(database: Database) -> None:
    # Two that delete at once and then both insert would collide on the key.
    ArchiveRows(database).video(1, video_id="clip-1")
    write_version(database, 1)
    seen = []
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        writers = [pool.submit(write_versions, database.url, range(first, 32, 2)) for first in (2, 3)]
        while not all(writer.done() for writer in writers):
            seen.append(standing_version(database)[0])
        for writer in writers:
            writer.result()
    assert len(set(seen)) > 2
    assert standing_version(database)[0] in (30, 31)
    assert count(database, "materializations") == 31


OVERLAPPING = {
    "a video": ({"frame_id": KeyRange(*frame_range(1))}, (1,)),
    "two videos": ({"frame_id": KeyRanges((KeyRange(*frame_range(1)), KeyRange(*frame_range(2))))}, (1, 2)),
    "two by name": ({"video_id": KeyList(("clip-1", "clip-2"))}, (1, 2)),
    "the table": ({}, (1, 2)),
}


def rewrite_overlapping(url: str, writer: int) -> None:
    """Replace what one of OVERLAPPING says, several times, by rows with keys and a brightness of the writer's own."""
    name, (where, videos) = list(OVERLAPPING.items())[writer]
    rows = pd.concat([frames(number, 300, brightness=writer / 10) for number in videos])
    # Keys of two writers do not collide, so that nothing but the locks keeps them apart.
    apart = rows["frame_index"] * len(OVERLAPPING) + writer
    rows = rows.assign(frame_id=rows["frame_id"] - rows["frame_index"] + apart, frame_index=apart)
    for _ in range(REWRITES):
        SliceWriter(Database(url=url)).write("frames", Slice(where, {"frames": rows}, name=name), now=NOW)


def test_slices_that_overlap_under_different_names_never_mix(database: Database) -> None:
    standing = sa.select(
        frames_table.c.video_id,
        sa.func.count(sa.distinct(frames_table.c.brightness)),
        sa.func.count(),
    ).group_by(frames_table.c.video_id)
    seen = set()
    with ThreadPoolExecutor(len(OVERLAPPING)) as pool:
        running = [
            pool.submit(rewrite_overlapping, database.url, writer) for writer in range(len(OVERLAPPING))
        ]
        while not all(writer.done() for writer in running):
            with database.read() as connection:
                seen |= {tuple(row) for row in connection.execute(standing)}
        for writer in running:
            writer.result()
    assert seen == {("clip-1", 1, 300), ("clip-2", 1, 300)}


def test_a_reader_sees_the_old_slice_until_the_commit(database: Database) -> None:
    writer = SliceWriter(database)
    writer.write("frames", video_slice(frames(n=3)), now=NOW)
    with database.write() as connection:
        connection.execute(sa.delete(frames_table))
        assert count(database, "frames") == 3
    assert count(database, "frames") == 0


def test_a_long_read_sees_one_state_while_others_write(database: Database) -> None:
    writer = SliceWriter(database)
    writer.write("frames", video_slice(frames(n=2_000)), now=NOW)
    stream = database.stream(sa.select(frames_table.c.frame_id, frames_table.c.brightness), batch_rows=100)
    first = next(stream)
    writer.write("frames", video_slice(frames(n=50, brightness=0.9)), now=NOW)
    rest = list(stream)
    assert first.num_rows + sum(batch.num_rows for batch in rest) == 2_000
    assert {value for batch in rest for value in batch["brightness"].to_pylist()} == {0.5}


def test_the_producer_runs_while_others_write(sqlite_database: Database) -> None:
    # SQLite has one writer: nobody may hold it while a video decodes.
    writer = SliceWriter(sqlite_database)
    others = threading.Event()

    def slow():  # type: ignore[no-untyped-def]
        yield frames(1, 1)
        writer.write("frames", video_slice(frames(2, 5), 2), now=NOW)
        others.set()

    writer.write("frames", video_slice(slow()), now=NOW)
    assert others.is_set()
    assert count(sqlite_database, "frames") == 6

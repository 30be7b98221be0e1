"""A long video is committed in parts, and a run that was killed in the middle is gone on with. Real runs of Dagster."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice

import numpy as np
import pyarrow as pa
import pytest

from al_assets import frame_slices
from al_assets.findings import Finding
from al_assets.frames import indexing, seeking
from al_assets.frames.video_reader import VideoReader
from al_assets.settings import parse_settings
from al_assets.verification_rows import check_rows
from resources.errors import DatabaseError
from resources.queries.verification import open_rows
from resources.slice_writer import SliceWriter
from resources.slices import Slice
from support.clips import render
from support.frame_runs import Runs

N = 120


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "SPACING", 15)
    monkeypatch.setattr(indexing, "PART_ROWS", 10)


@pytest.fixture
def runs(runs: Runs) -> Runs:
    """An archive with one long video."""
    runs.settings = parse_settings({"frames": {"frames_per_second": 20}})
    ground = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    pictures = [np.roll(ground, (at // 8 * 5, at // 8 * 6), axis=(0, 1)) for at in range(N)]
    (runs.root / "videos").mkdir(exist_ok=True)
    render(runs.root / "videos/long.mkv", pictures, gop=12, b_frames=2)
    runs.touch("videos/long.mkv")
    runs.look()
    return runs


def table(runs: Runs) -> pa.Table:
    return runs.archive.frames.of_video(1)


def write_some(runs: Runs, slices: int | None) -> list[str]:
    """Write so many slices of the video as a run does, and no more; their names. None: all."""
    archive, settings = runs.archive, runs.settings.frames
    made = frame_slices.frame_slices(archive, settings, runs.video("long.mkv"), logging.getLogger(__name__))
    writer = SliceWriter(archive.database)
    with closing(made):  # type: ignore[type-var]
        return [
            writer.write("frames", part, run_id="stopped", now=datetime.now(UTC)).name
            for part in islice(made, slices)
        ]


def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Indices of the frames that are decoded from now on."""
    found: list[int] = []
    begin = VideoReader.__iter__

    def counting(self: VideoReader) -> Iterator[object]:
        for raw in begin(self):
            found.append(raw.frame_index)
            yield raw

    monkeypatch.setattr(VideoReader, "__iter__", counting)
    return found


def test_a_long_video_is_written_in_parts_that_say_nothing_before_the_last(runs: Runs) -> None:
    names = write_some(runs, 5)
    assert [name.split(", ")[-1] for name in names] == [
        *("from frame 0", "from frame 0", "from frame 28", "from frame 28", "from frame 52")
    ]
    assert runs.frames("long.mkv")[-1] == 75
    assert runs.state("long.mkv") == ("registered", None)
    assert runs.archive.videos.lacking_frames(20) == [runs.video("long.mkv").video_id]
    runs.index()
    assert runs.state("long.mkv") == ("indexed", None)
    assert len(runs.frames("long.mkv")) == N * 20 // 25
    assert list(check(runs)) == []


def check(runs: Runs) -> Iterator[Finding]:
    with open_rows(runs.archive.database) as state:
        yield from check_rows(state, deep=True)


def test_rows_lost_from_a_part_are_found(runs: Runs) -> None:
    write_some(runs, None)
    with runs.archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE frames SET brightness = 0.5 WHERE frame_index BETWEEN 60 AND 61")
    (finding,) = check(runs)
    assert "are not those that were written" in finding.what
    with runs.archive.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM frames WHERE frame_index BETWEEN 60 AND 61")
    (finding,) = check(runs)
    assert "frames in SQL, its last write had 96" in finding.what


def test_the_second_run_decodes_only_the_rest_and_gives_the_same_rows(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_some(runs, 5)  # the third part is stored, the point at its end is not
    seen = decoded(monkeypatch)
    runs.index()
    assert seen == list(range(52, N))
    undisturbed = indexing.index_video(
        str(runs.root / "videos/long.mkv"),
        video_no=1,
        video_id=runs.video("long.mkv").video_id,
        frames_per_second=20,
        duplicate_distance=runs.settings.frames.duplicate_distance,
    )
    assert table(runs).equals(pa.Table.from_batches(undisturbed.batches()).cast(table(runs).schema))


def test_a_fault_behind_parts_that_were_committed_has_the_video_read_from_its_first_frame(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_some(runs, 4)
    begin = VideoReader.__iter__

    def faulty(self: VideoReader) -> Iterator[object]:
        for raw in begin(self):
            if self._start is not None and raw.frame_index == 110:
                raise seeking.SeekRefusedError("a frame is damaged")
            yield raw

    monkeypatch.setattr(VideoReader, "__iter__", faulty)
    told = [name.split(", ")[-1] for name in write_some(runs, None)]
    assert told[0] == "from frame 52"
    assert "from frame 0" in told
    assert runs.state("long.mkv") == ("indexed", None)
    assert len(runs.frames("long.mkv")) == N * 20 // 25
    assert list(check(runs)) == []


def test_other_settings_begin_again_and_leave_no_row_of_before(runs: Runs) -> None:
    write_some(runs, 4)
    runs.settings = parse_settings({"frames": {"frames_per_second": 5}})
    runs.index()
    assert runs.frames("long.mkv") == list(range(0, N, 5))


def test_a_video_that_is_read_keeps_all_rows_until_all_new_ones_are_there(runs: Runs) -> None:
    runs.index()
    runs.settings = parse_settings({"frames": {"frames_per_second": 5}})
    assert write_some(runs, 0) == []
    assert len(runs.frames("long.mkv")) == N * 20 // 25
    (name,) = write_some(runs, 1)
    assert name == f"video_id = {runs.video('long.mkv').video_id}"
    assert runs.frames("long.mkv") == list(range(0, N, 5))


def test_points_go_with_the_video(runs: Runs) -> None:
    runs.index()
    assert runs.archive.frames.points_of(1)
    runs.archive.videos.retire(runs.video("long.mkv").video_id)
    assert runs.archive.frames.points_of(1) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from datetime import UTC, datetime
import logging
from al_assets import frame_slices
from al_assets.frames import indexing, seeking
from al_assets.settings import parse_settings
from resources.archive import Archive
from resources.database import Database
from resources.slice_writer import SliceWriter
from resources.storage import Storage
seeking.SPACING, indexing.PART_ROWS = 15, 10
archive = Archive(database=Database(url=sys.argv[1]), storage=Storage(url=sys.argv[2]))
(video,) = archive.videos.all()
settings = parse_settings({"frames": {"frames_per_second": 20}}).frames
writer = SliceWriter(archive.database)
for number, part in enumerate(frame_slices.frame_slices(archive, settings, video, logging.getLogger())):
    writer.write("frames", part, run_id="killed", now=datetime.now(UTC))
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_parts_from_which_the_next_goes_on(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, database = runs.archive.storage, runs.archive.database
    paths = f"import sys; sys.path[:0] = {sys.path!r}\n"
    ended = subprocess.run([sys.executable, "-c", paths + KILLED, database.url, storage.url], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert runs.state("long.mkv") == ("registered", None)
    seen = decoded(monkeypatch)
    runs.index()
    assert seen[0] >= 40
    assert seen[-1] == N - 1
    resumed = table(runs)
    with runs.archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE videos SET status = 'registered', frames_version = NULL")
        connection.exec_driver_sql("DELETE FROM decoding_points")
    runs.index()
    assert seen.count(0) == 1
    assert table(runs).equals(resumed)


def test_of_two_runs_that_read_a_long_video_at_once_one_is_refused(runs: Runs) -> None:
    writer = SliceWriter(runs.archive.database)

    def passes() -> Iterator[Slice]:
        video, settings = runs.video("long.mkv"), runs.settings.frames
        return frame_slices.frame_slices(runs.archive, settings, video, logging.getLogger(__name__))

    def write(part: Slice) -> None:
        writer.write("frames", part, now=datetime.now(UTC))

    one, other = passes(), passes()
    late = next(other)
    for part in islice(one, 4):
        write(part)
    stands = table(runs)
    with pytest.raises(DatabaseError, match="0 rows"):
        write(late)
    assert table(runs) == stands
    for part in one:
        write(part)
    assert runs.video("long.mkv").status == "indexed"
    assert len(table(runs)) == N * 20 // 25
    assert list(passes()) != []


def test_a_video_that_another_run_has_read_meanwhile_is_left_alone(runs: Runs) -> None:
    waiting = frame_slices.frame_slices(
        runs.archive, runs.settings.frames, runs.video("long.mkv"), logging.getLogger(__name__)
    )
    write_some(runs, None)
    assert list(waiting) == []

"""Runs at the same time under Dagster's multiprocess executor, every step in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from resources.database import Database
from support.archive_rows import ArchiveRows
from support.parallel_job import VERSIONS, execute
from support.rows import count
from support.versioned_slice import standing_version


@pytest.fixture
def home(tmp_path: Path) -> str:
    """Folder of a persistent instance, as processes share it."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    # Dagster makes the files of a new home unguarded.
    with dg.DagsterInstance.from_config(str(home)):
        return str(home)


def run_at_once(database: Database, home: str, folder: Path, runs: Sequence[tuple[str, int]]) -> list[str]:
    """Run the job once per partition and first version, all at the same time; returns the run ids."""
    meeting = folder / "meeting"
    meeting.mkdir()
    # A process for each run, as Dagster's launcher has it: two runs in threads of one wait for each other's logs.
    with ProcessPoolExecutor(len(runs), multiprocessing.get_context("spawn")) as pool:
        started = [pool.submit(execute, database.url, home, str(meeting), *run) for run in runs]
        return [run.result() for run in started]


def test_two_runs_that_write_different_videos_both_succeed(
    database: Database, home: str, tmp_path: Path
) -> None:
    rows = ArchiveRows(database)
    for number in (1, 2):
        rows.video(number, video_id=f"clip-{number}")
    ids = run_at_once(database, home, tmp_path, [("clip-1", 1), ("clip-2", 2)])
    for number, run_id in enumerate(ids, 1):
        version, record = standing_version(database, number)
        assert (version, record.run_id) == (2 * VERSIONS - 2 + number, run_id)
    assert count(database, "materializations") == 2 * VERSIONS


def test_two_runs_that_write_the_same_slice_end_as_one_of_them(
    database: Database, home: str, tmp_path: Path
) -> None:
    ArchiveRows(database).video(1, video_id="clip-1")
    ids = run_at_once(database, home, tmp_path, [("clip-1", 1), ("clip-1", 2)])
    version, record = standing_version(database)
    assert (version, record.run_id) in [(2 * VERSIONS - 1, ids[0]), (2 * VERSIONS, ids[1])]
    assert count(database, "materializations") == 2 * VERSIONS

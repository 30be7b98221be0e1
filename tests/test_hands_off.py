"""The loop closes without a click: `al dev` runs, files are dropped, rows appear. A real daemon, no sensor called."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from al_assets.demo.archive import render_archive
from resources.storage import Storage
from support.clips import numbered, render
from support.oracle import drop_answers

PATIENCE_SECONDS = 420
"""For each wait, on a busy machine; a quiet one needs a tenth."""
SETTINGS = """
[frames]
frames_per_second = 0.5
[selection]
batch_size = 20
[drift]
report = false
[sensors]
interval_seconds = 2
"""


class Platform:
    """A running `al dev` and the database it fills."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes], log: Path) -> None:
        self.home, self.process, self.log = home, process, log

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "al.db", timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def one(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            assert self.process.poll() is None, f"al dev stopped: {self.tail()}"
            try:
                if condition():
                    return
            except (sqlite3.OperationalError, IndexError):
                pass  # the tables are not made yet
            time.sleep(1)
        pytest.fail(f"waited {PATIENCE_SECONDS} s for {what}; incidents: {self.incidents()}\n{self.tail()}")

    def incidents(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT job, step, cause FROM incidents")

    def tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "al.toml").write_text(SETTINGS, encoding="utf-8")
    log = tmp_path / "dev.log"
    command = [sys.executable, "-m", "al_assets.cli", "dev", "--port", str(free_port())]
    environment = {**os.environ, "AL_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, env=environment, stdout=stream, stderr=stream, start_new_session=True, cwd=Path.cwd()
        )
        try:
            yield Platform(home, process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_dropped_videos_and_exports_close_the_loop_without_a_click(
    platform: Platform, tmp_path: Path
) -> None:
    storage = platform.home / "storage"
    archive = render_archive(tmp_path / "clips", seed=8, clips=10)
    platform.wait("the folders", lambda: (storage / "label_exports").is_dir())
    for clip in sorted((tmp_path / "clips").iterdir()):
        clip.rename(storage / "videos" / clip.name)

    platform.wait(
        "the first batch and its tasks",
        lambda: bool(platform.one("SELECT tasks_uri FROM selection_batches WHERE batch_id = 1")),
    )
    assert platform.one("SELECT COUNT(*) FROM videos WHERE status = 'indexed'") == 13
    assert platform.one("SELECT COUNT(*) FROM embeddings") == platform.one("SELECT COUNT(*) FROM frames") > 90

    paths = dict(platform.rows("SELECT video_id, path FROM videos"))
    answers = drop_answers(Storage(url=str(storage)), archive.truth, paths, "first.json")
    platform.wait(
        "a second batch with its tasks",
        lambda: bool(platform.one("SELECT tasks_uri FROM selection_batches WHERE batch_id = 2")),
    )
    assert platform.one("SELECT imported FROM label_exports") == answers == 20
    assert platform.one("SELECT promoted FROM promotions") == 1
    serving = platform.one("SELECT checkpoint_id FROM serving")
    scored = f"SELECT COUNT(*) FROM frame_scores WHERE checkpoint_id = '{serving}'"
    assert platform.one(scored) == platform.one("SELECT COUNT(*) FROM frames")

    render(tmp_path / "late.webm", numbered(60), codec="libvpx-vp9", rate=10)
    (tmp_path / "late.webm").rename(storage / "videos" / "late.webm")
    arrived = "SELECT COUNT(*) FROM videos WHERE path = 'late.webm' AND status = 'indexed' AND codec = 'vp9'"
    platform.wait("a late video in another codec", lambda: platform.one(arrived) == 1)
    late = "SELECT COUNT(*) FROM frames f JOIN videos v ON v.video_id = f.video_id WHERE v.path = 'late.webm'"
    assert platform.one(late) == 3
    platform.wait("its scores", lambda: platform.one(scored) == platform.one("SELECT COUNT(*) FROM frames"))

    drop_answers(Storage(url=str(storage)), archive.truth, paths, "second.json")
    platform.wait("a third batch", lambda: platform.one("SELECT MAX(batch_id) FROM selection_batches") == 3)
    assert platform.one("SELECT COUNT(*) FROM promotions") == 2
    assert platform.incidents() == []

"""`al demo`, small: one round in both arms from the command line, then again."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

COUNTED = ("videos", "frames", "embeddings", "annotations", "checkpoints", "selections", "materializations")


def run_demo(home: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "al_assets.cli",
        "demo",
        "--rounds",
        "1",
        "--batch",
        "20",
        "--clips",
        "10",
    ]
    environment = {**os.environ, "AL_HOME": str(home), "COLUMNS": "160"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


def counts(home: Path) -> dict[str, int]:
    with closing(sqlite3.connect(home / "demo" / "al.db")) as connection:
        return {name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in COUNTED}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    home = tmp_path_factory.mktemp("demo") / "home"
    return home, run_demo(home)


def test_the_demo_tells_what_happened_and_where_things_lie(demo: tuple[Path, str]) -> None:
    home, printed = demo
    for said in ("round 1    active", "round 1    random", "co_occurrence", "al dev"):
        assert said in printed
    assert (home / "demo" / "storage" / "reports" / "model_report.html").is_file()
    assert (home / "demo" / "storage" / "reports" / "learning_curve.svg").is_file()


def test_the_arms_share_the_archive_and_no_label(demo: tuple[Path, str]) -> None:
    home, _ = demo
    batches = {}
    for arm in ("demo", "demo-random"):
        with closing(sqlite3.connect(home / arm / "al.db")) as connection:
            batches[arm] = {row[0] for row in connection.execute("SELECT frame_id FROM annotations")}
    assert len(batches["demo"]) == len(batches["demo-random"]) == 20
    assert batches["demo"] != batches["demo-random"]


def test_a_second_demo_says_what_stands_and_adds_nothing(demo: tuple[Path, str]) -> None:
    home, _ = demo
    before = counts(home)
    assert "stands already; nothing was added" in run_demo(home)
    assert counts(home) == before

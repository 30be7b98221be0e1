"""A full disk: the write fails in one readable line, the old slice stands, and the next write that fits works."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
AS_ROOT = ["unshare", "--mount"]
AS_ANYBODY = ["unshare", "--mount", "--map-root-user"]


@pytest.fixture
def namespace() -> list[str]:
    """Command that gives a process mounts of its own."""
    for command in (AS_ROOT, AS_ANYBODY):
        try:
            subprocess.run([*command, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    pytest.skip("no mount of a small disk is allowed here; run as root, or allow user namespaces")


def on_small_disk(command: list[str], small: Path, database: Path, spool: Path) -> list[Any]:
    """What tests/support/full_disk.py prints, with `small` a disk of 8 MiB."""
    mount = shlex.join(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)])
    return ran([*command, "sh", "-c", f'{mount} && exec "$@"', "sh"], database, spool, small)


def ran(command: list[str], *folders: Path) -> list[Any]:
    """What the program prints when a command runs it."""
    program = [sys.executable, str(TESTS / "support" / "full_disk.py"), *map(str, folders)]
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    done = subprocess.run([*command, *program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_a_full_disk_under_the_database_keeps_the_old_slice(namespace: list[str], tmp_path: Path) -> None:
    small, spool = tmp_path / "small", tmp_path / "spool"
    small.mkdir()
    spool.mkdir()
    error, between, _, same, after, _ = on_small_disk(namespace, small, small, spool)
    assert error.startswith("DatabaseError: writing frames (frame_id ")
    assert "database or disk is full; free space on its disk" in error
    assert "\n" not in error
    assert (between, same, after) == (300, True, [300, 2])
    assert list(spool.iterdir()) == []


def test_a_full_disk_under_the_spool_keeps_the_old_slice(namespace: list[str], tmp_path: Path) -> None:
    small, home = tmp_path / "small", tmp_path / "home"
    small.mkdir()
    home.mkdir()
    error, between, left, same, after, free = on_small_disk(namespace, small, home, small)
    assert error.startswith("StorageError: rows cannot wait in ")
    assert error.endswith("No space left on device; free space there or set TMPDIR")
    assert (between, left, same, after) == (300, [], True, [300, 2])
    assert free == 8 << 20  # the spool gave its space back


def test_a_quota_keeps_the_old_slice(tmp_path: Path) -> None:
    home, spool = tmp_path / "home", tmp_path / "spool"
    home.mkdir()
    spool.mkdir()
    error, between, _, same, after, _ = ran(["prlimit", f"--fsize={8 << 20}"], home, spool, home)
    assert error.startswith("StorageError: rows cannot wait in ")
    assert "File too large" in error
    assert (between, same, after) == (300, True, [300, 2])
    assert list(spool.iterdir()) == []

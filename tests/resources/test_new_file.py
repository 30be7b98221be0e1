"""Files that people name: whole or not there, and nobody's file written over unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.errors import StorageError
from resources.new_file import new_file


def test_a_file_appears_at_the_end(tmp_path: Path) -> None:
    with new_file(tmp_path / "a.csv") as part:
        part.write_text("whole")
        assert not (tmp_path / "a.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_an_error_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("older")
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "a.csv", replace=True) as part:
        part.write_text(str(1 / 0))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    def write() -> None:
        with new_file(tmp_path / "a.csv") as part:
            part.write_text("mine")
            (tmp_path / "a.csv").write_text("theirs")

    with pytest.raises(StorageError, match="is there already"):
        write()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["theirs"]


@pytest.mark.parametrize(("target", "reason"), [("none/a.csv", "No such file"), ("", "is a folder")])
def test_a_place_that_cannot_be_is_refused_before_the_work(tmp_path: Path, target: str, reason: str) -> None:
    with pytest.raises(StorageError, match=reason), new_file(tmp_path / target):
        pytest.fail("the work began")

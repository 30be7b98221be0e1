"""`al export`, `al archive verify` and `al db backup` from the command line: exit status, and one line for errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.archive import Archive
from support.command_line import Al
from support.small_archives import empty_archive
from support.whole_archive import whole_archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """A home with an archive that is whole."""
    (tmp_path / "home").mkdir()
    empty = empty_archive(tmp_path / "home")
    yield whole_archive(empty.database, empty.storage)
    empty.database.close()


@pytest.fixture
def al(al: Al, archive: Archive) -> Al:
    """`al` at home in that archive."""
    return al


def test_an_export_says_what_it_wrote_and_its_snapshot(al: Al, tmp_path: Path) -> None:
    status, out, _ = al("export", "annotations", "--format", "coco", "--output", "labels.json")
    assert (status, (tmp_path / "labels.json").exists()) == (0, True)
    assert out.startswith("labels.json: annotations, 1 rows on 1 frames; snapshot ")
    assert al("export", "predictions", "--format", "csv", "-o", "p.csv")[0] == 0


def test_verify_repairs_where_it_is_asked_to(al: Al, archive: Archive) -> None:
    with archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE predictions SET checkpoint_id = 'ck-9'")
    assert al("archive", "verify")[0] == 1
    status, out, _ = al("archive", "verify", "--repair")
    assert status == 0
    assert "which is not registered: 1 row removed\nthe archive is whole\n" in out
    assert al("archive", "verify")[:2] == (0, "the archive is whole\n")


def test_what_cannot_be_exported_is_one_line(al: Al) -> None:
    for arguments, reason in (
        (("predictions", "--checkpoint", "ck-9", "-o", "p"), "no checkpoint 'ck-9'"),
        (("annotations", "-o", "none/a"), "No such file or directory"),
        (("annotations", "--video", "v9", "-o", "a"), "no video of the archive has id 'v9'"),
    ):
        status, _, err = al("export", *arguments, "--format", "parquet")
        assert (status, err.count("\n")) == (1, 1), err
        assert reason in err


def test_verify_ends_with_0_where_all_is_well_and_1_where_not(al: Al, archive: Archive) -> None:
    assert al("archive", "verify", "--deep")[:2] == (0, "the archive is whole\n")
    archive.storage.delete("videos/a.mp4")
    status, out, _ = al("archive", "verify")
    assert (status, out.count("\n")) == (1, 2)
    assert out.startswith("missing: videos/a.mp4 (clip-1) is not in storage; ")


def test_a_file_that_no_row_names_is_no_failure(al: Al, archive: Archive) -> None:
    archive.storage.write("videos/new.mp4", b"x")
    status, out, _ = al("archive", "verify")
    assert (status, out.splitlines()[-1]) == (0, "the archive is whole")
    assert out.startswith("note: ")


def test_a_backup_is_written_and_not_over_another(al: Al, tmp_path: Path) -> None:
    assert al("db", "backup", "copy.db")[0] == 0
    status, _, err = al("db", "backup", "copy.db")
    assert (status, err) == (
        1,
        "al: copy.db is there already; name another file, or add --force to replace it\n",
    )
    assert al("db", "backup", "copy.db", "--force")[0] == 0
    assert (tmp_path / "copy.db").read_bytes().startswith(b"SQLite format 3")

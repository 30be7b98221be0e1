"""Opening an archive outside Dagster, what an export would bring, what stands, and how `al` says no."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from al_assets.archives import NotSetUpError, open_archive, preview_export
from al_assets.home import prepare
from al_assets.keys import frame_id
from al_assets.status import status_lines
from resources.archive import Archive
from resources.environments import Environment, read_environment
from support.archive_rows import ArchiveRows
from support.command_line import Al


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A home whose archive is set up and holds one video with a frame."""
    found = read_environment({"AL_HOME": str(tmp_path / "home")}, tmp_path)
    prepare(found)
    archive = open_archive(found)
    ArchiveRows(archive.database).video(1, [0, 1000])
    archive.database.close()
    return found


def test_there_is_no_archive_before_one_was_made(tmp_path: Path) -> None:
    found = read_environment({"AL_HOME": str(tmp_path / "home")}, tmp_path)
    with pytest.raises(NotSetUpError, match="`al demo` or `al dev` makes one"):
        open_archive(found)
    assert not (tmp_path / "home").exists()


def test_a_database_elsewhere_is_asked_for_and_not_made_by_the_way(
    environment: Environment, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "other.db"
    with pytest.raises(NotSetUpError, match="no archive"):
        open_archive(replace(environment, database_url=f"sqlite:///{elsewhere}"))
    assert not elsewhere.exists()


def test_tables_of_another_revision_say_what_to_do(environment: Environment) -> None:
    archive = open_archive(environment)
    with archive.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    with pytest.raises(NotSetUpError, match="al db upgrade"):
        open_archive(environment)
    archive.database.close()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "answers.csv"
    key = frame_id(1, 0)
    file.write_text(f"frame_id,label\n{key},zero\n{key},zéro\n99,zero\n98,zero\n", encoding="utf-8")
    return file


def test_a_preview_says_what_an_export_would_bring_and_stores_nothing(
    environment: Environment, export: Path
) -> None:
    archive = open_archive(environment)
    preview = preview_export(archive, environment, export)
    assert preview.summary == (
        "answers.csv is csv: 4 records, 2 would be imported (0 of them known already), 2 rejected; "
        "new classes: zero, zéro"
    )
    assert preview.reasons == [
        "1 x frame 99 is not among the sampled frames",
        "1 x frame 98 is not among the sampled frames",
    ]
    assert not preview.complete
    assert archive.monitoring.counts(["annotations", "classes", "label_exports"]) == {
        "annotations": 0,
        "classes": 0,
        "label_exports": 0,
    }
    archive.database.close()


def test_a_preview_knows_the_classes_that_the_settings_declare(
    environment: Environment, export: Path
) -> None:
    settings = environment.home / "al.toml"
    settings.write_text(
        '[classes]\nnames = ["zero"]\nunknown = "reject"\n[classes.aliases]\nzero = ["zéro"]\n',
        encoding="utf-8",
    )
    archive = open_archive(environment)
    preview = preview_export(archive, replace(environment, settings_path=settings), export)
    assert "2 would be imported" in preview.summary
    assert "new classes" not in preview.summary
    archive.database.close()


def lines(archive: Archive) -> str:
    return "\n".join(f"{name}: {value}" for name, value in status_lines(archive))


def test_status_tells_what_stands_and_what_went_wrong(environment: Environment) -> None:
    archive = open_archive(environment)
    rows = ArchiveRows(archive.database)
    rows.video(2, status="failed", error="the file is empty", path="cam/empty.mp4")
    rows.export(1, "quarantined", uri="label_exports/half.json", error="half-written")
    rows.add("incidents", run_id="r", job="learn", cause="the disk is full", fix="make room")
    found = lines(archive)
    assert "videos: 1 failed, 1 indexed" in found
    assert "frames: 2" in found
    assert "exports: 0 imported, 0 waiting, 1 set aside" in found
    assert "learn: the disk is full -> make room" in found
    assert "cam/empty.mp4: failed: the file is empty" in found
    assert "export 1, label_exports/half.json: set aside: half-written" in found
    assert "model: none serves yet" in found
    rows.add("checkpoints", checkpoint_id="model-1", class_ids="[]")
    rows.add("serving", slot=1, checkpoint_id="model-1")
    assert "model: model-1, not measured yet, 0 videos to score" in lines(archive)
    archive.database.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("status",), "no archive at"),
        (("labels", "list"), "`al demo` or `al dev` makes one"),
        (("checkpoints", "list"), "no archive at"),
    ],
)
def test_without_an_archive_al_says_so_in_one_line(al: Al, arguments: tuple[str, ...], words: str) -> None:
    status, _, err = al(*arguments)
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("al: ")
    assert words in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("labels", "undo", "7"), "export 7 is unknown, only an imported one can be undone"),
        (("checkpoints", "promote", "nobody"), "no checkpoint 'nobody'"),
        (("checkpoints", "rollback"), "no checkpoint served before"),
        (("bench", "nothing"), "nothing"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_status_one(
    environment: Environment, al: Al, arguments: tuple[str, ...], words: str
) -> None:
    status, _, err = al(*arguments)
    assert (status, err.count("\n")) == (1, 1), err
    assert words in err


@pytest.mark.parametrize(
    ("uri", "warned"),
    [("label_exports/label_studio/project-1.json", True), ("label_exports/a.json", False)],
)
def test_the_undo_of_a_fetched_file_says_that_it_will_not_last(
    environment: Environment, al: Al, uri: str, warned: bool
) -> None:
    archive = open_archive(environment)
    ArchiveRows(archive.database).export(1, uri=uri)
    archive.database.close()
    _, out, err = al("labels", "undo", "1")
    assert "judgements are out of effect" in out
    assert "embeddings first" in err  # an archive without videos has nothing to learn from
    assert ("al labels retract" in " ".join(out.split())) == warned


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"AL_DATABASE_URL": "nonsense"}, "AL_DATABASE_URL is no SQLAlchemy URL"),
        ({"AL_DATABASE_URL": "sqlite:///nowhere/al.db"}, "no archive at"),
        ({"AL_DATABASE_URL": "postgresql+psycopg://anna:hunter2@127.0.0.1:1/al"}, "127.0.0.1"),
        ({"AL_DATABASE_URL": "nosuch://host/db"}, "cannot be loaded"),
    ],
)
def test_a_database_out_of_reach_is_one_line_without_a_password(
    environment: Environment, al: Al, variables: dict[str, str], words: str
) -> None:
    status, _, err = al("status", **variables)
    assert (status, err.count("\n")) == (1, 1), err
    assert words in err
    assert "hunter2" not in err


def test_a_file_that_is_no_database_is_one_line(environment: Environment, al: Al) -> None:
    (environment.home / "al.db").write_bytes(b"this is a shopping list " * 100)
    status, _, err = al("status")
    assert (status, err.count("\n")) == (1, 1), err
    assert "not a database" in err


def test_a_wrong_setting_is_one_line_that_names_its_key(
    environment: Environment, al: Al, export: Path
) -> None:
    (environment.home / "al.toml").write_text("[frames]\nframes_per_secnd = 1\n")
    status, _, err = al("labels", "check", str(export))
    assert (status, err.count("\n")) == (1, 1), err
    assert (
        "[frames] frames_per_secnd is not a setting; allowed here: duplicate_distance, frames_per_second"
        in err
    )


def test_an_export_in_no_format_is_one_line(environment: Environment, al: Al, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("camera 3\n")
    status, _, err = al("labels", "check", str(tmp_path / "notes.txt"))
    assert (status, err.count("\n")) == (1, 1), err
    assert "none of the formats label_studio, " in err


def test_a_check_that_finds_rejects_says_so_by_its_exit_status(
    environment: Environment, al: Al, export: Path
) -> None:
    status, out, err = al("labels", "check", str(export))
    assert (status, err) == (1, "")
    assert "2 rejected" in " ".join(out.split())
    key = frame_id(1, 0)
    export.write_text(f"frame_id,label\n{key},zero\n")
    assert al("labels", "check", str(export))[0] == 0


def test_status_of_an_archive_succeeds(environment: Environment, al: Al) -> None:
    status, out, err = al("status")
    assert (status, err) == (0, "")
    assert "1 indexed" in out

"""The recipes of sql/BACKUP.md, run as they stand: a backup while a writer writes, a disaster, and all is back."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from resources import migrations
from resources.archive import Archive
from resources.backup import back_up
from resources.database import Database
from resources.errors import DatabaseError, StorageError
from resources.storage import Storage
from resources.tables import metadata
from resources.views import SQL, read_views
from support.archive_rows import ArchiveRows
from support.rows import count
from support.small_archives import empty_archive
from support.whole_archive import whole_archive, write_frames

PAGE = (SQL / "BACKUP.md").read_text(encoding="utf-8")


def recipe(section: str, step: str) -> str:
    """The commands of a step."""
    part = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = re.search(r"```sh\n(.*?)```", part.split(f"\n### {step}\n")[1].split("\n### ")[0], re.DOTALL)
    assert found, (section, step)
    return found[1]


def shell(commands: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run commands in the checkout as a person would, with `al` and PostgreSQL's tools on the path."""
    programs = [
        str(Path(sys.executable).parent),
        os.environ["PATH"],
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))),
    ]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AL_")}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=SQL.parent,
        env={**clean, "OMP_WAIT_POLICY": "passive", "PATH": os.pathsep.join(programs), **variables},
        capture_output=True,
        text=True,
    )


def run(commands: str, **variables: str) -> str:
    done = shell(commands, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def add_checkpoint(archive: Archive, name: str) -> None:
    """A file and then the row that names it, as the platform writes them."""
    data = name.encode()
    archive.storage.write(f"checkpoints/{name}", data)
    ArchiveRows(archive.database).add(
        "checkpoints",
        checkpoint_id=name,
        embedder_id="e1",
        training_set_id="ts-1",
        uri=f"checkpoints/{name}",
        sha256=hashlib.sha256(data).hexdigest(),
        class_ids="[1]",
    )


@contextmanager
def busy(archive: Archive) -> Iterator[list[str]]:
    """A writer at work: new checkpoints, and a video's frames written anew; yields what it has finished."""
    done: list[str] = []
    begun, stop = threading.Event(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            add_checkpoint(archive, f"w-{len(done):05d}")
            write_frames(archive.database, 1)
            done.append(f"w-{len(done):05d}")
            begun.set()

    writer = threading.Thread(target=work)
    writer.start()
    try:
        assert begun.wait(60)
        yield done
    finally:
        stop.set()
        writer.join()


def views(archive: Archive) -> dict[str, list[tuple[object, ...]]]:
    rows = ArchiveRows(archive.database)
    names = [view.name for view in read_views(archive.database.dialect_name)]
    return {name: sorted(rows.query(f"SELECT * FROM {name}"), key=repr) for name in names}


def backed_up_while_busy(archive: Archive, commands: str, **variables: str) -> tuple[set[str], object]:
    """Checkpoints that stood before the backup began, and what the views say."""
    answers = views(archive)
    assert any(answers.values())
    with busy(archive) as done:
        before = set(done)
        run(commands, **variables)
        assert len(done) > len(before), "nothing was written meanwhile"
    archive.database.close()
    return before, answers


def test_sqlite_and_a_folder_come_back_whole(tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    for folder in (home, backup):
        folder.mkdir()
    archive = whole_archive_in(home)
    variables = {"AL_HOME": str(home), "BACKUP": str(backup)}
    section = "SQLite and a local folder"
    before, answers = backed_up_while_busy(archive, recipe(section, "Back up"), **variables)
    shutil.rmtree(home / "storage")
    (home / "al.db").write_bytes(b"a disk that failed")
    (home / "al.db-wal").write_bytes(b"a log of another database")
    said = run(recipe(section, "Restore"), **variables)
    assert "the archive is whole" in said
    assert views(archive) == answers
    assert before <= {c.checkpoint_id for c in archive.models.all()}
    archive.database.close()


def whole_archive_in(home: Path) -> Archive:
    empty = empty_archive(home)
    return whole_archive(empty.database, empty.storage)


def test_postgresql_and_a_folder_come_back_whole(
    postgresql_database: Database, local_storage: Storage, tmp_path: Path
) -> None:
    metadata.drop_all(postgresql_database.engine)
    migrations.upgrade(postgresql_database)
    archive = whole_archive(postgresql_database, local_storage)
    backup, url = tmp_path / "backup", postgresql_database.url
    backup.mkdir()
    server, _, name = url.replace("+psycopg", "").rpartition("/")
    variables = {"BACKUP": str(backup), "SERVER": server, "DATABASE": name, "STORAGE": local_storage.url}
    variables |= {"AL_DATABASE_URL": url, "AL_STORAGE_URL": local_storage.url, "AL_HOME": str(tmp_path)}
    section = "PostgreSQL and a local folder"
    before, answers = backed_up_while_busy(archive, recipe(section, "Back up"), **variables)
    shutil.rmtree(local_storage.url)
    run(f'dropdb --force --maintenance-db="$SERVER/postgres" {name}', **variables)
    said = run(recipe(section, "Restore"), **variables)
    assert "the archive is whole" in said
    assert views(archive) == answers
    assert before <= {c.checkpoint_id for c in archive.models.all()}


def test_storage_copied_before_the_database_lacks_files(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    archive = whole_archive_in(home)
    shutil.copytree(home / "storage", tmp_path / "copy")
    add_checkpoint(archive, "meanwhile")
    back_up(archive.database, tmp_path / "al.db")
    archive.database.close()
    copied = {"AL_HOME": str(tmp_path), "AL_STORAGE_URL": str(tmp_path / "copy")}
    done = shell("al archive verify", **copied)
    assert done.returncode == 1
    assert "missing: checkpoints/meanwhile, the file of meanwhile, is not in storage" in done.stdout


def test_a_copy_is_one_file_and_holds_what_was_committed_last(
    sqlite_database: Database, tmp_path: Path
) -> None:
    ArchiveRows(sqlite_database).classes("zero", "one")
    assert back_up(sqlite_database, tmp_path / "copy.db") == (tmp_path / "copy.db").stat().st_size
    assert not list(tmp_path.glob("*copy.db?*"))
    shutil.copy(tmp_path / "copy.db", tmp_path / "elsewhere.db")
    copy = Database(url=f"sqlite:///{tmp_path / 'elsewhere.db'}")
    assert count(copy, "classes") == 2
    copy.close()


def test_a_backup_replaces_an_older_one_only_when_asked(sqlite_database: Database, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    file.write_bytes(b"the backup of yesterday")
    with pytest.raises(StorageError, match="is there already"):
        back_up(sqlite_database, file)
    assert file.read_bytes() == b"the backup of yesterday"
    back_up(sqlite_database, file, replace=True)
    assert file.read_bytes().startswith(b"SQLite format 3")


def test_a_damaged_database_does_not_take_the_place_of_a_good_backup(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with sqlite_database.write() as connection:
        for statement in (
            "CREATE INDEX own ON classes (active)",
            "INSERT INTO classes VALUES (1, 'zero', '[]', 1, NULL, '2026-05-01')",
            "PRAGMA writable_schema=ON",
            "UPDATE sqlite_master SET sql = 'CREATE INDEX own ON classes (name)' WHERE name = 'own'",
        ):
            connection.exec_driver_sql(statement)
    sqlite_database.close()
    file = tmp_path / "copy.db"
    file.write_bytes(b"the backup of yesterday")
    with pytest.raises(DatabaseError, match="the database is damaged"):
        back_up(sqlite_database, file, replace=True)
    assert file.read_bytes() == b"the backup of yesterday"
    assert not list(tmp_path.glob(".copy.db*"))


def test_other_databases_point_to_the_page(postgresql_database: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"sql/BACKUP\.md"):
        back_up(postgresql_database, tmp_path / "copy.db")
    assert not list(tmp_path.glob("*copy.db*"))

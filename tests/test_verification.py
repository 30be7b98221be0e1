"""`al archive verify`: nothing to say of an archive that is whole, and one line for each way in which it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from al_assets.findings import Finding
from al_assets.keys import frame_id
from al_assets.verification import verify
from resources.archive import Archive
from resources.database import Database
from resources.storage import Storage, StorageError
from resources.tables import metadata
from support.archive_rows import ArchiveRows
from support.whole_archive import REPORT, STILL, TASKS, change, whole_archive

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def archive(database: Database, local_storage: Storage) -> Archive:
    return whole_archive(database, local_storage)


@pytest.fixture
def file_archive(sqlite_database: Database, local_storage: Storage) -> Archive:
    """The same where it is the files that matter."""
    return whole_archive(sqlite_database, local_storage)


def run(archive: Archive, *, deep: bool = False) -> list[Finding]:
    return list(verify(archive, deep=deep, now=LATER))


def found(archive: Archive, *, deep: bool = False) -> list[tuple[str, str]]:
    return [(finding.kind, finding.what) for finding in run(archive, deep=deep)]


@pytest.mark.parametrize("deep", [False, True])
def test_nothing_is_said_of_an_archive_that_is_whole(archive: Archive, deep: bool) -> None:
    assert run(archive, deep=deep) == []


def test_an_archive_in_azure_is_whole_too(sqlite_database: Database, azurite_storage: Storage) -> None:
    archive = whole_archive(sqlite_database, azurite_storage)
    assert run(archive, deep=True) == []
    archive.storage.delete(STILL)
    assert [kind for kind, _ in found(archive)] == ["missing"]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("videos/a.mp4", "videos/a.mp4 (clip-1) is not in storage"),
        ("videos/cam/1.png", "videos/cam (clip-2) is not in storage"),
        ("checkpoints/ck-1.safetensors", "the file of ck-1, is not in storage"),
        ("label_exports/a.csv", "label_exports/a.csv, which was imported, is not in storage"),
        (STILL, f"{STILL}, a frame of a batch, is not in storage"),
        (f"{TASKS}/tasks.csv", f"{TASKS}/tasks.csv of a batch is not in storage"),
        (REPORT, f"{REPORT}, a report that drift_results name, is not in storage"),
    ],
)
def test_a_file_that_rows_name_is_missed(file_archive: Archive, path: str, what: str) -> None:
    file_archive.storage.delete(path)
    ((kind, said),) = found(file_archive)
    assert kind == "missing"
    assert what in said


@pytest.mark.parametrize(
    ("path", "deep"),
    [
        ("videos/a.mp4", False),
        ("label_exports/a.csv", False),
        ("checkpoints/ck-1.safetensors", True),
    ],
)
def test_a_file_with_other_content_is_noticed(file_archive: Archive, path: str, deep: bool) -> None:
    file_archive.storage.write(path, b"x" * file_archive.storage.list(path)[0].size_bytes)
    assert [kind for kind, _ in found(file_archive, deep=deep)] == ["changed"]


def test_the_same_content_under_another_etag_is_no_fault(archive: Archive) -> None:
    change(archive, "UPDATE videos SET etag = 'of-another-disk', frames_version = 'of-another-disk@1'")
    change(archive, "UPDATE video_coverage SET frames_version = 'of-another-disk@1'")
    (note,) = run(archive)
    assert (note.kind, note.fails, "2 videos have another etag" in note.what) == ("note", False, True)


@pytest.mark.parametrize(
    "path",
    [
        "checkpoints/ck-9.safetensors",
        "stills/clip-9/00000000.jpg",
        "labelling_tasks/batch-00009/tasks.csv",
        "reports/drift-ck-9-x.html",
    ],
)
def test_a_file_that_no_row_names_is_named_once_it_is_old_enough(file_archive: Archive, path: str) -> None:
    file_archive.storage.write(path, b"x")
    (orphan,) = run(file_archive)
    assert (orphan.kind, orphan.fails) == ("orphan file", False)
    assert path in orphan.what
    assert list(verify(file_archive)) == []


def test_new_videos_are_no_fault(file_archive: Archive) -> None:
    file_archive.storage.write("videos/b.mp4", b"x")
    (note,) = run(file_archive)
    assert (note.what, note.fails) == ("1 videos are not registered yet", False)


@pytest.mark.parametrize(
    ("statement", "kind", "what"),
    [
        (
            f"DELETE FROM frames WHERE frame_id = {frame_id(2, 2)}",
            "changed",
            "clip-2 has 2 frames in SQL, its last write had 3",
        ),
        (
            f"DELETE FROM embeddings WHERE frame_id = {frame_id(1, 2)}",
            "changed",
            "clip-1 has 2 rows in embeddings of e1",
        ),
        (
            f"DELETE FROM frame_scores WHERE frame_id = {frame_id(1, 2)}",
            "changed",
            "clip-1 has 2 rows in frame_scores of ck-1",
        ),
        (
            f"UPDATE predictions SET frame_id = {frame_id(1, 9)}",
            "orphan rows",
            "1 of 1 rows of predictions of ck-1 for clip-1 have no frame",
        ),
        (
            f"UPDATE predictions SET frame_id = {frame_id(2, 0)}",
            "note",
            "1 rows of predictions of ck-1 for clip-2, which video_coverage does not know",
        ),
        (
            f"UPDATE predictions SET frame_id = {frame_id(7, 0)}",
            "orphan rows",
            "1 rows of predictions of ck-1 have keys of videos that were never registered",
        ),
        (
            "UPDATE predictions SET class_id = 4",
            "orphan rows",
            "1 rows of predictions have no row of classes for their class_id",
        ),
        (
            "DELETE FROM annotations",
            "orphan rows",
            "rows of annotation_labels have no row of annotations for their annotation_id",
        ),
        ("DELETE FROM training_sets", "changed", "training set ts-1 has 0 of its 1 rows"),
        ("DELETE FROM selections", "changed", "batch 1 has 0 of its 1 frames in selections"),
        ("UPDATE serving SET checkpoint_id = 'ck-0'", "missing", "ck-0 serves and has no row in checkpoints"),
    ],
)
def test_rows_that_do_not_fit_are_named(archive: Archive, statement: str, kind: str, what: str) -> None:
    change(archive, statement)
    assert any(k == kind and what in said for k, said in found(archive)), found(archive)
    assert all(finding.fails == (kind != "note") for finding in run(archive) if finding.kind == kind)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            f"UPDATE frames SET sharpness = 1 WHERE frame_id = {frame_id(1, 0)}",
            "the frames of clip-1 are not those",
        ),
        ("UPDATE training_sets SET target = 0", "the rows of training set ts-1 are not those"),
    ],
)
def test_changed_values_are_found_by_their_hash(archive: Archive, statement: str, what: str) -> None:
    change(archive, statement)
    assert run(archive) == []
    ((kind, said),) = found(archive, deep=True)
    assert kind == "changed"
    assert what in said


def test_versions_of_frames_that_were_read_anew_wait_for_their_turn(archive: Archive) -> None:
    change(
        archive,
        "UPDATE videos SET frames_version = 'new@2' WHERE video_no = 1",
        f"DELETE FROM frames WHERE frame_id = {frame_id(1, 2)}",
        "UPDATE materializations SET rows = 2 WHERE slice = 'video_id = clip-1' AND asset = 'frames'",
    )
    assert found(archive) == []


def test_what_a_retired_video_leaves_is_no_fault(archive: Archive) -> None:
    archive.videos.retire("clip-1")
    archive.storage.delete(STILL)
    archive.storage.delete("videos/a.mp4")
    assert found(archive) == []


def test_a_listing_that_fails_is_an_error_and_no_empty_archive(
    sqlite_database: Database, local_storage: Storage
) -> None:
    whole_archive(sqlite_database, local_storage)
    gone = Archive(database=sqlite_database, storage=Storage(url=f"{local_storage.url}-not-mounted"))
    with pytest.raises(StorageError):
        run(gone)


def test_verifying_changes_nothing(archive: Archive) -> None:
    ArchiveRows(archive.database).add("frames", frame_id=frame_id(9, 0), video_id="nobody's")
    before = everything(archive)
    assert run(archive, deep=True)
    assert everything(archive) == before


def everything(archive: Archive) -> tuple[object, ...]:
    rows = {name: ArchiveRows(archive.database).query(f"SELECT * FROM {name}") for name in metadata.tables}
    return rows, [(file.path, file.etag) for file in archive.storage.list()]


def test_a_damaged_sqlite_file_is_reported(file_archive: Archive) -> None:
    wrong = "UPDATE sqlite_master SET sql = 'CREATE INDEX own_a ON own (b)' WHERE name = 'own_a'"
    change(
        file_archive,
        "CREATE TABLE own (a INTEGER, b INTEGER)",
        "CREATE INDEX own_a ON own (a)",
        "INSERT INTO own VALUES (1, 2)",
        "PRAGMA writable_schema=ON",
        wrong,
    )
    file_archive.database.close()
    ((kind, said),) = found(file_archive)
    assert kind == "damaged"
    assert "own_a" in said

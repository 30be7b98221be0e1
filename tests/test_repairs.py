"""`al archive verify --repair`: what can be made again is, files are set aside, and people's work stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from al_assets.embeddings.configured import configured_embedder
from al_assets.keys import frame_id
from al_assets.repairs import RepairRefusedError, refuse_beside_runs, repaired, write_still
from al_assets.settings import Settings
from al_assets.verification import verify
from resources.archive import Archive
from resources.database import Database
from resources.storage import Storage
from support.clips import render
from support.small_archives import empty_archive
from support.ticks import Ticks
from support.whole_archive import STILL, change, whole_archive

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def archive(database: Database, local_storage: Storage) -> Archive:
    return whole_archive(database, local_storage)


@pytest.fixture
def file_archive(sqlite_database: Database, local_storage: Storage) -> Archive:
    return whole_archive(sqlite_database, local_storage)


def made_by_the_settings(archive: Archive) -> str:
    """Have the stored vectors be of the embedder that the settings name."""
    version = configured_embedder(Settings().embeddings)
    for table, column in (
        ("embedders", "embedder_id"),
        ("embeddings", "embedder_id"),
        ("checkpoints", "embedder_id"),
        ("video_coverage", "version"),
    ):
        change(archive, f"UPDATE {table} SET {column} = '{version}' WHERE {column} = 'e1'")
    return version


def mend(archive: Archive) -> list[str]:
    findings = list(verify(archive, now=LATER))
    assert findings
    return [said for _, said in repaired(archive, Settings(), findings)]


def left(archive: Archive) -> list[str]:
    return [finding.what for finding in verify(archive, now=LATER)]


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE predictions SET frame_id = {frame_id(1, 9)}",
        f"UPDATE predictions SET frame_id = {frame_id(7, 0)}",
        "INSERT INTO predictions SELECT 'ck-9', frame_id, instance, class_id, confidence, box_x, box_y, box_width, "
        "box_height FROM predictions",
    ],
)
def test_rows_that_fit_nothing_are_removed(archive: Archive, statement: str) -> None:
    change(archive, statement)
    assert mend(archive) == ["1 row removed"]
    assert left(archive) == []


def test_frames_of_nobody_are_removed(archive: Archive) -> None:
    change(archive, f"UPDATE frames SET frame_id = {frame_id(9, 0)} WHERE frame_id = {frame_id(2, 2)}")
    assert "1 row removed" in mend(archive)
    assert archive.frames.count() == 5


@pytest.mark.parametrize(
    ("table", "asset", "version", "job"),
    [("embeddings", "embeddings", "e1", "ingest_videos"), ("frame_scores", "predictions", "ck-1", "score")],
)
def test_rows_that_are_lost_are_asked_for_again(
    archive: Archive, table: str, asset: str, version: str, job: str
) -> None:
    if asset == "embeddings":
        version = made_by_the_settings(archive)
    change(archive, f"DELETE FROM {table} WHERE frame_id = {frame_id(1, 2)}")
    assert "clip-1" not in archive.videos.lacking(asset, version)
    (said,) = mend(archive)
    assert f"the next {job}" in said
    assert "clip-1" in archive.videos.lacking(asset, version)


def test_frames_that_are_lost_are_read_again(archive: Archive) -> None:
    change(archive, f"DELETE FROM frames WHERE frame_id = {frame_id(1, 2)}")
    assert any("read anew" in said for said in mend(archive))
    assert archive.videos.lacking_frames(1.0) == ["clip-1"]


def test_frames_of_a_video_that_is_gone_are_kept(archive: Archive) -> None:
    change(archive, f"DELETE FROM frames WHERE frame_id = {frame_id(1, 2)}")
    change(archive, "UPDATE videos SET missing_at = '2026-05-01' WHERE video_id = 'clip-1'")
    assert any("not repaired: a.mp4 is gone from storage" in said for said in mend(archive))
    assert archive.frames.count() == 5


def test_a_retirement_that_was_cut_off_is_finished(archive: Archive) -> None:
    archive.videos.change_status("clip-1", "indexed", "retired")
    archive.storage.delete(STILL)
    assert any(said.endswith("rows removed") for said in mend(archive))
    assert left(archive) == []


def test_a_file_that_no_row_names_is_set_aside_and_not_deleted(file_archive: Archive) -> None:
    file_archive.storage.write("checkpoints/ck-9.safetensors", b"a head that a backup does not know")
    assert mend(file_archive) == ["moved to removed/checkpoints/ck-9.safetensors"]
    assert file_archive.storage.read("removed/checkpoints/ck-9.safetensors").startswith(b"a head")
    assert left(file_archive) == []


def test_what_people_made_is_never_touched(archive: Archive) -> None:
    change(archive, "DELETE FROM annotations")
    assert set(mend(archive)) == {""}
    assert any("annotation_labels" in what for what in left(archive))


def test_a_repair_that_fails_says_why_and_lets_the_others_go_on(file_archive: Archive) -> None:
    file_archive.storage.delete(STILL)  # of a video that nobody can decode
    file_archive.storage.write("stills/clip-9/00000000.jpg", b"x")
    failed, moved = mend(file_archive)
    assert failed.startswith("not repaired: ")
    assert moved.startswith("moved to removed/")


def test_a_lost_still_is_decoded_again(tmp_path: Path) -> None:
    archive = empty_archive(tmp_path)
    with dg.instance_for_test() as instance:
        ticks = Ticks(archive, instance)
        (tmp_path / "storage" / "videos").mkdir()
        render(tmp_path / "storage" / "videos" / "a.mp4")
        ticks.look()
    video = ticks.video("a.mp4")
    assert "written from a.mp4" in write_still(frame_id(video.video_no, 2))(archive, Settings())
    assert archive.storage.read(f"stills/{video.video_id}/00000002.jpg")[:2] == b"\xff\xd8"
    archive.database.close()


def test_nothing_is_repaired_beside_a_run(tmp_path: Path) -> None:
    archive = empty_archive(tmp_path)
    archive.storage.write("stills/clip-9/00000000.jpg", b"x")
    findings = list(verify(archive, now=LATER))
    with dg.instance_for_test() as instance:
        refuse_beside_runs(instance)
        Ticks(archive, instance).launch("score")
        with pytest.raises(RepairRefusedError, match=r"of score is under way; repair when no run is"):
            refuse_beside_runs(instance)
        ((_, said),) = repaired(archive, Settings(), findings, instance)
        assert said.startswith("not repaired: run ")
    assert archive.storage.exists("stills/clip-9/00000000.jpg")
    archive.database.close()


def test_the_last_vectors_of_a_video_that_is_gone_are_kept(archive: Archive) -> None:
    change(archive, f"DELETE FROM embeddings WHERE frame_id = {frame_id(1, 2)}")
    change(archive, "UPDATE videos SET missing_at = '2026-05-01' WHERE video_id = 'clip-1'")
    assert any("these are the vectors there are" in said for said in mend(archive))
    mend(archive)
    assert len(archive.frames.vectors_of_video("e1", 1)[0]) == 2


def test_vectors_that_nobody_makes_any_more_are_kept(archive: Archive) -> None:
    change(archive, f"DELETE FROM embeddings WHERE frame_id = {frame_id(1, 2)}")
    assert any("neither the settings nor a model in use ask for e1" in said for said in mend(archive))
    assert len(archive.frames.vectors_of_video("e1", 1)[0]) == 2


def test_vectors_of_a_video_in_parts_are_no_fault_and_stay(archive: Archive) -> None:
    change(archive, "DELETE FROM video_coverage WHERE asset = 'embeddings' AND video_id = 'clip-1'")
    notes = [
        finding for finding in verify(archive, now=LATER) if "video_coverage does not know" in finding.what
    ]
    assert [(note.kind, note.repair) for note in notes] == [("note", None)]
    mend(archive)
    assert len(archive.frames.vectors_of_video("e1", 1)[0]) == 3

"""What the checks of every asset of tables find, on rows that a database lets in and an archive must not hold."""

from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from al_assets import table_checks
from al_assets.keys import frame_id
from al_assets.settings import Settings
from al_assets.table_checks import COLUMNS, COUNTS, HELD, REFERENCES, VALUES, Question
from resources import migrations
from resources.archive import Archive
from resources.database import Database
from resources.queries.audit import parts_of
from resources.slices import KeyRange
from resources.storage import Storage
from resources.tables import metadata
from support.archive_rows import ArchiveRows

KEPT_BY_NO_ASSET = {
    "arrivals",
    "incidents",
    "materializations",
}
EMBEDDER = "efficientnet-lite0"


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    """An archive on each kind of database, its tables made."""
    return Archive(database=database, storage=Storage(url=str(tmp_path)))


@pytest.fixture
def rows(archive: Archive) -> ArchiveRows:
    return ArchiveRows(archive.database)


def faults(archive: Archive, asset: str, name: str, *video_ids: str) -> str:
    """What a check of an asset says, empty where it passes."""
    held = next(held for held in HELD if held.asset == asset)
    result = table_checks._result(held, name, Question(archive, Settings(), video_ids))
    assert result.passed == (result.metadata["faults"].value == 0)
    return "" if result.passed else str(result.description)


def test_every_table_is_held_to_its_declaration_by_one_asset() -> None:
    held = [table for each in HELD for table in each.tables]
    assert sorted(held) == sorted(set(held))
    assert set(held) | KEPT_BY_NO_ASSET == set(metadata.tables)


def test_a_sound_archive_passes_everything(archive: Archive, rows: ArchiveRows) -> None:
    rows.video(1, [0, 500])
    for held in HELD:
        for name in (COLUMNS, VALUES, REFERENCES, COUNTS):
            assert faults(archive, held.asset, name) == ""


def test_values_out_of_bounds_are_counted_by_column(archive: Archive, rows: ArchiveRows) -> None:
    rows.video(1, [0])
    rows.add("frames", frame_id=frame_id(1, 7), video_id="v1", brightness=1.5, width=1, height=1)
    repeated = {"duplicate_of": frame_id(1, 9), "width": 1, "height": 1}
    rows.add("frames", frame_id=frame_id(1, 8), video_id="v1", **repeated)
    said = faults(archive, "frames", VALUES)
    assert "frames: 1 rows: brightness above 1" in said
    assert "frames: 1 rows: repeats itself" in said


def test_a_run_over_some_videos_is_asked_about_those_only(archive: Archive, rows: ArchiveRows) -> None:
    rows.video(1, [0])
    rows.video(2, [0])
    rows.add("frames", frame_id=frame_id(2, 7), video_id="v2", brightness=-1.0, width=1, height=1)
    assert faults(archive, "frames", VALUES, "v1") == ""
    assert "brightness below 0" in faults(archive, "frames", VALUES, "v1", "v2")


def test_a_float32_that_rounds_above_one_is_no_fault(archive: Archive, rows: ArchiveRows) -> None:
    rows.add("checkpoints", checkpoint_id="c", class_ids="[]", task="single_label")
    rows.add("promotions", promotion_id=1, checkpoint_id="c", promoted=1, decided_by="rule")
    rows.add("frame_scores", checkpoint_id="c", frame_id=1, confidence=1.0000001, margin=1.0000001)
    assert faults(archive, "predictions", VALUES) == ""
    rows.add("frame_scores", checkpoint_id="c", frame_id=2, confidence=1.01, margin=0.5)
    assert "confidence above 1" in faults(archive, "predictions", VALUES)


def test_a_row_that_refers_to_nothing_is_named_by_its_column(archive: Archive, rows: ArchiveRows) -> None:
    rows.video(1, [0])
    rows.add("frames", frame_id=frame_id(5, 0), video_id="gone", width=1, height=1)
    assert faults(archive, "frames", REFERENCES) == "frames.video_id names 1 that does not exist"


def test_columns_that_are_missing_or_not_declared_are_named(archive: Archive, rows: ArchiveRows) -> None:
    with archive.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE embedders ADD colour INTEGER")
        connection.exec_driver_sql("ALTER TABLE embedders DROP COLUMN projection")
    said = faults(archive, "embeddings", COLUMNS)
    assert "embedders.projection is missing" in said
    assert "embedders.colour is not declared" in said


def test_vectors_that_are_fewer_than_frames_are_found_by_video(archive: Archive, rows: ArchiveRows) -> None:
    keys = rows.video(1, [0, 500], frames_version="e1@2")
    for key in keys:
        rows.add("embeddings", embedder_id="e", frame_id=key, vector=b"")
    rows.add(
        "video_coverage", asset="embeddings", version="e", video_id="v1", frames=2, frames_version="e1@2"
    )
    version = {"embedder_id": "e"}
    assert archive.audit.rows_per_video("embeddings", version, "embeddings").empty
    with archive.database.write() as connection:
        connection.execute(sa.text("DELETE FROM embeddings WHERE frame_id = :key"), {"key": keys[0]})
    (row,) = archive.audit.rows_per_video("embeddings", version, "embeddings").to_dict("records")
    assert row == {"video_id": "v1", "frames": 2, "covered": 2, "rows": 1}


def test_a_video_that_waits_for_its_new_frames_is_no_fault(archive: Archive, rows: ArchiveRows) -> None:
    rows.video(1, [0, 500], frames_version="new")
    rows.add("video_coverage", asset="embeddings", version="e", video_id="v1", frames=3, frames_version="old")
    assert archive.audit.rows_per_video("embeddings", {"embedder_id": "e"}, "embeddings").empty


def test_a_batch_that_lost_a_row_is_named(archive: Archive, rows: ArchiveRows) -> None:
    rows.add("selection_batches", batch_id=3, selected=2, run_id="r", left_out="{}")
    rows.add("selections", batch_id=3, rank=1, frame_id=1, arm="random")
    assert faults(archive, "selection_batch", COUNTS) == "batch 3 says 2 frames and has 1"


def test_a_read_video_without_frames_is_named(archive: Archive, rows: ArchiveRows) -> None:
    rows.video(1, [0])
    rows.video(2)
    assert faults(archive, "frames", COUNTS) == "v2 was read and has no frame"


def test_consecutive_videos_are_one_range() -> None:
    assert parts_of([3, 1, 2, 7]) == [
        KeyRange(frame_id(1, 0), frame_id(4, 0) - 1),
        KeyRange(frame_id(7, 0), frame_id(8, 0) - 1),
    ]


def test_the_checks_run_in_dagster_as_errors(tmp_path: Path) -> None:
    checks = table_checks.table_checks(next(held for held in HELD if held.asset == "serving_checkpoint"))
    archive = Archive(
        database=Database(url=f"sqlite:///{tmp_path / 'al.db'}"),
        storage=Storage(url=str(tmp_path / "storage")),
    )
    migrations.upgrade(archive.database)
    ArchiveRows(archive.database).add("serving", slot=1, checkpoint_id="gone", promotion_id=1)

    @dg.asset
    def serving_checkpoint() -> None:
        """Stands for the real one."""

    result = dg.materialize(
        [serving_checkpoint, checks],
        resources={"archive": archive, "settings": Settings()},
        raise_on_error=False,
    )
    found = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    assert found == {COLUMNS: True, VALUES: True, REFERENCES: False}
    assert all(each.severity == dg.AssetCheckSeverity.ERROR for each in result.get_asset_check_evaluations())


def test_rows_are_counted_for_the_videos_of_the_run_only(archive: Archive, rows: ArchiveRows) -> None:
    rows.video(1, [0])
    rows.video(2)
    assert faults(archive, "frames", COUNTS, "v1") == ""
    assert "v2" in faults(archive, "frames", COUNTS, "v1", "v2")

"""`retired_versions`: scores and vectors that nothing reads leave, whole videos at a time, and nothing else does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from al_assets.keys import frame_id
from al_assets.retention import checkpoints_to_drop, embedders_to_drop, retired_versions
from al_assets.settings import parse_settings
from resources.archive import Archive
from resources.database import Database
from resources.queries import retention
from resources.queries.retention import VersionInUseError
from resources.storage import Storage
from support.archive_rows import NOW, ArchiveRows
from support.small_archives import empty_archive


def scored(rows: ArchiveRows, checkpoint_id: str, number: int, frames: int = 2) -> None:
    for index in range(frames):
        key = frame_id(number, 5 * index)
        rows.add("frame_scores", checkpoint_id=checkpoint_id, frame_id=key)
        rows.add("predictions", checkpoint_id=checkpoint_id, frame_id=key, instance=0)
    rows.add(
        "video_coverage", asset="predictions", version=checkpoint_id, video_id=f"v{number}", frames=frames
    )


def model(rows: ArchiveRows, number: int, embedder_id: str = "e1") -> str:
    checkpoint_id = f"ck-{number}"
    rows.add(
        "checkpoints",
        checkpoint_id=checkpoint_id,
        embedder_id=embedder_id,
        class_ids="[1]",
        uri="",
        trained_at=NOW,
    )
    rows.add("promotions", promotion_id=number, checkpoint_id=checkpoint_id, promoted=1)
    return checkpoint_id


@pytest.fixture
def rows(database: Database) -> ArchiveRows:
    """Two videos scored by four models, of which the third serves and the fourth is to."""
    rows = ArchiveRows(database)
    for number in (1, 2):
        rows.video(number, [0, 1000], frames_version="f@1")
    for number in range(1, 5):
        name = model(rows, number)
        scored(rows, name, 1)
        scored(rows, name, 2)
    rows.add("serving", slot=1, checkpoint_id="ck-3", promotion_id=3)
    return rows


def versions(rows: ArchiveRows, table: str = "frame_scores", column: str = "checkpoint_id") -> dict[str, int]:
    return dict(rows.query(f"SELECT {column}, COUNT(*) FROM {table} GROUP BY {column}"))  # type: ignore[arg-type]


def test_the_models_in_use_and_the_latest_that_served_are_kept() -> None:
    every = ["ck-1", "ck-2", "ck-3", "ck-4"]
    assert checkpoints_to_drop(every, every[::-1], {"ck-1"}, keep=2) == ["ck-2"]
    assert checkpoints_to_drop(every, [], set(), keep=3) == every
    assert checkpoints_to_drop([], every, set(), keep=1) == []


def test_vectors_stay_while_a_kept_model_reads_them_or_nothing_replaces_them() -> None:
    covered = {"old": ["v1", "v2"], "read": ["v1"], "new": ["v1", "v2", "v3"]}
    assert embedders_to_drop(covered, {"read"}, "new") == ["old"]
    assert embedders_to_drop({**covered, "new": ["v1"]}, {"read"}, "new") == []
    assert embedders_to_drop(covered, set(), "unheard-of") == []


def test_a_version_leaves_in_blocks_with_its_coverage(
    database: Database, rows: ArchiveRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BLOCK_ROWS", 2)
    queries = retention.RetentionQueries(database)
    assert queries.remove("predictions", "ck-1") == 8
    assert versions(rows) == versions(rows, "predictions") == {"ck-2": 4, "ck-3": 4, "ck-4": 4}
    assert queries.versions("predictions") == ["ck-2", "ck-3", "ck-4"]
    assert queries.remove("predictions", "ck-1") == 0


def test_a_version_without_coverage_is_one_too(database: Database, rows: ArchiveRows) -> None:
    rows.add("predictions", checkpoint_id="ck-0", frame_id=frame_id(2, 7))
    rows.add("embeddings", embedder_id="e0", frame_id=frame_id(2, 7))
    queries = retention.RetentionQueries(database)
    assert queries.versions("predictions") == ["ck-0", "ck-1", "ck-2", "ck-3", "ck-4"]
    assert queries.versions("embeddings") == ["e0"]


def test_rows_without_coverage_leave_too(database: Database, rows: ArchiveRows) -> None:
    rows.add("predictions", checkpoint_id="ck-1", frame_id=frame_id(2, 7), instance=3)
    assert retention.RetentionQueries(database).remove("predictions", "ck-1") == 9
    assert "ck-1" not in versions(rows, "predictions")


@pytest.mark.parametrize("name", ["ck-3", "ck-4"])
def test_what_serves_or_is_to_serve_is_never_removed(
    database: Database, rows: ArchiveRows, name: str
) -> None:
    queries = retention.RetentionQueries(database)
    with pytest.raises(VersionInUseError, match="serves or is about to"):
        queries.remove("predictions", name)
    assert versions(rows)[name] == 4
    with pytest.raises(VersionInUseError):
        queries.remove("embeddings", "e1")


def test_a_model_chosen_between_two_blocks_keeps_the_rest(
    database: Database, rows: ArchiveRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BLOCK_ROWS", 2)
    queries = retention.RetentionQueries(database)
    remove = queries._remove_block

    def then_promoted(*block: object) -> int:
        removed = remove(*block)  # type: ignore[arg-type]
        rows.add("promotions", promotion_id=9, checkpoint_id="ck-1", promoted=1)
        return removed

    monkeypatch.setattr(retention.RetentionQueries, "_remove_block", lambda _, *block: then_promoted(*block))
    with pytest.raises(VersionInUseError):
        queries.remove("predictions", "ck-1")
    assert versions(rows)["ck-1"] == 2
    covered = rows.query("SELECT video_id FROM video_coverage WHERE version = 'ck-1'")
    assert covered == [("v2",)]


def test_the_asset_removes_what_the_settings_do_not_keep(tmp_path: Path) -> None:
    archive = empty_archive(tmp_path)
    rows = ArchiveRows(archive.database)
    for number in (1, 2):
        rows.video(number, [0], frames_version="f@1")
    for number in range(1, 5):
        scored(rows, model(rows, number, "old" if number == 1 else "e1"), 1, frames=1)
    rows.add("serving", slot=1, checkpoint_id="ck-4", promotion_id=4)
    for page in range(3):
        uri = f"reports/drift-{page}.html"
        archive.storage.write(uri, b"<html>")
        rows.add("drift_results", subject=f"w{page}", report_uri=uri, measured_at=NOW + timedelta(hours=page))
    settings = parse_settings({"retention": {"scored_checkpoints": 2, "drift_reports": 1}})
    found = (
        dg.materialize([retired_versions], resources={"archive": archive, "settings": settings})
        .asset_materializations_for_node("retired_versions")[0]
        .metadata
    )
    assert found["score_rows_removed"].value == 4
    assert sorted(versions(rows)) == ["ck-3", "ck-4"]
    assert [file.path for file in archive.storage.list("reports/")] == ["reports/drift-2.html"]
    assert rows.query("SELECT COUNT(*) FROM drift_results WHERE report_uri IS NOT NULL") == [(1,)]
    archive.database.close()


def test_old_vectors_leave_once_no_kept_model_reads_them(
    sqlite_database: Database, local_storage: Storage
) -> None:
    rows = ArchiveRows(sqlite_database)
    rows.video(1, [0], frames_version="f@1")
    for embedder in ("e1", "e2"):
        rows.add("embeddings", embedder_id=embedder, frame_id=frame_id(1, 0))
        rows.add(
            "video_coverage",
            asset="embeddings",
            version=embedder,
            video_id="v1",
            frames_version="f@1",
            frames=1,
        )
    archive = Archive(database=sqlite_database, storage=local_storage)
    model(rows, 1, "e2")
    assert archive.retention.remove("embeddings", "e1") == 1
    assert versions(rows, "embeddings", "embedder_id") == {"e2": 1}

"""Ticks of `retraining`: what the state of the model asks for is asked for once, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from al_assets.drift.assets import PER_VIDEO
from sensors.retraining import make_retraining, model_state
from support.archive_rows import ArchiveRows
from support.small_archives import empty_archive
from support.ticks import FAILURE, SUCCESS, Ticks, asked


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[Ticks]:
    archive = empty_archive(tmp_path)
    with dg.instance_for_test() as instance:
        yield Ticks(archive, instance, retraining={"max_age_days": 30, "drifted_share": 0.5})
    archive.database.close()


def tick(ticks: Ticks) -> list[str]:
    return [job for job, *_ in asked(ticks.tick(make_retraining(ticks.settings)))]


def days_ago(ticks: Ticks, days: float) -> datetime:
    return ticks.archive.now() - timedelta(days=days)


def train(rows: ArchiveRows, name: str, at: datetime, *, serves: bool = False) -> None:
    rows.add("checkpoints", checkpoint_id=name, class_ids="[]", task="multi_label", trained_at=at)
    if serves:
        rows.add("serving", slot=1, checkpoint_id=name)


@pytest.fixture
def rows(ticks: Ticks) -> ArchiveRows:
    """An old serving model, and a label that came after it."""
    rows = ArchiveRows(ticks.archive.database)
    (frame,) = rows.video(1, [0])
    train(rows, "old", days_ago(ticks, 60), serves=True)
    rows.add("label_exports", export_id=1, status="imported", imported_at=days_ago(ticks, 2))
    rows.annotation(2**32, frame, "anna", "labelled", 1)
    return rows


def drift(rows: ArchiveRows, at: datetime, *drifted: int) -> None:
    for number, bad in enumerate(drifted, start=2):
        rows.video(number, registered_at=at)
        values = {
            "check_name": PER_VIDEO,
            "subject": f"v{number}",
            "reference_id": "old",
            "statistic": "brightness",
        }
        rows.add("drift_results", **values, drifted=bad, measured_at=at)


def test_without_a_model_nothing_is_asked_for(ticks: Ticks) -> None:
    assert tick(ticks) == []
    assert ticks.message == "no model serves yet; it begins with a label export"


def test_an_old_model_with_new_labels_is_trained_again_once(ticks: Ticks, rows: ArchiveRows) -> None:
    assert tick(ticks) == ["learn"]
    assert tick(ticks) == []
    assert "waits for the run in progress" in ticks.message
    ticks.end(SUCCESS)
    assert tick(ticks) == []


def test_labels_that_a_refused_model_has_seen_are_not_new(ticks: Ticks, rows: ArchiveRows) -> None:
    train(rows, "refused", days_ago(ticks, 1))
    assert model_state(ticks.archive).new_labels == 0
    assert tick(ticks) == []


def test_a_retraining_that_failed_is_shown_and_not_asked_for_again(ticks: Ticks, rows: ArchiveRows) -> None:
    tick(ticks)
    ticks.end(FAILURE)
    assert tick(ticks) == []
    assert "learn failed on exactly this, see its run" in ticks.message


def test_drift_asks_for_a_batch_and_only_until_there_is_one(ticks: Ticks, rows: ArchiveRows) -> None:
    train(rows, "refused", days_ago(ticks, 1))
    drift(rows, days_ago(ticks, 1), 1, 1, 0)
    assert tick(ticks) == ["select_batch"]
    ticks.end(SUCCESS)
    rows.add("selection_batches", batch_id=1, created_at=ticks.archive.now())
    assert tick(ticks) == []
    assert "a batch was made since" in ticks.message


def test_a_batch_that_could_not_be_made_is_not_asked_for_every_tick(ticks: Ticks, rows: ArchiveRows) -> None:
    train(rows, "refused", days_ago(ticks, 1))
    drift(rows, days_ago(ticks, 1), 1, 1)
    assert tick(ticks) == ["select_batch"]
    ticks.end(SUCCESS)
    assert tick(ticks) == []
    assert "select_batch ran to its end and left work" in ticks.message


def test_drift_against_another_model_says_nothing_of_this_one(ticks: Ticks, rows: ArchiveRows) -> None:
    train(rows, "refused", days_ago(ticks, 1))
    drift(rows, days_ago(ticks, 1), 1, 1)
    with ticks.archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE drift_results SET reference_id = 'older'")
    assert tick(ticks) == []

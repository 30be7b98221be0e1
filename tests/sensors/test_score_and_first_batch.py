"""What `video_arrivals` asks for once ingestion is done: `score`, and the first batch. Once each, with guards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from resources.queries.videos import coverage_row
from support.archive_rows import ArchiveRows
from support.small_archives import empty_archive
from support.ticks import FAILURE, SUCCESS, Ticks, asked
from support.video_ticks import drop, ingest, serve, tick


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[Ticks]:
    archive = empty_archive(tmp_path)
    with dg.instance_for_test() as instance:
        yield Ticks(archive, instance, sensors={"videos_per_run": 3})
    archive.database.close()


def test_score_is_asked_for_when_ingestion_is_done_and_not_again_after_it_failed(ticks: Ticks) -> None:
    drop(ticks, "a", "b")
    tick(ticks)
    serve(ticks)
    ArchiveRows(ticks.archive.database).add("selection_batches", batch_id=1)
    tick(ticks)
    ingest(ticks, "a.mp4")
    assert tick(ticks) == []
    assert "score: 1 video to score once every video has frames and vectors" in ticks.message
    ingest(ticks, "b.mp4")
    ticks.end(SUCCESS)
    assert asked(tick(ticks)) == [("score", "", "")]
    assert tick(ticks) == []
    ticks.end(FAILURE)
    assert tick(ticks) == []
    assert "score failed on these videos" in ticks.message


def test_score_is_asked_for_again_when_other_videos_lack_scores_though_as_many(ticks: Ticks) -> None:
    drop(ticks, "a", "b")
    ticks.look()
    ingest(ticks)
    serve(ticks)
    rows = ArchiveRows(ticks.archive.database)
    rows.add("selection_batches", batch_id=1)
    for video in ticks.archive.videos.known():
        if video.path == "b.mp4":
            rows.add("video_coverage", **coverage_row("predictions", "model-1", video, 1))
    assert len(tick(ticks)) == 1
    ticks.end(FAILURE)
    assert tick(ticks) == []
    with ticks.archive.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM video_coverage WHERE asset = 'predictions'")
    rows.add("video_coverage", **coverage_row("predictions", "model-1", ticks.video("a.mp4"), 1))
    assert asked(tick(ticks)) == [("score", "", "")]


def test_score_waits_for_learn_and_learn_by_hand(ticks: Ticks) -> None:
    drop(ticks, "a")
    ticks.look()
    ingest(ticks)
    serve(ticks)
    ArchiveRows(ticks.archive.database).add("selection_batches", batch_id=1)
    ticks.launch("__ASSET_JOB", assets=["checkpoint"])
    assert tick(ticks) == []
    assert "after the run in progress" in ticks.message
    ticks.end(SUCCESS)
    assert asked(tick(ticks)) == [("score", "", "")]


def test_the_first_batch_is_asked_for_once(ticks: Ticks) -> None:
    drop(ticks, "a")
    ticks.look()
    tick(ticks)
    ingest(ticks)
    assert tick(ticks) == []
    ticks.end(SUCCESS)
    assert asked(tick(ticks)) == [("select_batch", "", "")]
    assert tick(ticks) == []
    ticks.end(FAILURE)
    assert tick(ticks) == []
    assert "select_batch failed" in ticks.message


def test_a_waiting_export_makes_the_first_batch_needless(ticks: Ticks) -> None:
    drop(ticks, "a")
    ticks.look()
    ingest(ticks)
    ArchiveRows(ticks.archive.database).export(1, "seen")
    assert tick(ticks) == []
    assert "a batch is there or on its way" in ticks.message

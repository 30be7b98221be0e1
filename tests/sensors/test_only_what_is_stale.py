"""Ticks ask for exactly what is stale: runs of vectors alone, new videos first, and nothing at all for classes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from al_assets.ingest_plan import IngestState, plan_ingest
from al_assets.staleness import stale_frames, stale_scores, stale_vectors
from resources.queries.videos import coverage_row
from support.archive_rows import NOW, ArchiveRows
from support.daemon import jobs_of
from support.small_archives import empty_archive
from support.ticks import FAILURE, SUCCESS, Ticks, asked
from support.video_ticks import drop, ids, ingest, serve, tick


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[Ticks]:
    archive = empty_archive(tmp_path)
    with dg.instance_for_test() as instance:
        yield Ticks(archive, instance, sensors={"videos_per_run": 3})
    archive.database.close()


def forget_vectors(ticks: Ticks, *video_ids: str) -> None:
    with ticks.archive.database.write() as connection:
        for video_id in video_ids:
            connection.exec_driver_sql(f"DELETE FROM video_coverage WHERE video_id = '{video_id}'")


def score(ticks: Ticks, name: str) -> None:
    for video in (video for video in ticks.archive.videos.known() if video.frames_version):
        row = coverage_row("predictions", name, video, 1)
        ArchiveRows(ticks.archive.database).add("video_coverage", **row)


def test_videos_that_lack_vectors_alone_are_not_read_again(ticks: Ticks) -> None:
    drop(ticks, "a", "b", "c", "d")
    ticks.look()
    ingest(ticks, "a.mp4", "c.mp4", "d.mp4")
    forget_vectors(ticks, ticks.video("a.mp4").video_id)
    requests = tick(ticks)
    assert jobs_of(requests) == ["ingest_videos", "ingest_videos:embeddings"]
    a, b, _, _ = ids(ticks)
    assert asked(requests) == [("ingest_videos", b, b), ("ingest_videos", a, a)]


def test_vectors_that_fail_twice_wait_for_a_person_as_frames_do(ticks: Ticks) -> None:
    drop(ticks, "a", "b")
    ticks.look()
    ingest(ticks)
    forget_vectors(ticks, *ids(ticks))
    assert jobs_of(tick(ticks)) == ["ingest_videos:embeddings"]
    ticks.end(FAILURE)
    assert jobs_of(tick(ticks)) == ["ingest_videos:embeddings"] * 2
    ticks.end(FAILURE)
    assert tick(ticks) == []
    assert "2 failed twice and wait for a person" in ticks.message


def test_no_range_mixes_videos_to_read_with_others() -> None:
    state = IngestState(order=tuple("abcdef"), lacking=tuple("abcdef"), to_read=frozenset("cd"))
    plan = plan_ingest(state, videos_per_run=10, runs_at_once=9)
    assert plan.ranges == (("c", "d"), ("a", "b"), ("e", "f"))


@pytest.mark.parametrize("change", ["merge", "split", "rename"])
def test_a_change_of_classes_makes_no_video_stale(ticks: Ticks, change: str) -> None:
    drop(ticks, "a", "b")
    ticks.look()
    ingest(ticks)
    serve(ticks)
    score(ticks, "model-1")
    rows = ArchiveRows(ticks.archive.database)
    rows.add("selection_batches", batch_id=1)
    rows.classes("zero", "one")
    rows.add("materializations", materialization_id=1, asset="labels", committed_at=NOW - timedelta(hours=1))
    classes = ticks.archive.classes
    if change == "split":
        classes.split("zero", ["nought", "oh"], NOW)
    else:
        getattr(classes, change)("zero", "one" if change == "merge" else "nil", NOW)
    assert tick(ticks) == []
    assert "every video has the serving model's scores" in ticks.message
    assert [*stale_frames(ticks.archive, ticks.settings), *stale_scores(ticks.archive)] == []
    # A merge or a split asks for one learn run, whose model is scored if it is promoted; a name is looked up by views.
    assert bool(classes.changed_since_learned()) == (change != "rename")


def test_what_is_stale_is_counted_by_reason_with_examples(ticks: Ticks) -> None:
    drop(ticks, *"abcde")
    ticks.look()
    ingest(ticks, *(f"{name}.mp4" for name in "abcd"))
    serve(ticks)
    score(ticks, "older")
    with ticks.archive.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE video_coverage SET version = 'other' WHERE asset = 'embeddings'"
            " AND video_id IN (SELECT video_id FROM videos WHERE path IN ('a.mp4', 'b.mp4'))"
        )
        connection.exec_driver_sql("UPDATE videos SET frames_version = etag || '@2' WHERE path = 'c.mp4'")
    (frames,) = stale_frames(ticks.archive, ticks.settings)
    assert frames.line == "frames of 1 video: sampled at 2 a second, the settings say 1 (c.mp4)"
    changed, anew = stale_vectors(ticks.archive, ticks.settings)
    assert (changed.videos, changed.reason.partition(",")[0]) == (2, "embedded by other")
    assert anew.line == "vectors of 1 video: the frames were read anew (c.mp4)"
    (scores,) = stale_scores(ticks.archive)
    assert scores.line == "scores of 1 video: scored by older, model-1 is to serve (d.mp4)"


def test_a_run_of_vectors_that_succeeds_ends_it(ticks: Ticks) -> None:
    drop(ticks, "a")
    ticks.look()
    ingest(ticks)
    forget_vectors(ticks, *ids(ticks))
    assert jobs_of(tick(ticks)) == ["ingest_videos:embeddings"]
    ingest(ticks)
    ticks.end(SUCCESS)
    assert [job for job, *_ in asked(tick(ticks))] == ["select_batch"]

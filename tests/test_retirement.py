"""The job `retire_video`: a video leaves tables, stills and partitions, and nothing brings it back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from al_assets.jobs import retire_video
from al_assets.partitions import VIDEOS
from resources.queries.videos import VideoRegister
from sensors.video_arrivals import make_video_arrivals
from support.archive_rows import ArchiveRows
from support.small_archives import empty_archive
from support.ticks import SUCCESS, Ticks

TABLES = ["frames", "embeddings", "frame_scores", "predictions", "labels", "video_coverage", "annotations"]
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[Ticks]:
    """Two registered videos with partition keys; the first has a row in every table, and a still."""
    archive = empty_archive(tmp_path)
    with dg.instance_for_test() as instance:
        ticks = Ticks(archive, instance)
        ticks.drop("videos/a.mp4", "A")
        ticks.drop("videos/b.mp4", "B")
        ticks.look()
        for name in "ab":
            video = ticks.video(f"{name}.mp4")
            instance.add_dynamic_partitions(str(VIDEOS.name), [video.video_id])
            fill(ArchiveRows(archive.database), video.video_id, video.video_no)
            archive.storage.write(f"stills/{video.video_id}/0.jpg", b"jpeg")
        yield ticks
    archive.database.close()


def fill(rows: ArchiveRows, video_id: str, video_no: int) -> None:
    key = video_no * 2**24
    rows.add("frames", frame_id=key, video_id=video_id)
    rows.add("embeddings", embedder_id="e", frame_id=key)
    rows.add("frame_scores", checkpoint_id="c", frame_id=key)
    rows.add("predictions", checkpoint_id="c", frame_id=key, instance=0)
    rows.label(key, 1)
    rows.add("video_coverage", asset="embeddings", version="e", video_id=video_id)
    rows.annotation(2**32 + video_no, key, "anna", "labelled", 1)


def retire(ticks: Ticks, video_id: str) -> dg.ExecuteInProcessResult:
    return retire_video.execute_in_process(
        instance=ticks.instance,
        resources={"archive": ticks.archive},
        run_config={"ops": {"retire": {"config": {"video_id": video_id}}}},
        raise_on_error=False,
    )


def why(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    return str(data.description) if data else ""


def test_a_retired_video_leaves_its_annotations_and_its_number(ticks: Ticks) -> None:
    a, b = ticks.video("a.mp4"), ticks.video("b.mp4")
    assert retire(ticks, a.video_id).success
    counts = ticks.archive.monitoring.counts(TABLES)
    assert counts == {**dict.fromkeys(TABLES, 1), "annotations": 2}
    assert [file.path for file in ticks.archive.storage.list("stills/")] == [f"stills/{b.video_id}/0.jpg"]
    assert ticks.instance.get_dynamic_partitions(str(VIDEOS.name)) == [b.video_id]
    assert ticks.statuses() == {"a.mp4": "retired", "b.mp4": "registered"}
    ticks.drop("videos/c.mp4", "C")
    ticks.look()
    assert ticks.video("c.mp4").video_no == 3


def test_a_file_that_is_still_there_does_not_bring_its_video_back(ticks: Ticks) -> None:
    retire(ticks, ticks.video("a.mp4").video_id)
    sensor = make_video_arrivals(ticks.settings)
    for change in (
        lambda: None,
        lambda: ticks.touch("videos/a.mp4"),
        lambda: ticks.move("videos/a.mp4", "videos/z.mp4"),
    ):
        change()
        asked = [request for _ in range(3) for request in ticks.tick(sensor)]
        assert all("a-" not in request.tags.get(START, "") for request in asked)
        ticks.end(SUCCESS)
    assert ticks.archive.videos.by_status() == {"registered": 1, "retired": 1}


def test_another_video_may_take_the_path_of_a_retired_one(ticks: Ticks) -> None:
    retire(ticks, ticks.video("a.mp4").video_id)
    ticks.drop("videos/a.mp4", "another")
    ticks.look()
    assert ticks.archive.videos.by_status() == {"registered": 2, "retired": 1}


@pytest.mark.parametrize("job", ["ingest_videos", "__ASSET_JOB"])
def test_a_video_in_a_run_is_not_retired(ticks: Ticks, job: str) -> None:
    a, b = ticks.video("a.mp4").video_id, ticks.video("b.mp4").video_id
    run = ticks.launch(job, {START: a, END: b})
    result = retire(ticks, b)
    assert not result.success
    assert why(result) == f"run {run.run_id[:8]} of {job} works on {b}; retire it when that is done"
    assert ticks.archive.monitoring.counts(["frames"])["frames"] == 2
    ticks.end(SUCCESS)
    assert retire(ticks, b).success


@pytest.mark.parametrize("job", ["learn", "score", "select_batch"])
def test_no_video_is_retired_under_a_run_that_reads_them_all(ticks: Ticks, job: str) -> None:
    ticks.launch(job)
    assert f"of {job} works on" in why(retire(ticks, ticks.video("a.mp4").video_id))


def test_a_run_over_other_videos_is_no_hindrance(ticks: Ticks) -> None:
    b = ticks.video("b.mp4").video_id
    ticks.launch("ingest_videos", {START: b, END: b})
    assert retire(ticks, ticks.video("a.mp4").video_id).success


def test_no_video_is_retired_under_a_run_of_all_videos_by_hand(ticks: Ticks) -> None:
    ticks.launch("__ASSET_JOB")
    assert "of __ASSET_JOB works on" in why(retire(ticks, ticks.video("a.mp4").video_id))


def test_a_run_that_only_reads_is_no_hindrance(ticks: Ticks) -> None:
    ticks.launch("make_reports")
    assert retire(ticks, ticks.video("a.mp4").video_id).success


def test_a_run_that_begins_meanwhile_has_the_video_kept(
    ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = ticks.video("a.mp4").video_id
    mark = VideoRegister.change_status

    def marked_late(register: VideoRegister, video: str, before: str, status: str) -> bool:
        if status == "retired":
            ticks.launch("ingest_videos", {START: video, END: video})
        return mark(register, video, before, status)

    monkeypatch.setattr(VideoRegister, "change_status", marked_late)
    assert "of ingest_videos works on" in why(retire(ticks, video_id))
    assert ticks.statuses() == {"a.mp4": "registered", "b.mp4": "registered"}
    assert ticks.archive.monitoring.counts(["frames"])["frames"] == 2


def test_no_video_is_retired_while_a_backfill_may_launch_runs(ticks: Ticks) -> None:
    a, b = ticks.video("a.mp4").video_id, ticks.video("b.mp4").video_id
    backfill = PartitionBackfill(
        backfill_id="of-all",
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        tags={},
        backfill_timestamp=0.0,
        partition_names=[a, b],
    )
    ticks.instance.add_backfill(backfill)
    assert why(retire(ticks, a)).startswith("backfill of-all, which may have runs to come, works on")
    assert ticks.statuses() == {"a.mp4": "registered", "b.mp4": "registered"}
    ticks.instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS))
    assert retire(ticks, a).success


def test_an_unknown_video_is_named(ticks: Ticks) -> None:
    assert why(retire(ticks, "nobody")) == "no video 'nobody' in the archive; see the videos table"


def test_retiring_again_finishes_what_a_crash_left(ticks: Ticks) -> None:
    video_id = ticks.video("a.mp4").video_id
    ticks.archive.videos.retire(video_id)
    assert retire(ticks, video_id).success
    assert retire(ticks, video_id).success
    assert video_id not in ticks.instance.get_dynamic_partitions(str(VIDEOS.name))
    assert ticks.archive.storage.list(f"stills/{video_id}/") == []

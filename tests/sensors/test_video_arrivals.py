"""Ticks of `video_arrivals`: keys and runs asked for once, failures tried alone once, then what follows ingestion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from al_assets import jobs
from al_assets.automation import FAILED_TAG, REASON_TAG
from al_assets.definitions import build_defs
from al_assets.partitions import VIDEOS
from al_assets.settings import parse_settings
from resources.environments import read_environment
from support.small_archives import empty_archive
from support.ticks import CANCELED, FAILURE, SUCCESS, Ticks, asked
from support.video_ticks import drop, ids, ingest, tick


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[Ticks]:
    archive = empty_archive(tmp_path)
    with dg.instance_for_test() as instance:
        yield Ticks(archive, instance, sensors={"videos_per_run": 3})
    archive.database.close()


def test_new_videos_get_keys_and_one_run_a_range_with_its_reason(ticks: Ticks) -> None:
    drop(ticks, "a", "b", "c", "d")
    assert tick(ticks) == []
    requests = tick(ticks)
    first, second, third, fourth = ids(ticks)
    assert ticks.instance.get_dynamic_partitions(str(VIDEOS.name)) == [first, second, third, fourth]
    assert asked(requests) == [("ingest_videos", first, third), ("ingest_videos", fourth, fourth)]
    assert requests[0].tags[REASON_TAG] == "4 videos lack frames or vectors"


def test_nothing_is_asked_for_twice_while_its_run_is_in_flight(ticks: Ticks) -> None:
    drop(ticks, "a", "b")
    tick(ticks)
    assert len(tick(ticks)) == 1
    drop(ticks, "c")
    tick(ticks)
    assert asked(tick(ticks)) == [("ingest_videos", ids(ticks)[2], ids(ticks)[2])]
    assert tick(ticks) == []
    assert "3 are in a run now" in ticks.message


def test_no_more_runs_are_asked_for_than_allowed(ticks: Ticks) -> None:
    drop(ticks, *"abcdefghij")
    tick(ticks)
    assert len(tick(ticks)) == 2
    assert tick(ticks) == []


def test_the_newest_recordings_come_first_where_the_owner_wants_it(ticks: Ticks) -> None:
    ticks.settings = parse_settings({"sensors": {"videos_per_run": 1, "order": "newest"}})
    ticks.drop(
        "videos/videos.csv", "path,recorded_at\na.mp4,2020-01-01\nb.mp4,2026-01-01\nc.mp4,2024-01-01\n"
    )
    drop(ticks, "a", "b", "c")
    tick(ticks)
    asked_for = asked(tick(ticks))
    _, second, third = ids(ticks)
    assert asked_for == [("ingest_videos", second, second), ("ingest_videos", third, third)]


def test_a_person_who_materialises_the_assets_by_hand_counts_as_a_run(ticks: Ticks) -> None:
    drop(ticks, "a", "b")
    ticks.look()
    key = ids(ticks)[0]
    ticks.launch("__ASSET_JOB", {"dagster/partition": key}, assets=["embeddings"])
    ticks.launch("__ASSET_JOB", {"dagster/partition": ids(ticks)[1]}, assets=["something_else"])
    assert asked(tick(ticks)) == [("ingest_videos", ids(ticks)[1], ids(ticks)[1])]


def test_a_failed_run_is_retried_video_by_video_once_and_then_left(ticks: Ticks) -> None:
    drop(ticks, "a", "b", "c")
    tick(ticks)
    tick(ticks)
    ticks.end(FAILURE)
    ingest(ticks, "a.mp4")
    _, second, third = ids(ticks)
    assert asked(tick(ticks)) == [("ingest_videos", second, second), ("ingest_videos", third, third)]
    ingest(ticks, "c.mp4")
    ticks.end(FAILURE)
    assert [job for job, *_ in asked(tick(ticks))] == ["select_batch"]
    assert tick(ticks) == []
    assert f"1 failed twice and waits for a person ({second})" in ticks.message


def test_of_a_failed_run_only_the_videos_that_it_names_are_tried_alone(ticks: Ticks) -> None:
    drop(ticks, "a", "b", "c")
    tick(ticks)
    tick(ticks)
    first, second, third = ids(ticks)
    ticks.end(FAILURE, tags={FAILED_TAG: third})
    assert asked(tick(ticks)) == [("ingest_videos", first, second), ("ingest_videos", third, third)]


def test_a_video_that_failed_in_a_run_of_its_own_is_tried_once_more(ticks: Ticks) -> None:
    drop(ticks, "a")
    tick(ticks)
    for expected in (1, 1, 0, 0):
        assert len(tick(ticks)) == expected
        ticks.end(FAILURE)


def test_a_new_version_of_a_given_up_file_is_tried_again(ticks: Ticks) -> None:
    drop(ticks, "a")
    tick(ticks)
    for _ in range(3):
        tick(ticks)
        ticks.end(FAILURE)
    assert tick(ticks) == []
    ticks.touch("videos/a.mp4")
    tick(ticks)
    assert len(tick(ticks)) == 1


def test_new_settings_are_reason_to_try_a_given_up_video_again(ticks: Ticks) -> None:
    drop(ticks, "a")
    tick(ticks)
    for _ in range(3):
        tick(ticks)
        ticks.end(FAILURE)
    ticks.settings = parse_settings({"frames": {"frames_per_second": 2}})
    assert len(tick(ticks)) == 1


def test_a_success_by_hand_wipes_the_slate(ticks: Ticks) -> None:
    drop(ticks, "a")
    tick(ticks)
    for _ in range(2):
        (request,) = tick(ticks)
        ticks.end(FAILURE)
    assert tick(ticks) == []
    ticks.launch("ingest_videos", dict(request.tags), SUCCESS)
    assert len(tick(ticks)) == 1


def test_runs_that_succeed_and_leave_work_are_not_asked_for_for_ever(ticks: Ticks) -> None:
    drop(ticks, "a", "b")
    tick(ticks)
    for _ in range(6):
        tick(ticks)
        ticks.end(SUCCESS)
    assert tick(ticks) == []
    assert ticks.instance.get_runs_count(dg.RunsFilter(job_name="ingest_videos")) == 3


def test_settings_that_are_changed_and_changed_back_ingest_each_time(ticks: Ticks) -> None:
    drop(ticks, "a", "b")
    tick(ticks)
    for rate in (1, 2, 1, 2, 1):
        ticks.settings = parse_settings({"frames": {"frames_per_second": rate}})
        assert asked(tick(ticks)) == [("ingest_videos", *ids(ticks))]
        with ticks.archive.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM video_coverage")
        ingest(ticks)
        ticks.end(SUCCESS)


def test_a_cancelled_run_is_not_asked_for_again_as_it_was(ticks: Ticks) -> None:
    drop(ticks, "a", "b", "c")
    tick(ticks)
    tick(ticks)
    ticks.end(CANCELED)
    assert all(first == last for _, first, last in asked(tick(ticks)))


def test_a_crashed_run_that_dagster_launches_again_counts_as_under_way(ticks: Ticks) -> None:
    drop(ticks, "a")
    tick(ticks)
    tick(ticks)
    ticks.end(FAILURE, tags={"dagster/will_retry": "true"})
    assert tick(ticks) == []
    assert "1 is in a run now" in ticks.message


def test_given_up_videos_do_not_come_round_again_when_newer_failures_hide_theirs(
    ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensors.runs.LOOKED_BACK", 3)
    drop(ticks, *"abcdefgh")
    tick(ticks)
    for _ in range(16):
        tick(ticks)
        ticks.end(FAILURE)
    assert tick(ticks) == []
    assert "8 failed twice" in ticks.message


def test_an_indexed_video_without_vectors_is_not_asked_for_while_its_file_is_gone(ticks: Ticks) -> None:
    drop(ticks, "a")
    ticks.look()
    ingest(ticks)
    with ticks.archive.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM video_coverage")
    ticks.move("videos/a.mp4", "away.mp4")
    assert tick(ticks) == []
    ticks.move("away.mp4", "videos/a.mp4")
    assert len(tick(ticks)) == 1


def test_missing_copied_and_retired_videos_are_not_asked_for(ticks: Ticks) -> None:
    drop(ticks, "a", "b", "c")
    ticks.drop("videos/copy.mp4", "content of a")
    ticks.look()
    ticks.remove("videos/b.mp4")
    ticks.archive.videos.retire(ticks.video("c.mp4").video_id)
    key = ticks.video("a.mp4").video_id
    assert asked(tick(ticks)) == [("ingest_videos", key, key)]


def test_what_the_sensor_asks_for_is_what_dagster_takes(ticks: Ticks, tmp_path: Path) -> None:
    drop(ticks, "a", "b")
    ticks.look()
    environment = read_environment({"AL_HOME": str(tmp_path)}, tmp_path)
    definitions = build_defs(environment, ticks.settings, {"archive": ticks.archive})
    resources = {"archive": ticks.archive}
    sensor = next(s for s in definitions.sensors or () if s.name == "video_arrivals")
    with dg.build_sensor_context(
        instance=ticks.instance, definitions=definitions, resources=resources
    ) as context:
        taken = sensor.evaluate_tick(context)
    assert [request.job_name for request in taken.run_requests or ()] == [jobs.INGEST]
    assert ticks.instance.get_dynamic_partitions(str(VIDEOS.name)) == ids(ticks)

"""Ticks of `labelling_tool` against a real Label Studio: one run when something is missing or finished, else none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from al_assets.definitions import build_defs
from al_assets.settings import Settings
from resources.environments import read_environment
from resources.labelling_tool import LabelStudio
from sensors.labelling_tool import MOST_FAILURES, ToolState, decide_sync
from support.imports import FRAMES
from support.label_studio import Person, Server
from support.servers import free_port
from support.ticks import FAILURE
from support.tool_ticks import ToolTicks

NOON = datetime(2026, 5, 1, 12)
NOTHING = ToolState(
    has_project=True, lacking=0, spare=0, can_answer=True, fetch=False, why="every answer is fetched"
)


@pytest.fixture
def world(tmp_path: Path, label_studio: Server, instance: dg.DagsterInstance) -> Iterator[ToolTicks]:
    world = ToolTicks(tmp_path, label_studio.resource(), instance)
    yield world
    world.archive.database.close()


@pytest.fixture
def tasks(world: ToolTicks, label_studio: Server) -> list[int]:
    """Numbers of the tasks of a batch of three that is in the project; answers settle in an hour."""
    world.quiet(60)
    world.send(1, FRAMES[:3])
    world.tick()
    world.run()
    return [task["id"] for task in label_studio.tasks(world.project)]


def test_nothing_is_asked_of_nobody(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    world = ToolTicks(tmp_path, LabelStudio(), instance)
    assert not world.tick()
    assert world.message == "no labelling tool is connected; set AL_LABEL_STUDIO_URL for one"


def test_a_batch_that_is_written_is_pushed_by_one_run(world: ToolTicks) -> None:
    assert not world.tick()
    world.send(1, FRAMES[:3])
    assert world.tick()
    assert not world.tick()
    assert world.message == "3 tasks to add; waits for the run in progress"
    world.run()
    assert not world.tick()
    assert world.message == "every task is in the project; every answer is fetched"


def test_answers_are_fetched_when_the_batch_is_complete(
    world: ToolTicks, tasks: list[int], anna: Person
) -> None:
    for task in tasks[:2]:
        anna.answer(task, "zero")
        assert not world.tick()
    assert "2 answers, 0 when last fetched; they are fetched when the batch is complete" in world.message
    anna.answer(tasks[2], skip=True)
    assert world.tick()
    world.run()
    assert not world.tick()
    assert len(world.fetched) == 3


def test_answers_to_a_part_are_fetched_when_they_have_settled(
    world: ToolTicks, tasks: list[int], anna: Person
) -> None:
    anna.answer(tasks[0], "zero")
    assert not world.tick()
    world.quiet(0)
    assert world.tick()


def test_a_second_opinion_on_a_complete_batch_waits_until_it_has_settled(
    world: ToolTicks, tasks: list[int], anna: Person, label_studio: Server
) -> None:
    for task in tasks:
        anna.answer(task, "zero")
    world.tick()
    world.run()
    label_studio.person("bert").answer(tasks[0], "one")
    assert not world.tick()
    world.quiet(0)
    assert world.tick()


def test_a_new_class_asks_for_a_run(world: ToolTicks, tasks: list[int]) -> None:
    world.rows.add("classes", class_id=1, name="two", aliases="[]", active=1)
    assert world.tick()
    world.run()
    assert not world.tick()


def test_tasks_that_somebody_removed_are_put_back(
    world: ToolTicks, tasks: list[int], label_studio: Server
) -> None:
    label_studio.delete(f"/api/tasks/{tasks[1]}/")
    assert world.tick()
    world.run()
    assert sorted(task["data"]["frame_id"] for task in label_studio.tasks(world.project)) == FRAMES[:3]


def test_a_deleted_project_is_seen(world: ToolTicks, tasks: list[int], label_studio: Server) -> None:
    label_studio.delete(f"/api/projects/{world.project}")
    assert world.tick()
    world.run()
    assert len(label_studio.tasks(world.project)) == 3


def test_a_server_that_is_down_or_refuses_is_a_message_and_no_run(
    world: ToolTicks, label_studio: Server
) -> None:
    world.send(1, FRAMES[:3])
    world.tool = label_studio.resource(url=f"http://127.0.0.1:{free_port()}")
    assert not world.tick()
    assert "cannot be reached" in world.message
    world.tool = label_studio.resource(token="0" * 40)
    assert not world.tick()
    assert "refuses the token" in world.message
    world.tool = label_studio.resource()
    assert world.tick()


def test_a_run_that_failed_is_asked_for_again_after_a_pause(world: ToolTicks) -> None:
    world.send(1, FRAMES[:3])
    assert world.tick()
    world.ticks.end(FAILURE)
    assert not world.tick()
    assert "it is tried again after 1 minutes" in world.message


def test_the_whole_way_through_dagsters_own_job(
    tmp_path: Path,
    world: ToolTicks,
    instance: dg.DagsterInstance,
    label_studio: Server,
    anna: Person,
) -> None:
    world.send(1, FRAMES[:2])
    home = read_environment({"AL_HOME": str(tmp_path)}, tmp_path)
    definitions = build_defs(
        home, world.settings, {"archive": world.archive, "labelling_tool": label_studio.resource()}
    )
    job = definitions.resolve_job_def("sync_labels")
    assert job.execute_in_process(instance=instance).success
    for task in label_studio.tasks(world.project):
        anna.answer(task["id"], "one")
    assert job.execute_in_process(instance=instance).success
    assert world.learn() == 1
    assert world.labels() == {0: {"one"}, 1: {"one"}}


def test_a_refused_token_fails_the_run_at_once_with_one_line(
    tmp_path: Path, world: ToolTicks, instance: dg.DagsterInstance, label_studio: Server
) -> None:
    tool = label_studio.resource(token="0" * 40)
    definitions = build_defs(
        read_environment({"AL_HOME": str(tmp_path)}, tmp_path),
        Settings(),
        {"archive": world.archive, "labelling_tool": tool},
    )
    result = definitions.resolve_job_def("sync_labels").execute_in_process(
        instance=instance, raise_on_error=False
    )
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "refuses the token" in str(failure.step_failure_data.user_failure_data.description)
    assert not any(event.is_step_up_for_retry for event in result.all_events)


def test_failures_are_tried_again_less_and_less_often_and_then_shown() -> None:
    state = replace(NOTHING, lacking=3)
    assert decide_sync(state, NOON).go
    for failures in range(1, MOST_FAILURES):
        pause = timedelta(minutes=2 ** (failures - 1))
        failed = replace(state, failed_at=(NOON,) * failures)
        assert not decide_sync(failed, NOON + pause - timedelta(seconds=1)).go
        assert decide_sync(failed, NOON + pause).go
    given_up = replace(state, failed_at=(NOON,) * MOST_FAILURES)
    shown = decide_sync(given_up, NOON + timedelta(hours=5))
    assert (shown.go, "failed 5 times, see its runs" in shown.reason) == (False, True)
    assert decide_sync(given_up, NOON + timedelta(hours=6)).go


def test_a_run_that_succeeded_and_left_the_work_is_not_asked_for_again() -> None:
    decision = decide_sync(replace(NOTHING, lacking=1, gap_left=True), NOON)
    assert (decision.go, decision.reason) == (
        False,
        "1 tasks to add; a run ended without doing it, see its log",
    )

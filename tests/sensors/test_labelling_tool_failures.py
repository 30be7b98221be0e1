"""Runs of `sync_labels` that fail: asked for less and less often whatever else changes, and never two at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from al_assets import jobs
from al_assets.headless import Headless, RunFailedError
from resources.environments import read_environment
from resources.labelling_tool_errors import LabellingToolError
from sensors.runs import in_flight
from support.imports import FRAMES
from support.label_studio import Person, Server
from support.ticks import FAILURE
from support.tool_ticks import ToolTicks


@pytest.fixture
def world(tmp_path: Path, label_studio: Server, instance: dg.DagsterInstance) -> Iterator[ToolTicks]:
    world = ToolTicks(tmp_path, label_studio.resource(), instance)
    world.send(1, FRAMES[:3])
    world.tick()
    world.run()
    yield world
    world.archive.database.close()


@pytest.fixture
def tasks(world: ToolTicks, label_studio: Server) -> list[int]:
    return [task["id"] for task in label_studio.tasks(world.project)]


def test_answers_that_keep_coming_do_not_ask_for_a_failing_run_at_each_tick(
    world: ToolTicks, tasks: list[int], anna: Person
) -> None:
    asked = []
    for task in tasks:
        anna.answer(task, "zero")
        asked.append(world.tick())
        world.ticks.end(FAILURE)
    assert asked == [True, False, False]
    assert "sync_labels failed, it is tried again after 1 minutes" in world.message


def test_tasks_that_cannot_be_added_hold_back_no_fetch(
    world: ToolTicks, tasks: list[int], anna: Person
) -> None:
    world.send(2, FRAMES[3:4])
    world.archive.storage.delete("stills/v1/00000015.jpg")

    def asked() -> bool:
        """Whether a run is asked for; it does what it can, and fails."""
        if not world.tick():
            return False
        with pytest.raises(LabellingToolError, match="cannot be added"):
            world.sync()
        world.ticks.end(FAILURE)
        return True

    assert [asked(), asked()] == [True, False]
    for number, task in enumerate(tasks, start=1):
        anna.answer(task, "zero")
        assert [asked(), asked()] == [True, False]
        assert len(world.fetched) == number


@pytest.mark.parametrize(("asset", "counts"), [("labelling_project", True), ("labels", False)])
def test_a_run_by_hand_counts_where_it_makes_the_project(
    instance: dg.DagsterInstance, asset: str, counts: bool
) -> None:
    run = dg.DagsterRun(
        job_name="__ASSET_JOB",
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset([dg.AssetKey(asset)]),
    )
    instance.add_run(run)
    assert bool(in_flight(instance, jobs.SYNC)) == counts
    assert bool(in_flight(instance, jobs.LEARN)) != counts


def test_a_second_sync_by_the_command_line_is_refused(tmp_path: Path) -> None:
    with Headless.open(read_environment({"AL_HOME": str(tmp_path)}, tmp_path)) as headless:
        learning = dg.DagsterRun(job_name=jobs.LEARN, status=dg.DagsterRunStatus.STARTED)
        headless.instance.add_run(learning)
        headless.run(jobs.SYNC)
        syncing = dg.DagsterRun(job_name=jobs.SYNC, status=dg.DagsterRunStatus.STARTED)
        headless.instance.add_run(syncing)
        with pytest.raises(RunFailedError, match="of sync_labels is under way; try again when it is done"):
            headless.run(jobs.SYNC)

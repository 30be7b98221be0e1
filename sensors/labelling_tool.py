"""Looks at the connected labelling tool: asks for `sync_labels` when it lacks tasks or has answers to fetch."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import dagster as dg

from al_assets import jobs
from al_assets.automation import WORK_TAG, Decision
from al_assets.labelling_look import Look, look
from al_assets.settings import Settings
from resources.archive import Archive
from resources.labelling_tool import LabelStudio
from resources.labelling_tool_errors import LabellingToolError
from sensors.runs import BROKEN, ENDED, busy, digest, request

REQUEST_SECONDS = 8.0
LOOK_SECONDS = 40.0
"""For all that a tick asks, whatever the server does: a tick has a minute."""
MOST_FAILURES = 5
RARELY = timedelta(hours=6)
"""Between tries after so many failures: what was mended meanwhile goes on by itself."""
GAP_TAG, FETCHED_TAG = "al/gap", "al/fetched"
"""Of a run: which tasks and choices were missing, and how the project stood at the last fetch where one was due."""


@dataclass(frozen=True)
class ToolState:
    """What the sensor knows when it decides.

    failed_at: when runs failed since the last that did not, newest first, whatever they were for; fetch_failed_at:
    those of them that have not fetched what was due. gap_left, fetch_left: the newest run ended well without doing it.
    """

    has_project: bool
    lacking: int
    spare: int
    can_answer: bool
    fetch: bool
    why: str
    answered_there: int = 0
    syncing: int = 0
    gap_left: bool = False
    fetch_left: bool = False
    failed_at: tuple[datetime, ...] = ()
    fetch_failed_at: tuple[datetime, ...] = ()


def state_of(found: Look, settings: Settings) -> ToolState:
    """The sensor's view of a look."""
    fetch, why = found.fetch_due(settings)
    lacking = sum(len(frames) for frames in found.lacking.values())
    return ToolState(
        found.project is not None,
        lacking,
        len(found.spare),
        found.can_answer,
        fetch,
        why,
        answered_there=found.answered_there,
    )


def decide_sync(state: ToolState, now: datetime) -> Decision:
    """One `sync_labels` run for tasks, choices or answers; after a failure again, with growing pauses.

    The server has just answered the look, so what failed while it was away is worth another try. A run fetches before
    all else, so that failures over tasks hold no answers back.
    """
    gaps = [
        f"{state.lacking} tasks to add" if state.lacking else "",
        f"{state.spare} tasks are there twice" if state.spare else "",
        "the classes have changed" if not state.can_answer else "",
    ]
    gap = "; ".join(filter(None, gaps))
    reason = "; ".join(filter(None, [gap, state.why if state.fetch else ""]))
    if not reason:
        there = f"; answered there, open here: {state.answered_there}" if state.answered_there else ""
        return Decision(False, f"every task is in the project; {state.why}{there}")
    if state.syncing:
        return Decision(False, f"{reason}; waits for the run in progress")
    waits = [
        *([_wait(state.fetch_failed_at, state.fetch_left, now)] if state.fetch else []),
        *([_wait(state.failed_at, state.gap_left, now)] if gap else []),
    ]
    if all(waits):
        return Decision(False, f"{reason}; {waits[0]}")
    return Decision(True, reason)


def _wait(failed_at: Sequence[datetime], left: bool, now: datetime) -> str:
    """Why a run is not asked for now; empty where it may be."""
    if left:
        return "a run ended without doing it, see its log"
    failures = len(failed_at)
    if failures >= MOST_FAILURES:
        said = f"sync_labels failed {failures} times, see its runs; it is tried again every 6 hours"
        return said if now - failed_at[0] < RARELY else ""
    if failures and now - failed_at[0] < (pause := timedelta(minutes=2 ** (failures - 1))):
        return f"sync_labels failed, it is tried again after {pause.seconds // 60} minutes"
    return ""


def make_labelling_tool(settings: Settings) -> dg.SensorDefinition:
    """The sensor, with the owner's interval."""

    @dg.sensor(
        name="labelling_tool",
        job=jobs.sync_labels,
        minimum_interval_seconds=settings.sensors.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Compares a connected Label Studio with the open tasks: adds what it lacks, fetches what is done.",
    )
    def labelling_tool(
        context: dg.SensorEvaluationContext, archive: Archive, labelling_tool: LabelStudio
    ) -> dg.SensorResult:
        if not labelling_tool.is_configured:
            return dg.SensorResult(
                skip_reason="no labelling tool is connected; set AL_LABEL_STUDIO_URL for one"
            )
        try:
            with labelling_tool.connect(
                timeout_seconds=REQUEST_SECONDS, limit_seconds=LOOK_SECONDS
            ) as server:
                found = look(archive, settings, labelling_tool, server)
        except LabellingToolError as error:
            # Said as the reason of the skip: the loop by files goes on, and the next tick looks again.
            context.log.warning(str(error))
            return dg.SensorResult(skip_reason=str(error))
        tags = _tags(found, settings)
        state = _with_runs(state_of(found, settings), context.instance, tags)
        decision = decide_sync(state, archive.now())
        context.log.info(decision.reason)
        if not decision.go:
            return dg.SensorResult(skip_reason=decision.reason)
        work = tags.pop(WORK_TAG)
        return dg.SensorResult(run_requests=[request(jobs.SYNC, decision.reason, work, **tags)])

    return labelling_tool


def _tags(found: Look, settings: Settings) -> dict[str, str]:
    """Names of what is to be done: the same gap in the same project, and the same answers, are the same work."""
    number = found.project.project_id if found.project else f"in place of {found.note and found.note.project}"
    config = found.project.config if found.project and not found.can_answer else ""
    gap = digest([number, sorted(found.lacking.items()), found.spare, config])
    if not found.fetch_due(settings)[0]:
        return {WORK_TAG: gap, GAP_TAG: gap, FETCHED_TAG: ""}
    fetched = digest([number, found.fetched])
    return {WORK_TAG: digest([gap, found.standing, fetched]), GAP_TAG: gap, FETCHED_TAG: fetched}


def _with_runs(state: ToolState, instance: dg.DagsterInstance, tags: dict[str, str]) -> ToolState:
    """The state with what became of earlier runs."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=jobs.SYNC, statuses=list(ENDED)), limit=MOST_FAILURES
    )
    failed = list(itertools.takewhile(lambda record: record.dagster_run.status in BROKEN, records))
    # Where the standing at the last fetch is another now, the run has fetched before it failed.
    unfetched = [record for record in failed if record.dagster_run.tags.get(FETCHED_TAG) == tags[FETCHED_TAG]]
    done = records[0].dagster_run.tags if records and not failed else {}
    return replace(
        state,
        syncing=len(busy(instance, jobs.SYNC)),
        gap_left=done.get(GAP_TAG) == tags[GAP_TAG],
        fetch_left=done.get(WORK_TAG) == tags[WORK_TAG],
        failed_at=tuple(_ended_at(record) for record in failed),
        fetch_failed_at=tuple(_ended_at(record) for record in unfetched),
    )


def _ended_at(record: dg.RunRecord) -> datetime:
    return record.update_timestamp.replace(tzinfo=None)

"""Looks at the connected labelling tool: asks for `sync_labels` when it lacks tasks or has answers to fetch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from al_assets import jobs
from al_assets.automation import WORK_TAG, Decision
from al_assets.labelling_sync import Look, look
from al_assets.settings import Settings
from resources.archive import Archive
from resources.labelling_tool import LabelStudio
from resources.labelling_tool_errors import LabellingToolError
from sensors.runs import BROKEN, LEFT, busy, digest, ended, request

REQUEST_SECONDS = 8.0
"""A tick has a minute, and asks four questions."""
MOST_FAILURES = 5


@dataclass(frozen=True)
class ToolState:
    """What the sensor knows when it decides. failed_at: when runs for exactly this failed, newest first."""

    has_project: bool
    lacking: int
    spare: int
    can_answer: bool
    fetch: bool
    why: str
    syncing: int = 0
    left: bool = False
    failed_at: tuple[datetime, ...] = ()


def state_of(found: Look, settings: Settings) -> ToolState:
    """The sensor's view of a look."""
    fetch, why = found.fetch_due(settings)
    lacking = sum(len(frames) for frames in found.lacking.values())
    return ToolState(found.project is not None, lacking, len(found.spare), found.can_answer, fetch, why)


def decide_sync(state: ToolState, now: datetime) -> Decision:
    """One `sync_labels` run for tasks, choices or answers; after a failure again, with growing pauses.

    The server has just answered the look, so what failed while it was away is worth another try.
    """
    wants = [
        f"{state.lacking} tasks to add" if state.lacking else "",
        f"{state.spare} tasks are there twice" if state.spare else "",
        "the classes have changed" if not state.can_answer else "",
        state.why if state.fetch else "",
    ]
    reason = "; ".join(filter(None, wants))
    if not reason:
        return Decision(False, f"every task is in the project; {state.why}")
    if state.syncing:
        return Decision(False, f"{reason}; waits for the run in progress")
    if state.left:
        return Decision(False, f"{reason}; a run ended without doing it, see its log")
    failures = len(state.failed_at)
    if failures >= MOST_FAILURES:
        return Decision(
            False, f"{reason}; sync_labels failed {failures} times, see its runs, then re-execute one"
        )
    if failures and now - state.failed_at[0] < (pause := timedelta(minutes=2 ** (failures - 1))):
        return Decision(
            False, f"{reason}; sync_labels failed, it is tried again after {pause.seconds // 60} minutes"
        )
    return Decision(True, reason)


def make_labelling_tool(settings: Settings) -> dg.SensorDefinition:
    """The sensor, with the owner's interval."""

    @dg.sensor(
        name="labelling_tool",
        job=jobs.sync_labels,
        minimum_interval_seconds=settings.sensors.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tasks that the connected Label Studio lacks, and answers in it that are finished.",
    )
    def labelling_tool(
        context: dg.SensorEvaluationContext, archive: Archive, labelling_tool: LabelStudio
    ) -> dg.SensorResult:
        if not labelling_tool.is_configured:
            return dg.SensorResult(
                skip_reason="no labelling tool is connected; set AL_LABEL_STUDIO_URL for one"
            )
        try:
            with labelling_tool.connect(timeout_seconds=REQUEST_SECONDS) as server:
                found = look(archive, settings, labelling_tool, server)
        except LabellingToolError as error:
            # Said as the reason of the skip: the loop by files goes on, and the next tick looks again.
            context.log.warning(str(error))
            return dg.SensorResult(skip_reason=str(error))
        work = _work(found)
        state = state_of(found, settings)
        decision = decide_sync(
            ToolState(
                **{
                    **state.__dict__,
                    "syncing": len(busy(context.instance, jobs.SYNC)),
                    "failed_at": _failed_at(context.instance, work),
                    "left": ended(context.instance, jobs.SYNC, work) == LEFT,
                }
            ),
            archive.now(),
        )
        context.log.info(decision.reason)
        if not decision.go:
            return dg.SensorResult(skip_reason=decision.reason)
        return dg.SensorResult(run_requests=[request(jobs.SYNC, decision.reason, work)])

    return labelling_tool


def _work(found: Look) -> str:
    """Name of what is to be done: the same gap in the same project is the same work."""
    number = found.project.project_id if found.project else f"in place of {found.note.project}"
    config = found.project.config if found.project and not found.can_answer else ""
    return digest(
        [number, sorted(found.lacking.items()), found.spare, config, found.standing, found.note.fetched]
    )


def _failed_at(instance: dg.DagsterInstance, work: str) -> Sequence[datetime]:
    """When runs that were asked for exactly this failed, newest first."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=jobs.SYNC, statuses=list(BROKEN), tags={WORK_TAG: work}), limit=MOST_FAILURES
    )
    return tuple(record.update_timestamp.replace(tzinfo=None) for record in records)

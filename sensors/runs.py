"""What Dagster's instance knows of runs, in the terms that the sensors decide by. No decisions."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from al_assets.automation import IN_FLIGHT, REASON_TAG, WORK_TAG, keys_between

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
LOOKED_BACK = 200
"""Failed runs looked at: the newest, so that a tick's cost does not grow with history."""


def in_flight(instance: dg.DagsterInstance, *jobs: str) -> list[dg.DagsterRun]:
    """Runs of the jobs that are queued or under way."""
    return [
        run
        for job in jobs
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=list(IN_FLIGHT)), limit=LOOKED_BACK)
    ]


def failed(instance: dg.DagsterInstance, job: str) -> Sequence[dg.DagsterRun]:
    """The newest failed runs of a job."""
    return instance.get_runs(
        dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.FAILURE]), limit=LOOKED_BACK
    )


def failed_work(instance: dg.DagsterInstance, job: str, work: str) -> bool:
    """Whether a run that was asked to do exactly this has failed for good."""
    runs = instance.get_runs(
        dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.FAILURE], tags={WORK_TAG: work}), limit=1
    )
    return bool(runs)


def range_of(run: dg.DagsterRun) -> tuple[str, str]:
    """First and last partition key of a run."""
    first = run.tags.get(RANGE_START) or run.tags.get("dagster/partition", "")
    return first, run.tags.get(RANGE_END) or first


def keys_of(runs: Sequence[dg.DagsterRun], order: Sequence[str]) -> set[str]:
    """Partition keys that runs cover."""
    return {key for run in runs for key in keys_between(*range_of(run), order)}


def request(job: str, reason: str, work: str, **tags: str) -> dg.RunRequest:
    """A run request whose tags say why it was made and for what."""
    return dg.RunRequest(job_name=job, tags={REASON_TAG: reason, WORK_TAG: work, **tags})

"""Sensor ticks against a real, persistent Dagster instance, and runs that take the place of launched ones."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import dagster as dg

from resources.archive import Archive
from support.small_archives import SmallArchive

STARTED, SUCCESS = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS
FAILURE, CANCELED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED


class Ticks(SmallArchive):
    """A small archive, its sensors and their instance. What a tick asks for is launched and stays under way."""

    def __init__(self, archive: Archive, instance: dg.DagsterInstance, **settings: object) -> None:
        super().__init__(archive, **settings)
        self.instance = instance
        self.message = ""

    def tick(self, sensor: dg.SensorDefinition) -> list[dg.RunRequest]:
        """One tick: partition keys are added, runs are started; returns what was asked for."""
        with dg.build_sensor_context(instance=self.instance, resources={"archive": self.archive}) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        for change in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(change.partitions_def_name, list(change.partition_keys))
        requests = list(result.run_requests or [])
        for request in requests:
            self.launch(str(request.job_name), request.tags)
        self.message = result.skip_reason.skip_message if result.skip_reason else ""
        return requests

    def launch(
        self,
        job: str,
        tags: dict[str, str] | None = None,
        status: dg.DagsterRunStatus = STARTED,
        assets: Iterable[str] = (),
    ) -> dg.DagsterRun:
        """A run as the instance knows it."""
        run = dg.DagsterRun(
            job_name=job,
            run_id=str(uuid.uuid4()),
            status=status,
            tags=dict(tags or {}),
            asset_selection=frozenset(dg.AssetKey(name) for name in assets) or None,
        )
        return self.instance.add_run(run)

    def end(
        self, status: dg.DagsterRunStatus, job: str | None = None, tags: dict[str, str] | None = None
    ) -> int:
        """End every run under way, or those of one job; returns how many."""
        running = self.instance.get_runs(dg.RunsFilter(job_name=job, statuses=[STARTED]))
        for run in running:
            self.instance.delete_run(run.run_id)
            self.instance.add_run(run.with_status(status).with_tags({**run.tags, **(tags or {})}))
        return len(running)


def asked(requests: list[dg.RunRequest]) -> list[tuple[str, str, str]]:
    """Job and key range of each request; empty strings for a request without a range."""
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    return [(str(r.job_name), r.tags.get(start, ""), r.tags.get(end, "")) for r in requests]

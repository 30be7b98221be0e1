"""The platform as a daemon drives it: environment variables, sensors evaluated, what they ask for run as real jobs.

No test here, and nothing that the production code does not do itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg
import pytest

from al_assets.archives import make_archive
from al_assets.definitions import build_defs
from al_assets.home import open_instance, prepare
from resources.environments import read_environment

SENSORS = ("video_arrivals", "label_exports", "retraining")
LONGEST = 20
"""Rounds of ticks; whoever asks for ever has a fault."""


class Production:
    """An installation at this process's environment, its definitions loaded as the code location loads them."""

    def __init__(self) -> None:
        environment = read_environment()
        prepare(environment)
        self.definitions = build_defs()
        self.instance = open_instance(environment)
        self.archive = make_archive(environment)
        self.ran: list[str] = []

    def settle(self) -> list[str]:
        """Let sensors tick and run what they ask for until none asks any more; returns the jobs in order."""
        began, quiet = len(self.ran), 0
        for _ in range(LONGEST):
            asked = [self._tick(name) for name in SENSORS]
            quiet = 0 if any(asked) else quiet + 1
            if quiet == 2:  # a file is taken up at the second look
                return self.ran[began:]
        pytest.fail(f"sensors go on asking: {self.ran[began:]}")

    def _tick(self, name: str) -> int:
        repository = self.definitions.get_repository_def()
        resources = repository.get_top_level_resources()
        with dg.build_sensor_context(
            self.instance, repository_def=repository, sensor_name=name, resources=resources
        ) as context:
            result = repository.get_sensor_def(name).evaluate_tick(context)
        for change in result.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(change.partitions_def_name, list(change.partition_keys))
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        for request in result.run_requests or ():
            self._run(str(request.job_name), request.tags)
        return len(result.run_requests or ())

    def _run(self, job: str, tags: Mapping[str, str]) -> None:
        definition = self.definitions.resolve_job_def(job)
        ran = definition.execute_in_process(instance=self.instance, tags=dict(tags))
        assert ran.success
        self.ran.append(job)


@contextmanager
def production(variables: Mapping[str, str]) -> Iterator[Production]:
    """The platform with these environment variables, as long as the block lasts."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AL_DATABASE_URL", "AL_STORAGE_URL", "AL_STORAGE_ACCOUNT_URL", "AL_STORAGE_KEY"):
            environment.delenv(name, raising=False)
        for name, value in variables.items():
            environment.setenv(name, value)
        platform = Production()
        try:
            yield platform
        finally:
            platform.instance.dispose()
            platform.archive.database.close()

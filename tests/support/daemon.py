"""Dagster's daemon in small: sensors tick, and what they ask for is run to its end. No assertion belongs here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pandas as pd

from al_assets.headless import QUIET, Headless
from resources.environments import read_environment

SENSORS = ("video_arrivals", "label_exports", "embedder_switch")
SCORING = ("projection", "predictions", "serving_checkpoint", "retired_versions")
CORE = {
    "learn": (*("labels", "training_set", "checkpoint", "evaluation", "candidate_checkpoint"), *SCORING),
    "score": SCORING,
}
"""Of these jobs what decides; batches, drift, reports and maps take most of their time."""


class Daemon:
    """An installation at a home folder; `settings` is the text of its al.toml."""

    def __init__(self, home: Path, settings: str) -> None:
        home.mkdir(exist_ok=True)
        (home / "al.toml").write_text(settings, encoding="utf-8")
        self.platform = Headless.open(read_environment({"AL_HOME": str(home)}, home.parent))
        self.archive, self.instance = self.platform.archive, self.platform.instance
        self.messages: dict[str, str] = {}

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self.archive.database.close()
        self.instance.dispose()

    def ask(self, sensor: str) -> list[dg.RunRequest]:
        """One tick of a sensor."""
        definition = self.platform.definitions.resolve_sensor_def(sensor)
        with dg.build_sensor_context(
            instance=self.instance, resources={"archive": self.archive}, sensor_name=sensor
        ) as context:
            result = definition(context)
        assert isinstance(result, dg.SensorResult)
        self.messages[sensor] = (result.skip_reason.skip_message or "") if result.skip_reason else ""
        return list(result.run_requests or [])

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """What a request asks for, to its end; a failure is left to the sensors. Of some jobs the core alone."""
        core = [dg.AssetKey(name) for name in CORE.get(str(request.job_name), ())]
        chosen = list(request.asset_selection or core)
        job = self.platform.definitions.resolve_job_def(str(request.job_name))
        return job.execute_in_process(
            instance=self.instance,
            tags=dict(request.tags),
            run_config=QUIET,
            asset_selection=chosen or None,
            raise_on_error=False,
        )

    @contextmanager
    def under_way(self, request: dg.RunRequest) -> Iterator[None]:
        """As if what was asked for were being run."""
        started = dg.DagsterRunStatus.STARTED
        run = dg.DagsterRun(job_name=str(request.job_name), status=started, tags=dict(request.tags))
        self.instance.add_run(run)
        yield
        self.instance.delete_run(run.run_id)

    def round(self) -> list[dg.RunRequest]:
        """One tick of each sensor, each followed by what it asked for."""
        asked = []
        for sensor in SENSORS:
            for request in self.ask(sensor):
                if request.job_name != "select_batch":
                    asked.append(request)
                    self.run(request)
        return asked

    def until_quiet(self, rounds: int = 12) -> list[dg.RunRequest]:
        """Rounds until two in a row ask for nothing; all that was asked for."""
        asked: list[dg.RunRequest] = []
        quiet = 0
        for _ in range(rounds):
            found = self.round()
            asked += found
            quiet = 0 if found else quiet + 1
            if quiet == 2:
                return asked
        raise AssertionError(f"not quiet after {rounds} rounds: {[jobs_of([r]) for r in asked]}")

    def rows(self, query: str) -> pd.DataFrame:
        """Rows of a query."""
        return self.archive.monitoring.query(query)

    def one(self, query: str) -> object:
        """The one value of a query."""
        return self.rows(query).iloc[0, 0]


def jobs_of(asked: list[dg.RunRequest]) -> list[str]:
    """job, or job:assets where only some of its assets were asked for."""
    return [
        f"{r.job_name}:{','.join(k.to_user_string() for k in r.asset_selection)}"
        if r.asset_selection
        else str(r.job_name)
        for r in asked
    ]

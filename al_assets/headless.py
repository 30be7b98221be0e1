"""Running the platform's own jobs and sensors in this process, for the command line. Same jobs as in production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from al_assets import jobs
from al_assets.archives import make_archive
from al_assets.automation import REASON_TAG
from al_assets.definitions import build_defs
from al_assets.embeddings.assets import configured_embedder
from al_assets.home import open_instance, prepare
from al_assets.partitions import VIDEOS
from al_assets.settings import Settings, load_settings
from resources.archive import Archive
from resources.environments import Environment
from sensors.label_exports import register_exports
from sensors.runs import RANGE_END, RANGE_START, in_flight
from sensors.video_arrivals import register_arrivals

QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
"""The command line speaks for itself; the run's own log is in the Dagster UI."""


class RunFailedError(RuntimeError):
    """A job failed; the message names its step and cause."""


@dataclass(frozen=True)
class Headless:
    """An installation with its definitions and instance, ready to run jobs."""

    environment: Environment
    settings: Settings
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    archive: Archive

    @classmethod
    def open(cls, environment: Environment, settings: Settings | None = None) -> Headless:
        """Prepare the home and load the definitions."""
        prepare(environment)
        settings = settings or load_settings(environment.settings_path)
        definitions = build_defs(environment, settings)
        archive = make_archive(environment)
        return cls(environment, settings, definitions, open_instance(environment), archive)

    def __enter__(self) -> Headless:
        """Use as a context, so that the instance is closed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close Dagster's instance."""
        self.instance.dispose()

    def lacking(self) -> list[str]:
        """Videos that lack frames or vectors, oldest first."""
        lacking = self.archive.videos.lacking_frames(self.settings.frames.frames_per_second)
        lacking += self.archive.videos.lacking("embeddings", configured_embedder(self.settings.embeddings))
        return list(dict.fromkeys(lacking))

    def run(
        self, job: str, *, tags: Mapping[str, str] | None = None, config: Any = None
    ) -> dg.ExecuteInProcessResult:
        """Run a job to its end. Raises RunFailedError with the first failed step and its cause.

        A job that changes the model, or the labelling tool's project, waits for nobody: while another such run is
        under way it is refused.
        """
        rivals = next((each for each in (jobs.ONE_AT_A_TIME, (jobs.SYNC,)) if job in each), ())
        if rivals and (busy := in_flight(self.instance, *rivals)):
            raise RunFailedError(
                f"{job}: run {busy[0].run_id[:8]} of {busy[0].job_name} is under way; try again when it is done"
            )
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            tags={REASON_TAG: "asked for on the command line", **(tags or {})},
            run_config={**QUIET, **(config or {})},
            raise_on_error=False,
        )
        if not result.success:
            events = [event for event in result.all_events if event.is_step_failure]
            error = events[0].step_failure_data.error if events else None
            while error is not None and error.cause is not None:
                error = error.cause
            step = events[0].step_key if events else job
            raise RunFailedError(f"{job}: {step}: {error.message.strip() if error else 'see the run'}")
        return result

    def take_in_videos(self) -> Sequence[str]:
        """Register what lies in `videos/` as the sensor does (two looks) and add its partition keys."""
        for _ in range(2):
            register_arrivals(self.archive, self.settings, self.archive.now())
        name = str(VIDEOS.name)
        known = set(self.instance.get_dynamic_partitions(name))
        keys = [v.video_id for v in self.archive.videos.known() if v.status not in ("copy", "retired")]
        fresh = [key for key in keys if key not in known]
        self.instance.add_dynamic_partitions(name, fresh)
        self._report("videos", new_videos=len(fresh))
        return keys

    def ingest(self, first: str, last: str) -> dg.ExecuteInProcessResult:
        """Run `ingest_videos` for a key range."""
        return self.run(jobs.INGEST, tags={RANGE_START: first, RANGE_END: last})

    def take_in_exports(self) -> list[int]:
        """Register what lies in `label_exports/` as the sensor does (two looks)."""
        new: list[int] = []
        for _ in range(2):
            new += register_exports(self.archive, self.settings, self.archive.now())[0]
        self._report("label_exports", new_exports=len(new))
        return new

    def _report(self, asset: str, **counts: int) -> None:
        """Put what the world made in the lineage graph, as the sensors do."""
        metadata = {**counts, **self.archive.monitoring.table_metadata(asset)}
        self.instance.report_runless_asset_event(dg.AssetMaterialization(asset, metadata=metadata))

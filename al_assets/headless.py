"""Running the platform's own jobs and sensors in this process, for the command line. Same jobs as in production."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from al_assets import jobs
from al_assets.archives import make_archive
from al_assets.arrivals import Bounds, register_arrivals
from al_assets.automation import REASON_TAG
from al_assets.definitions import build_defs
from al_assets.embedder_choice import lacking_vectors
from al_assets.home import open_instance, prepare
from al_assets.partitions import RANGE_END, RANGE_START, VIDEOS
from al_assets.settings import Settings, load_settings
from resources.archive import Archive
from resources.environments import Environment
from resources.queries.backfill import FailedVideo
from resources.queries.videos import LIVE, Video
from sensors.label_exports import register_exports
from sensors.runs import in_flight
from sensors.video_arrivals import add_keys, ingestion

QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
"""The command line speaks for itself; the run's own log is in the Dagster UI."""


class RunFailedError(RuntimeError):
    """A job failed; the message names its step and cause."""


NO_BOUNDS = Bounds(10**9, float("inf"))
"""A command takes in all that there is; only a sensor's tick is cut short."""


@dataclass(frozen=True)
class TakenIn:
    """What a bulk registration changed, its faults, the partition keys it added and those there are."""

    summary: str
    faults: tuple[str, ...]
    keys: int
    all_keys: int


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
        lacking += lacking_vectors(self.archive, self.settings.embeddings)
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
        self.register_videos()
        return self.archive.videos.partition_keys()

    def register_videos(
        self,
        pause: Callable[[], None] = lambda: None,
        progress: Callable[[int, int], None] = lambda done, due: None,
    ) -> TakenIn:
        """Take in all of `videos/` that stands still over two looks with `pause` between them."""
        register_arrivals(self.archive, self.settings, self.archive.now())
        pause()
        registration, faults = register_arrivals(
            self.archive, self.settings, self.archive.now(), bounds=NO_BOUNDS, progress=progress
        )
        before = len(self.instance.get_dynamic_partitions(str(VIDEOS.name)))
        keys = add_keys(self.instance, self.archive.videos.partition_keys(), NO_BOUNDS.arrivals)
        self._report("videos", new_videos=len(keys) - before)
        return TakenIn(registration.summary, tuple(faults), len(keys) - before, len(keys))

    def failed_videos(self) -> list[FailedVideo]:
        """Videos that could not be read, or not whole, and those that `video_arrivals` has given up."""
        found = self.archive.backfill.failed()
        state, _, _ = ingestion(self.instance, self.archive, self.settings)
        there = {video.video_id: video for video in found}
        for video in self.archive.videos.get(state.given_up - there.keys()):
            found.append(
                FailedVideo(video.video_id, video.path, video.status, "its runs failed; see them", 0)
            )
        tried = {key: state.attempts.get(key, 0) + (key in state.failed) for key in state.given_up}
        return [replace(video, tries=video.tries + tried.get(video.video_id, 0)) for video in found]

    def to_retry(self, video_ids: Sequence[str]) -> list[Video]:
        """The named videos, or all that failed. Raises LookupError for one that is not part of the archive."""
        wanted = list(video_ids) or [video.video_id for video in self.failed_videos()]
        found = {video.video_id: video for video in self.archive.videos.get(wanted)}
        for key in wanted:
            if key not in found or found[key].status not in LIVE:
                raise LookupError(
                    f"there is no video {key} to read; `al videos failed` lists those that failed"
                )
        add_keys(self.instance, wanted, len(wanted))
        return [found[key] for key in wanted]

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

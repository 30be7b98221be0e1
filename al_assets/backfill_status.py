"""How far the archive is worked off and how long the rest will take, in lines for `al status`. Reads only."""

from __future__ import annotations

from datetime import datetime, timedelta

import dagster as dg

from al_assets.automation import IN_FLIGHT, counted
from al_assets.embedder_choice import wanted_embedder
from al_assets.partitions import keys_warning
from al_assets.progress import duration, seconds_left
from al_assets.settings import Settings, load_settings
from al_assets.staleness import stale_lines
from resources.archive import Archive
from resources.environments import Environment
from resources.queries.backfill import Speed, Stand

LOOKED_BACK = timedelta(hours=1)
SLICES_AT_LEAST = 5
"""Commits below which a speed would be a guess."""


def backfill_lines(
    archive: Archive, settings: Settings, instance: dg.DagsterInstance | None = None
) -> list[tuple[str, str]]:
    """(name, value) lines: what stands and is left, the last hour's speed and the time left, runs, what is stale."""
    serving = archive.models.serving()
    stand = archive.backfill.stand(
        settings.frames.frames_per_second,
        wanted_embedder(archive, settings.embeddings),
        serving.checkpoint_id if serving else None,
    )
    speed = archive.backfill.speed("embeddings", archive.now() - LOOKED_BACK)
    lines = [("ingested", _ingested(stand)), ("speed", speed_words(stand, speed, archive.now()))]
    if instance is not None:
        lines.append(("runs", _runs(instance)))
    if warning := keys_warning(len(archive.videos.partition_keys())):
        lines.append(("partitions", warning))
    return [*lines, *stale_lines(archive, settings)]


def progress_lines(archive: Archive, environment: Environment) -> list[tuple[str, str]]:
    """`backfill_lines` of an installation, with its runs where Dagster has a home."""
    settings = load_settings(environment.settings_path)
    if not (environment.dagster_home / "dagster.yaml").exists():
        return backfill_lines(archive, settings)
    with dg.DagsterInstance.from_config(str(environment.dagster_home)) as instance:
        return backfill_lines(archive, settings, instance)


def _ingested(stand: Stand) -> str:
    if not stand.videos:
        return "no video yet"
    scored = "no model serves" if stand.with_scores is None else f"{stand.with_scores} with scores"
    return f"of {stand.videos} videos {stand.with_frames} with frames, {stand.with_vectors} with vectors, {scored}"


def speed_words(stand: Stand, speed: Speed, now: datetime) -> str:
    """Frames a second of the last hour, and how long the rest will take at that; "unknown" where too little is.

    The speed is from the first commit of the hour to the last: waiting between runs counts, an idle hour does not.
    """
    left = stand.videos - stand.with_vectors
    if not left:
        return "nothing is left to ingest"
    rate = frames_per_second(speed)
    if rate is None:
        return (
            f"{counted(left, 'video')} to go; the time left is unknown, little was ingested in the last hour"
        )
    seconds = seconds_left(
        size_left=stand.size_bytes - stand.vector_bytes,
        size_done=stand.vector_bytes,
        frames_done=stand.vector_frames,
        frames_per_second=rate,
    )
    ago = (now - speed.last).total_seconds() if speed.last else 0.0
    said = f"{rate:.3g} frames/s in the last hour, {counted(left, 'video')} to go"
    said += f", about {duration(seconds)}" if seconds is not None else ", the time left is unknown"
    return said + (f"; nothing was ingested for {duration(ago)}" if ago > 600 else "")


def frames_per_second(speed: Speed) -> float | None:
    """Frames a second between the first commit and the last; None where too few commits tell."""
    if speed.slices < SLICES_AT_LEAST or speed.first is None or speed.last is None:
        return None
    seconds = (speed.last - speed.first).total_seconds()
    return speed.frames / seconds if seconds > 0 and speed.frames > 0 else None


def _runs(instance: dg.DagsterInstance) -> str:
    """Runs of the platform's jobs and of backfills that are queued or under way."""
    runs = instance.get_runs(dg.RunsFilter(statuses=list(IN_FLIGHT)), limit=1_000)
    if not runs:
        return "none under way"
    names: dict[str, int] = {}
    for run in runs:
        name = run.job_name if not run.job_name.startswith("__") else "by hand or backfill"
        names[name] = names.get(name, 0) + 1
    waiting = sum(run.status == dg.DagsterRunStatus.QUEUED for run in runs)
    named = ", ".join(f"{count} {name}" for name, count in sorted(names.items()))
    return named + (f" ({waiting} waiting in the queue)" if waiting else "")

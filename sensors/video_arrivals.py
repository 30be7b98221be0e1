"""Looks at `videos/`: registers what is new, and asks for what registered videos lack. Decisions are in automation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import dagster as dg

from al_assets import jobs
from al_assets.arrivals import register_arrivals
from al_assets.automation import LoopState, decide_first_batch, decide_score
from al_assets.code_versions import frames_suffix
from al_assets.embedder_choice import embedder_to_read, lacking_vectors, wanted_embedder
from al_assets.frames.registration import Registration
from al_assets.ingest_order import ranks
from al_assets.ingest_plan import IngestPlan, IngestState, plan_ingest
from al_assets.partitions import RANGE_END, RANGE_START, VIDEOS
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.labels import UNCLAIMED
from resources.queries.videos import expected_version
from sensors.runs import IngestRuns, busy, digest, ended, request

FAULTS_SHOWN = 5


def add_keys(instance: dg.DagsterInstance, wanted: Sequence[str], limit: int) -> list[str]:
    """Add partition keys that are wanted and not there, at most `limit`; returns all keys in Dagster's order.

    By the instance, all at once: keys that a sensor's result asks for are looked up one by one by the daemon (1.9 ms
    each), and a run may be asked for only once its keys are there. A key that is there already changes nothing.
    """
    name = str(VIDEOS.name)
    order = list(instance.get_dynamic_partitions(name))
    there = set(order)
    fresh = [key for key in wanted if key not in there][:limit]
    if fresh:
        instance.add_dynamic_partitions(name, fresh)
    return [*order, *fresh]


def _ranks(archive: Archive, settings: Settings) -> dict[str, int]:
    """The order that the owner wants, as places; empty for that of registration."""
    order = settings.sensors.order
    if order == "oldest":
        return {}
    drift = archive.backfill.drift() if order == "most_drifted" else {}
    return ranks(order, archive.backfill.moments(), drift)


def ingestion(
    instance: dg.DagsterInstance, archive: Archive, settings: Settings, order: Sequence[str] | None = None
) -> tuple[IngestState, IngestPlan, IngestRuns]:
    """What is left to ingest, which ranges to ask for, and what the runs so far tell. order: all partition keys."""
    order = list(instance.get_dynamic_partitions(str(VIDEOS.name))) if order is None else order
    rate, embedder = settings.frames.frames_per_second, wanted_embedder(archive, settings.embeddings)
    to_read = archive.videos.lacking_frames(rate)
    lacking = list(dict.fromkeys([*to_read, *lacking_vectors(archive, settings.embeddings)]))
    etags = archive.backfill.etags() if lacking else {}
    versions = {key: expected_version(etags[key], rate) for key in lacking if key in etags}
    runs = IngestRuns(instance, order, versions, digest([rate, embedder, frames_suffix()]))
    running = busy(instance, jobs.INGEST)
    several, alone = runs.left() if lacking else (frozenset(), Counter())
    state = IngestState(
        ranks=_ranks(archive, settings) if lacking else {},
        order=tuple(order),
        lacking=tuple(lacking),
        to_read=frozenset(to_read),
        in_flight=runs.keys_of(running),
        runs_in_flight=len(running),
        failed=(runs.failed() if lacking else frozenset()) | several,
        attempts=Counter(runs.attempts(lacking)) + alone,
    )
    sensors = settings.sensors
    plan = plan_ingest(state, videos_per_run=sensors.videos_per_run, runs_at_once=sensors.runs_in_flight)
    return state, plan, runs


def _ingest(reason: str, work: str, first: str, last: str, *, read: bool) -> dg.RunRequest:
    """A run for a range; where no video of it lacks frames, one that decodes none for them again."""
    assets = () if read else ("embeddings",)
    return request(jobs.INGEST, reason, work, assets=assets, **{RANGE_START: first, RANGE_END: last})


def _follow_up(
    context: dg.SensorEvaluationContext, archive: Archive, settings: Settings, ingest: IngestState
) -> tuple[list[dg.RunRequest], list[str]]:
    """`score` or a first `select_batch`, where due."""
    serving, target = archive.models.serving(), archive.models.target()
    # A model that was promoted and does not serve yet counts too: its scores may have been cut off.
    models = {model.checkpoint_id: model for model in (serving, target) if model is not None}
    unscored = [
        video_id
        for model in models.values()
        for video_id in archive.videos.lacking_predictions(model.checkpoint_id, model.embedder_id)
    ]
    embedded = archive.videos.covered_by("embeddings", embedder_to_read(archive, settings.embeddings))
    # During a switch of embedders the model in use goes on scoring what it sees.
    seen = frozenset(archive.videos.covered_by("embeddings", serving.embedder_id) if serving else ())
    waiting = set(ingest.lacking) - ingest.given_up - seen
    state = LoopState(
        ingesting=ingest.runs_in_flight if waiting or not seen else 0,
        learning=len(busy(context.instance, jobs.LEARN, jobs.SCORE)),
        selecting=len(busy(context.instance, jobs.SELECT)),
        unclaimed_exports=len(archive.labels.exports(*UNCLAIMED)),
        embedded_videos=len(embedded),
        lacking_frames=len(waiting),
        batches=archive.selection.count_batches(),
        has_serving=serving is not None,
        unscored_videos=len(unscored),
    )
    versions = [(video.video_id, video.frames_version) for video in archive.videos.get(unscored)]
    wishes = (
        (jobs.SCORE, decide_score, f"{digest(sorted(models))}:{digest(versions)}"),
        (jobs.SELECT, decide_first_batch, f"first:{digest(embedded)}"),
    )
    requests, reasons = [], []
    for job, decide, work in wishes:
        decision = decide(state)
        if decision.go:  # the instance is asked only where it matters
            decision = decide(replace(state, ended=ended(context.instance, job, work)))
        reasons.append(f"{job}: {decision.reason}")
        if decision.go:
            requests.append(request(job, decision.reason, work))
    return requests, reasons


def make_video_arrivals(settings: Settings) -> dg.SensorDefinition:
    """The sensor, with the owner's interval and caps."""

    @dg.sensor(
        name="video_arrivals",
        jobs=[jobs.ingest_videos, jobs.score, jobs.select_batch],
        minimum_interval_seconds=settings.sensors.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for new, moved, replaced and missing videos, and asks for the frames, vectors and scores "
        "that they lack, and for the first batch.",
    )
    def video_arrivals(context: dg.SensorEvaluationContext, archive: Archive) -> dg.SensorResult:
        registration, faults = register_arrivals(archive, settings, archive.now())
        order = add_keys(context.instance, archive.videos.partition_keys(), settings.sensors.videos_per_tick)
        ingest, plan, runs = ingestion(context.instance, archive, settings, order)
        requests = [
            _ingest(plan.reason, runs.work(first, last), first, last, read=first in ingest.to_read)
            for first, last in plan.ranges
        ]
        more, reasons = ([], []) if requests else _follow_up(context, archive, settings, ingest)
        shown = faults[:FAULTS_SHOWN] + [f"{len(faults)} faults in all"] * (len(faults) > FAULTS_SHOWN)
        message = "; ".join([f"videos/: {registration.summary}", *shown, plan.reason, *reasons])
        context.log.info(message)
        return dg.SensorResult(
            run_requests=[*requests, *more],
            asset_events=_events(registration),
            skip_reason=None if requests or more else message,
        )

    return video_arrivals


def _events(registration: Registration) -> list[dg.AssetMaterialization]:
    """New videos, put in the lineage graph without a run."""
    paths = [arrival.path for arrival, _ in registration.new] + [a.path for _, a, _ in registration.grown]
    if not paths:
        return []
    return [
        dg.AssetMaterialization(
            "videos",
            description=registration.summary,
            metadata={"new_videos": len(registration.new), "paths": ", ".join(paths[:20])},
        )
    ]

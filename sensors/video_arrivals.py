"""Looks at `videos/`: registers what is new, and asks for what registered videos lack. Decisions are in automation."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from al_assets import jobs
from al_assets.automation import (
    IngestState,
    LoopState,
    decide_first_batch,
    decide_score,
    plan_ingest,
)
from al_assets.embeddings.assets import configured_embedder
from al_assets.frames.registration import (
    METADATA_FILE,
    Arrival,
    KnownVideo,
    Registration,
    group_arrivals,
    look,
    plan_registration,
    read_metadata,
)
from al_assets.labels.splits import split_of
from al_assets.partitions import VIDEOS
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.labels import UNCLAIMED
from sensors.runs import RANGE_END, RANGE_START, failed, failed_work, in_flight, keys_of, range_of, request

AREA = "videos"


class _Splits:
    """The split of the next video or site, by its ordinal."""

    def __init__(self, settings: Settings) -> None:
        self.by_site = settings.archive.split_by == "site"
        self.seed = settings.archive.split_seed

    def __call__(self, ordinal: int) -> str:
        return split_of(ordinal, self.seed)


def register_arrivals(archive: Archive, settings: Settings, now: datetime) -> tuple[Registration, list[str]]:
    """Bring the register in line with storage; returns what changed and faults of the metadata file.

    A listing that fails raises: it is not an empty archive.
    """
    listed = [
        (file.path.removeprefix(f"{AREA}/"), file.etag, file.size_bytes)
        for file in archive.storage.list(f"{AREA}/")
    ]
    arrivals = group_arrivals(listed)
    known = [
        KnownVideo(
            v.video_id, v.path, v.kind, v.etag, v.content_hash, v.missing_at is not None, v.status == "copy"
        )
        for v in archive.videos.known()
    ]
    seen = look(arrivals, known, archive.videos.looks(AREA), limit=settings.sensors.videos_per_tick)
    hashes = {arrival.path: _content_hash(archive, arrival) for arrival in seen.settled}
    facts, faults = _metadata(archive, [path for path, _, _ in listed])
    registration = plan_registration(arrivals, hashes, known)
    archive.videos.register(registration, facts, _Splits(settings), now=now)
    archive.videos.update_facts(facts)
    waiting = {a.path: (a.etag, a.size_bytes, seen.looks[a.path]) for a in seen.waiting}
    archive.videos.record_looks(AREA, waiting, now)
    return registration, faults


def _content_hash(archive: Archive, arrival: Arrival) -> str:
    if arrival.kind == "video":
        return archive.storage.fingerprint(f"{AREA}/{arrival.path}")
    names = sorted(member.rsplit("/", 1)[-1] for member in arrival.members)
    return hashlib.sha256("\0".join([*names, str(arrival.size_bytes)]).encode()).hexdigest()


def _metadata(archive: Archive, paths: Sequence[str]) -> tuple[dict, list[str]]:
    if METADATA_FILE not in paths:
        return {}, []
    raw = archive.storage.read(f"{AREA}/{METADATA_FILE}")
    try:
        return read_metadata(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return {}, [f"{METADATA_FILE} is not UTF-8; save it as UTF-8"]


def _ingest_state(
    context: dg.SensorEvaluationContext, archive: Archive, settings: Settings, order: list[str]
) -> IngestState:
    lacking = archive.videos.lacking_frames(settings.frames.frames_per_second)
    lacking += archive.videos.lacking("embeddings", configured_embedder(settings.embeddings))
    running = in_flight(context.instance, jobs.INGEST)
    broken = failed(context.instance, jobs.INGEST)
    alone = [run for run in broken if len(set(range_of(run))) == 1]
    return IngestState(
        order=tuple(order),
        lacking=tuple(dict.fromkeys(lacking)),
        in_flight=frozenset(keys_of(running, order)),
        runs_in_flight=len(running),
        failed=frozenset(keys_of(broken, order)),
        failed_alone=frozenset(keys_of(alone, order)),
    )


def _loop_state(
    context: dg.SensorEvaluationContext, archive: Archive, settings: Settings, ingest: IngestState
) -> LoopState:
    serving = archive.models.serving()
    unscored = (
        archive.videos.lacking_predictions(serving.checkpoint_id, serving.embedder_id) if serving else []
    )
    embedded = archive.videos.covered_by("embeddings", configured_embedder(settings.embeddings))
    waiting = set(ingest.lacking) - ingest.failed_alone
    return LoopState(
        ingesting=ingest.runs_in_flight,
        learning=len(in_flight(context.instance, jobs.LEARN, jobs.SCORE)),
        selecting=len(in_flight(context.instance, jobs.SELECT)),
        unclaimed_exports=len(archive.labels.exports(*UNCLAIMED)),
        embedded_videos=len(embedded),
        lacking_frames=len(waiting),
        batches=archive.selection.count_batches(),
        has_serving=serving is not None,
        unscored_videos=len(unscored),
    )


def _follow_up(
    context: dg.SensorEvaluationContext, archive: Archive, settings: Settings, ingest: IngestState
) -> tuple[list[dg.RunRequest], list[str]]:
    """`score` or a first `select_batch`, where due."""
    state = _loop_state(context, archive, settings, ingest)
    serving = archive.models.serving()
    wishes = (
        (jobs.SCORE, decide_score, f"{serving.checkpoint_id if serving else ''}:{state.unscored_videos}"),
        (jobs.SELECT, decide_first_batch, f"first:{state.embedded_videos}"),
    )
    requests, reasons = [], []
    for job, decide, work in wishes:
        decision = decide(
            LoopState(**{**vars(state), "failed_before": failed_work(context.instance, job, work)})
        )
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
        description="New, moved, replaced and missing videos; then frames, vectors, scores and the first batch.",
    )
    def video_arrivals(context: dg.SensorEvaluationContext, archive: Archive) -> dg.SensorResult:
        registration, faults = register_arrivals(archive, settings, archive.now())
        name = str(VIDEOS.name)
        order = list(context.instance.get_dynamic_partitions(name))
        wanted = [v.video_id for v in archive.videos.known() if v.status not in ("copy", "retired")]
        fresh = [key for key in wanted if key not in set(order)][: settings.sensors.videos_per_tick]
        ingest = _ingest_state(context, archive, settings, [*order, *fresh])
        plan = plan_ingest(
            ingest,
            videos_per_run=settings.sensors.videos_per_run,
            runs_at_once=settings.sensors.runs_in_flight,
        )
        requests = [
            request(jobs.INGEST, plan.reason, f"{first}..{last}", **{RANGE_START: first, RANGE_END: last})
            for first, last in plan.ranges
        ]
        more, reasons = ([], []) if requests else _follow_up(context, archive, settings, ingest)
        message = "; ".join([registration.summary, *faults, plan.reason, *reasons])
        context.log.info(message)
        return dg.SensorResult(
            run_requests=[*requests, *more],
            dynamic_partitions_requests=[VIDEOS.build_add_request(fresh)] if fresh else [],
            asset_events=_events(registration),
            skip_reason=None if requests or more else message,
        )

    return video_arrivals


def _events(registration: Registration) -> list[dg.AssetMaterialization]:
    """New videos, put in the lineage graph without a run."""
    if not (registration.new or registration.grown):
        return []
    paths = [arrival.path for arrival, _ in registration.new] + [
        arrival.path for _, arrival, _ in registration.grown
    ]
    return [
        dg.AssetMaterialization(
            "videos",
            description=registration.summary,
            metadata={"new_videos": len(registration.new), "paths": ", ".join(paths[:20])},
        )
    ]

"""Looks at `videos/`: registers what is new, and asks for what registered videos lack. Decisions are in automation."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import dagster as dg

from al_assets import jobs
from al_assets.automation import (
    IngestPlan,
    IngestState,
    LoopState,
    decide_first_batch,
    decide_score,
    plan_ingest,
)
from al_assets.embeddings.assets import configured_embedder
from al_assets.frames.registration import (
    LOOKS_BEFORE_READING,
    Arrival,
    KnownVideo,
    Registration,
    Standing,
    group_arrivals,
    look,
    plan_registration,
)
from al_assets.frames.video_facts import METADATA_FILE, VideoFacts, read_metadata, unknown_paths
from al_assets.labels.splits import split_of, split_of_site
from al_assets.partitions import VIDEOS
from al_assets.settings import Settings
from resources.archive import Archive
from resources.errors import FileMissingError, StorageError
from resources.queries.labels import UNCLAIMED
from resources.queries.registrar import SplitRule
from resources.queries.videos import Video, expected_version
from sensors.runs import RANGE_END, RANGE_START, IngestRuns, busy, digest, ended, request

AREA = "videos"
PATH_LENGTH = 400
FAULTS_SHOWN = 5
STANDINGS: Mapping[str, Standing] = {"copy": "copy", "retired": "retired", "superseded": "superseded"}


def register_arrivals(archive: Archive, settings: Settings, now: datetime) -> tuple[Registration, list[str]]:
    """Bring the register in line with storage; returns what changed and faults in plain words.

    A listing that fails raises: it is not an empty archive. A single file that cannot be read is a fault and is
    looked at again.
    """
    listed = [
        (f.path.removeprefix(f"{AREA}/"), f.etag, f.size_bytes) for f in archive.storage.list(f"{AREA}/")
    ]
    too_long = [path for path, _, _ in listed if len(path) > PATH_LENGTH]
    faults = [f"{path[:60]}... has a path of over {PATH_LENGTH} characters" for path in too_long]
    arrivals = group_arrivals([file for file in listed if len(file[0]) <= PATH_LENGTH])
    previous = archive.videos.looks(AREA)
    table = _read_table(archive, listed, previous)
    rule = _split_rule(settings)
    # The site decides the split for ever, so that videos wait for the table that names it.
    limit = 0 if rule.by_site and not table.settled else settings.sensors.videos_per_tick
    known = [_known(video) for video in archive.videos.all()]
    seen = look(arrivals, known, previous, limit=limit)
    hashes, unread = _hashes(archive, seen.settled)
    registration = plan_registration(arrivals, hashes, known)
    archive.videos.register(registration, table.facts, rule, now=now)
    archive.videos.update_facts(table.facts)
    waiting = {a.path: (a.etag, a.size_bytes, seen.looks[a.path]) for a in seen.waiting}
    # Their looks are taken back, so that files nobody can read do not hold the places of those behind them.
    waiting |= {a.path: (a.etag, a.size_bytes, 0) for a in seen.settled if a.path not in hashes}
    archive.videos.record_looks(AREA, waiting | table.looks, now)
    faults += [
        *table.faults,
        *unknown_paths(table.facts, {a.path for a in arrivals} | {v.path for v in known}),
    ]
    return registration, [*faults, *unread, *_without_site(registration, table.facts, rule)]


def _known(video: Video) -> KnownVideo:
    standing = STANDINGS.get(video.status, "live")
    missing = video.missing_at is not None
    return KnownVideo(
        video.video_id, video.path, video.kind, video.etag, video.content_hash, missing, standing
    )


def _split_rule(settings: Settings) -> SplitRule:
    seed, by_site = settings.archive.split_seed, settings.archive.split_by == "site"
    return SplitRule(
        by_video=lambda ordinal: split_of(ordinal, seed),
        by_site=(lambda ordinal: split_of_site(ordinal, seed)) if by_site else None,
    )


def _without_site(registration: Registration, facts: Mapping[str, VideoFacts], rule: SplitRule) -> list[str]:
    alone = [a.path for a, _ in registration.new if (fact := facts.get(a.path)) is None or fact.site is None]
    if rule.by_site is None or not alone:
        return []
    return [
        f"{len(alone)} videos have no site in {METADATA_FILE} and were split one by one, first {alone[0]}"
    ]


def _hashes(archive: Archive, settled: Sequence[Arrival]) -> tuple[dict[str, str], list[str]]:
    """Content hashes by path, and which files could not be read."""
    hashes, unread = {}, []
    for arrival in settled:
        try:
            hashes[arrival.path] = content_hash(archive, arrival)
        except FileMissingError:
            continue  # gone since the listing: the next look knows
        except (StorageError, OSError) as error:
            unread.append(f"{arrival.path} cannot be read: {error}")
    return hashes, unread


def content_hash(archive: Archive, arrival: Arrival) -> str:
    """Identity of a video's bytes; of a folder by its stills' names and sizes, and the bytes of three of them."""
    if not arrival.size_bytes:
        # Empty files are failed copies of different videos, not copies of one another.
        return hashlib.sha256(f"empty\0{arrival.path}".encode()).hexdigest()
    if arrival.kind == "video":
        return archive.storage.fingerprint(f"{AREA}/{arrival.path}")
    stills = arrival.members
    parts = [f"{path.rsplit('/', 1)[-1]}\1{size}" for path, size in stills]
    for path, _ in {stills[0], stills[len(stills) // 2], stills[-1]}:
        parts.append(f"{path.rsplit('/', 1)[-1]}\2{archive.storage.fingerprint(f'{AREA}/{path}')}")
    return hashlib.sha256("\0".join(sorted(parts)).encode()).hexdigest()


@dataclass(frozen=True)
class _Table:
    """The owner's table as far as it may be read now."""

    facts: Mapping[str, VideoFacts]
    faults: Sequence[str]
    settled: bool
    looks: dict[str, tuple[str, int, int]]


def _read_table(
    archive: Archive, listed: Sequence[tuple[str, str, int]], previous: Mapping[str, tuple[str, int]]
) -> _Table:
    """`videos.csv` once it stands still: half of a table would give wrong sites."""
    found = [(etag, size) for path, etag, size in listed if path == METADATA_FILE]
    if not found:
        return _Table({}, [], True, {})
    (etag, size), (before, count) = found[0], previous.get(METADATA_FILE, ("", 0))
    count = min(count + 1, LOOKS_BEFORE_READING) if before == etag else 1
    looks = {METADATA_FILE: (etag, size, count)}
    if count < LOOKS_BEFORE_READING:
        return _Table({}, [], False, looks)
    try:
        text = archive.storage.read(f"{AREA}/{METADATA_FILE}").decode("utf-8")
    except FileMissingError:
        return _Table({}, [], False, {})
    except UnicodeDecodeError:
        return _Table({}, [f"{METADATA_FILE} is not UTF-8; save it as UTF-8"], True, looks)
    return _Table(*read_metadata(text), True, looks)


def _ingestion(
    context: dg.SensorEvaluationContext, archive: Archive, settings: Settings, order: list[str]
) -> tuple[IngestState, IngestPlan, IngestRuns]:
    rate, embedder = settings.frames.frames_per_second, configured_embedder(settings.embeddings)
    lacking = [*archive.videos.lacking_frames(rate), *archive.videos.lacking("embeddings", embedder)]
    lacking = list(dict.fromkeys(lacking))
    versions = {video.video_id: expected_version(video.etag, rate) for video in archive.videos.get(lacking)}
    runs = IngestRuns(context.instance, order, versions, digest([rate, embedder]))
    running = busy(context.instance, jobs.INGEST)
    several, alone = runs.left() if lacking else (frozenset(), Counter())
    state = IngestState(
        order=tuple(order),
        lacking=tuple(lacking),
        in_flight=runs.keys_of(running),
        runs_in_flight=len(running),
        failed=(runs.failed() if lacking else frozenset()) | several,
        attempts=Counter(runs.attempts(lacking)) + alone,
    )
    sensors = settings.sensors
    plan = plan_ingest(state, videos_per_run=sensors.videos_per_run, runs_at_once=sensors.runs_in_flight)
    return state, plan, runs


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
    embedded = archive.videos.covered_by("embeddings", configured_embedder(settings.embeddings))
    state = LoopState(
        ingesting=ingest.runs_in_flight,
        learning=len(busy(context.instance, jobs.LEARN, jobs.SCORE)),
        selecting=len(busy(context.instance, jobs.SELECT)),
        unclaimed_exports=len(archive.labels.exports(*UNCLAIMED)),
        embedded_videos=len(embedded),
        lacking_frames=len(set(ingest.lacking) - ingest.given_up),
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
        order = list(context.instance.get_dynamic_partitions(str(VIDEOS.name)))
        there = set(order)
        wanted = [v.video_id for v in archive.videos.known() if v.status not in ("copy", "retired")]
        fresh = [key for key in wanted if key not in there][: settings.sensors.videos_per_tick]
        ingest, plan, runs = _ingestion(context, archive, settings, [*order, *fresh])
        requests = [
            request(jobs.INGEST, plan.reason, runs.work(first, last), **{RANGE_START: first, RANGE_END: last})
            for first, last in plan.ranges
        ]
        more, reasons = ([], []) if requests else _follow_up(context, archive, settings, ingest)
        shown = faults[:FAULTS_SHOWN] + [f"{len(faults)} faults in all"] * (len(faults) > FAULTS_SHOWN)
        message = "; ".join([f"videos/: {registration.summary}", *shown, plan.reason, *reasons])
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

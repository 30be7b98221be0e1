"""Looks at `label_exports/`: registers versions that stand still, and asks for one `learn` run. No parsing."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg

from al_assets import jobs
from al_assets.automation import LoopState, counted, decide_learn
from al_assets.frames.registration import LOOKS_BEFORE_READING
from al_assets.settings import Settings
from resources.archive import Archive
from resources.errors import FileMissingError, StorageError
from resources.kept_exports import AREA as KEPT
from resources.kept_exports import LARGEST, keep, kept_path
from resources.queries.labels import UNCLAIMED, Export
from resources.storage import StoredFile
from sensors.runs import busy, digest, ended, request

AREA = "label_exports"
PATH_LENGTH = 400
FAULTS_SHOWN = 5
KEPT_PER_TICK = 10


def settle(
    files: Sequence[StoredFile], known: set[tuple[str, str]], previous: dict[str, tuple[str, int]], limit: int
) -> tuple[list[StoredFile], dict[str, tuple[str, int, int]]]:
    """Files to register now, and the looks to remember: path -> (etag, size in bytes, looks).

    A version is taken once two looks have seen the same etag; one that the ledger knows is left alone.
    """
    settled: list[StoredFile] = []
    looks: dict[str, tuple[str, int, int]] = {}
    for file in files:
        if (file.path, file.etag) in known:
            continue
        etag, count = previous.get(file.path, ("", 0))
        count = min(count + 1, LOOKS_BEFORE_READING) if etag == file.etag else 1
        if count >= LOOKS_BEFORE_READING and len(settled) < limit:
            settled.append(file)
        else:
            looks[file.path] = (file.etag, file.size_bytes, count)
    return settled, looks


def register_exports(archive: Archive, settings: Settings, now: datetime) -> tuple[list[int], int, list[str]]:
    """Bring the ledger in line with storage; returns new export_ids, how many files must wait, and faults.

    A listing that fails raises. A single file that cannot be read is a fault and is looked at again. What is
    registered is kept too, since the file may be another by the time that a run reads it.
    """
    listed = archive.storage.list(f"{AREA}/")
    files = [file for file in listed if len(file.path) <= PATH_LENGTH]
    too_long = [file.path for file in listed if len(file.path) > PATH_LENGTH]
    faults = [f"{path[:60]}... has a path of over {PATH_LENGTH} characters" for path in too_long]
    # Of a file's versions only the latest counts: an older one put back is news again.
    latest = {export.uri: export for export in archive.labels.exports()}
    known = {(export.uri, export.etag) for export in latest.values()}
    settled, looks = settle(files, known, archive.videos.looks(AREA), settings.sensors.exports_per_tick)
    hashes: dict[str, str] = {}
    for file in settled:
        try:
            hashes[file.path] = keep(archive.storage, file)
        except FileMissingError:
            continue  # gone since the listing: the next look knows
        except (StorageError, OSError) as error:
            faults.append(f"{file.path} cannot be taken in: {error}")
            looks[file.path] = (file.etag, file.size_bytes, 0)
    # What was written to while it was read did not stand still.
    still = {(file.path, file.etag) for file in archive.storage.list(f"{AREA}/")} if hashes else set()
    versions = [
        {"uri": f.path, "etag": f.etag, "size_bytes": f.size_bytes, "sha256": hashes[f.path]}
        for f in settled
        if f.path in hashes and (f.path, f.etag) in still
    ]
    faults += keep_registered(archive, files, latest)
    new = archive.labels.register(versions, now, after=latest)
    archive.videos.record_looks(AREA, looks, now)
    return new, len(looks), faults


def keep_registered(archive: Archive, files: Sequence[StoredFile], latest: Mapping[str, Export]) -> list[str]:
    """Keep copies of files that were registered by a version of the platform that kept none; returns faults."""
    kept = {file.path for file in archive.storage.list(f"{KEPT}/")}
    bare = [
        file
        for file in files
        if (export := latest.get(file.path)) is not None
        and export.etag == file.etag
        and file.size_bytes <= LARGEST
        and kept_path(export.sha256) not in kept
    ]
    faults = []
    for file in bare[:KEPT_PER_TICK]:
        try:
            keep(archive.storage, file)
        except FileMissingError:
            continue
        except (StorageError, OSError) as error:
            faults.append(f"{file.path} cannot be kept: {error}")
    return faults


def make_label_exports(settings: Settings) -> dg.SensorDefinition:
    """The sensor, with the owner's interval and caps."""

    @dg.sensor(
        name="label_exports",
        job=jobs.learn,
        minimum_interval_seconds=settings.sensors.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for new exports of the labelling tool, and asks for one learn run that imports them all.",
    )
    def label_exports(context: dg.SensorEvaluationContext, archive: Archive) -> dg.SensorResult:
        new, waiting, faults = register_exports(archive, settings, archive.now())
        unclaimed = archive.labels.exports(*UNCLAIMED)
        # An export that is read again after an undo is new work under its old number.
        changes = archive.classes.changed_since_learned()
        work = digest([*((export.export_id, export.imported_at) for export in unclaimed), *changes])
        decision = decide_learn(
            LoopState(
                unclaimed_exports=len(unclaimed),
                class_changes=len(changes),
                learning=len(busy(context.instance, jobs.LEARN, jobs.SCORE)),
                ended=ended(context.instance, jobs.LEARN, work) if unclaimed or changes else "",
            )
        )
        notes = []
        if waiting:
            notes = [f"{counted(waiting, 'file')} may still be growing and will be looked at again"]
        message = "; ".join([decision.reason, *notes, *faults[:FAULTS_SHOWN]])
        context.log.info(message)
        return dg.SensorResult(
            run_requests=[request(jobs.LEARN, decision.reason, work)] if decision.go else [],
            asset_events=[_event(new)] if new else [],
            skip_reason=None if decision.go else message,
        )

    return label_exports


def _event(export_ids: list[int]) -> dg.AssetMaterialization:
    """New exports, put in the lineage graph without a run."""
    ids = ", ".join(map(str, export_ids[:20]))
    return dg.AssetMaterialization(
        "label_exports", metadata={"new_exports": len(export_ids), "export_ids": ids}
    )

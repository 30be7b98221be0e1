"""An archive in which everything fits: rows as the assets write them, and the files that they name. No assertion."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa

from al_assets.arrivals import content_hash
from al_assets.frames.registration import group_arrivals
from al_assets.keys import frame_id, frame_range
from resources.archive import Archive
from resources.database import Database
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, Slice
from resources.storage import Storage
from support.archive_rows import ArchiveRows
from support.rows import embeddings, frames

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FRAMES = 3
STILL = "stills/clip-1/00000001.jpg"
TASKS = "labelling_tasks/batch-00001"
REPORT = "reports/drift-ck-1-window.html"
HEAD = b"safetensors of a head"


def whole_archive(database: Database, storage: Storage) -> Archive:
    """A video and a folder of stills with frames and vectors, a model that serves, a batch that is out, an export."""
    archive = Archive(database=database, storage=storage)
    rows = ArchiveRows(database)
    storage.write("videos/a.mp4", b"the first video")
    storage.write("videos/cam/1.png", b"a still")
    for number, arrival in enumerate(arrivals(archive), 1):
        rows.video(
            number,
            video_id=f"clip-{number}",
            path=arrival.path,
            kind=arrival.kind,
            etag=arrival.etag,
            content_hash=content_hash(archive, arrival),
            frames_version=f"{arrival.etag}@1",
        )
        write_frames(database, number)
        write_vectors(database, number, f"{arrival.etag}@1")
    rows.add("embedders", embedder_id="e1", dimensions=4)
    rows.classes("zero")
    _model(archive, rows)
    _batch(archive, rows)
    return archive


def change(archive: Archive, *statements: str) -> None:
    """Damage the archive by SQL."""
    with archive.database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def arrivals(archive: Archive):
    """What lies under videos/."""
    files = archive.storage.list("videos/")
    return group_arrivals([(f.path.removeprefix("videos/"), f.etag, f.size_bytes) for f in files])


def write_frames(database: Database, number: int) -> None:
    """The frames of a video, as the asset writes them."""
    where = {"frame_id": KeyRange(*frame_range(number))}
    slice = Slice(where, {"frames": frames(number, FRAMES)}, name=f"video_id = clip-{number}")
    SliceWriter(database).write("frames", slice, now=NOW)


def write_vectors(database: Database, number: int, version: str) -> None:
    """The vectors of a video and what says that they are all there."""
    where = {
        "embeddings.embedder_id": "e1",
        "embeddings.frame_id": KeyRange(*frame_range(number)),
        "video_coverage.video_id": f"clip-{number}",
    }
    covered = coverage("embeddings", "e1", number, version)
    slice = Slice(where, {"embeddings": embeddings(number, FRAMES), "video_coverage": covered})
    SliceWriter(database).write("embeddings", slice, now=NOW)


def coverage(asset: str, version: str, number: int, frames_version: str) -> pa.Table:
    """A row of video_coverage."""
    row = {"asset": asset, "version": version, "video_id": f"clip-{number}"}
    return pa.Table.from_pylist([{**row, "frames_version": frames_version, "frames": FRAMES}])


def _model(archive: Archive, rows: ArchiveRows) -> None:
    archive.storage.write("checkpoints/ck-1.safetensors", HEAD)
    keys = {"frame_id": [frame_id(1, 0)], "class_id": [1], "target": [1], "split": ["train"]}
    known = pd.DataFrame({"training_set_id": ["ts-1"], **keys, "weight": [1.0], "annotation_id": [2**32]})
    slice = Slice({"training_set_id": "ts-1"}, {"training_sets": known}, name="ts-1")
    SliceWriter(archive.database).write("training_set", slice, now=NOW)
    rows.add(
        "checkpoints",
        checkpoint_id="ck-1",
        embedder_id="e1",
        training_set_id="ts-1",
        uri="checkpoints/ck-1.safetensors",
        sha256=hashlib.sha256(HEAD).hexdigest(),
        class_ids="[1]",
    )
    rows.add("serving", slot=1, checkpoint_id="ck-1")
    version = archive.videos.get(["clip-1"])[0].frames_version
    rows.add(
        "video_coverage",
        asset="predictions",
        version="ck-1",
        video_id="clip-1",
        frames_version=version,
        frames=FRAMES,
    )
    for index in range(FRAMES):
        rows.add("frame_scores", checkpoint_id="ck-1", frame_id=frame_id(1, index))
    rows.predict("ck-1", frame_id(1, 0), (1, 0.75))


def _batch(archive: Archive, rows: ArchiveRows) -> None:
    for name in ("label_studio.json", "label_studio.xml", "tasks.csv"):
        archive.storage.write(f"{TASKS}/{name}", b"[]")
    archive.storage.write(STILL, b"jpeg")
    archive.storage.write(REPORT, b"<html>")
    archive.storage.write("reports/model_report.html", b"<html>")
    archive.storage.write("label_exports/a.csv", b"frame_id,label\n")
    (export,) = archive.storage.list("label_exports/")
    rows.export(1, uri=export.path, etag=export.etag, sha256=archive.storage.sha256(export.path))
    rows.annotation(2**32, frame_id(1, 0), "anna", "labelled", 1)
    rows.label(frame_id(1, 0), 1)
    rows.add("selection_batches", batch_id=1, selected=1, tasks_uri=TASKS, run_id="r")
    rows.add("selections", batch_id=1, rank=1, frame_id=frame_id(1, 1), arm="strategy")
    rows.add(
        "drift_results", check_name="c", subject="s", reference_id="ck-1", statistic="x", report_uri=REPORT
    )

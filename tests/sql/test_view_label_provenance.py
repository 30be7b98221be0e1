"""label_provenance and annotation_classes: from an annotation back to what asked for it."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from al_assets.labels.standing import standing
from resources.tables import annotations
from support.archive_rows import NOW, ArchiveRows


def test_one_row_leads_from_an_annotation_to_batch_model_and_runs(archive: ArchiveRows) -> None:
    (frame,) = archive.video(1, [0])
    archive.classes("zero", "one")
    archive.export(1, uri="round-1.json", claimed_by="run-import")
    archive.add("checkpoints", checkpoint_id="m1", run_id="run-train")
    batch = {"strategy": "margin", "checkpoint_id": "m1", "embedder_id": "e1", "run_id": "run-select"}
    archive.add("selection_batches", batch_id=7, created_at=NOW - timedelta(days=1), **batch)
    archive.add(
        "selections", batch_id=7, rank=3, frame_id=frame, arm="random", propensity=0.125, reason="drawn"
    )
    archive.annotation(2**32, frame, "ann", "labelled", 2, 1, 2)
    asked = "batch_id, strategy, arm, rank, propensity, selection_reason, selection_run_id, embedder_id"
    assert archive.query(f"SELECT {asked} FROM label_provenance") == [
        (7, "margin", "random", 3, 0.125, "drawn", "run-select", "e1")
    ]
    behind = "class_names, annotator, video_id, export_uri, import_run_id, checkpoint_id, checkpoint_run_id"
    assert archive.query(f"SELECT {behind} FROM label_provenance") == [
        ("one|zero", "ann", "v1", "round-1.json", "run-import", "m1", "run-train")
    ]


def test_a_label_that_nobody_asked_for_has_no_batch(archive: ArchiveRows) -> None:
    (frame,) = archive.video(1, [0])
    archive.export(1)
    archive.annotation(2**32, frame, "ann", "nobody")
    archive.add("selection_batches", batch_id=7, created_at=NOW + timedelta(days=1))
    archive.add("selections", batch_id=7, rank=1, frame_id=frame)
    rows = archive.query("SELECT outcome, class_names, batch_id FROM label_provenance")
    assert rows == [("nobody", None, None)]


def test_of_two_batches_the_latest_before_the_import_asked(archive: ArchiveRows) -> None:
    (frame,) = archive.video(1, [0])
    archive.export(1)
    archive.annotation(2**32, frame, "ann", "nobody")
    for batch_id, days in ((1, 3), (2, 2), (3, -1)):
        run_id = f"run-{batch_id}"
        archive.add(
            "selection_batches", batch_id=batch_id, run_id=run_id, created_at=NOW - timedelta(days=days)
        )
        archive.add("selections", batch_id=batch_id, rank=1, frame_id=frame)
    assert archive.query("SELECT batch_id FROM label_provenance") == [(2,)]


def test_annotations_of_undone_and_claimed_exports_are_left_out(archive: ArchiveRows) -> None:
    (frame,) = archive.video(1, [0])
    for export_id, status in enumerate(["imported", "undone", "claimed"], 1):
        archive.export(export_id, status=status)
        archive.annotation(export_id * 2**32, frame, "ann", "nobody", export_id=export_id)
    assert archive.query("SELECT export_id, standing FROM label_provenance") == [(1, 1)]


def test_what_stands_is_what_the_training_takes(archive: ArchiveRows) -> None:
    frames = archive.video(1, [0, 400])
    archive.export(1)
    rng = np.random.default_rng(7)
    for n in range(60):
        archive.annotation(
            2**32 + n,
            int(rng.choice(frames)),
            str(rng.choice(["ann", "bob"])),
            str(rng.choice(["labelled", "nobody", "cannot_tell", "deleted"], p=[0.5, 0.2, 0.1, 0.2])),
            source_id=[None, "ls:1", "ls:2", "ann"][rng.integers(4)],
            annotated_at=[None, datetime(2026, 1, 1), datetime(2026, 1, 2)][rng.integers(3)],
            offset_ms=[None, 0, -200, 40][rng.integers(4)],
        )
        expected = standing(
            pd.DataFrame(archive.query("SELECT * FROM annotations"), columns=annotations.c.keys())
        )
        rows = archive.query("SELECT annotation_id FROM label_provenance WHERE standing = 1 ORDER BY 1")
        assert [row[0] for row in rows] == expected["annotation_id"].tolist()

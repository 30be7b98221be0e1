"""The asset on real tables: slices of the labelled hold-out, the warning that names them, and their view."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from al_assets.checkpoints.files import save_head, sha256_of
from al_assets.checkpoints.heads import Head
from al_assets.settings import parse_settings
from al_assets.slice_quality import no_slice_is_significantly_worse, slice_quality
from resources.archive import Archive
from resources.sql_io_manager import SqlIOManager
from support.archive_rows import ArchiveRows
from support.small_archives import empty_archive

VIDEOS, PER_VIDEO = 40, 4
SETTINGS = parse_settings({"task": "single_label"})


def head() -> Head:
    """Says class 1 where the first value is the larger, else class 2."""
    return Head(
        task="single_label",
        class_ids=(1, 2),
        class_names=("one", "two"),
        embedder_id="e",
        weight=np.array([[9, -9], [-9, 9]], np.float32),
        bias=np.zeros(2, np.float32),
        mean=np.zeros(2, np.float32),
        scale=np.ones(2, np.float32),
        temperature=np.ones(2, np.float32),
        thresholds=np.full(2, 0.5, np.float32),
    )


def fill(archive: Archive, wrong_at: str) -> None:
    """40 labelled hold-out videos at four sites; the model is wrong on most frames of one, and on a few elsewhere."""
    rows = ArchiveRows(archive.database)
    rows.classes("one", "two")
    rows.add("embedders", embedder_id="e", dimensions=2)
    data = save_head(head(), {})
    archive.storage.write("checkpoints/ck.safetensors", data)
    file = {"uri": "checkpoints/ck.safetensors", "sha256": sha256_of(data), "class_ids": "[1, 2]"}
    row = {"embedder_id": "e", "training_set_id": "ts", "task": "single_label"}
    rows.add("checkpoints", checkpoint_id="ck", **row, **file)
    rows.add("serving", slot=1, checkpoint_id="ck")
    rng = np.random.default_rng(0)
    for number in range(1, VIDEOS + 1):
        site = ("north", "east", "south", "west")[number % 4]
        split = "test" if number % 3 else "validation"
        known = {"site": site, "split": split, "recorded_at": datetime(2025, 1 + number % 12, 3, number % 24)}
        keys = rows.video(number, [1000 * at for at in range(PER_VIDEO)], **known)
        for at, key in enumerate(keys):
            truth = 1 + (number + at) % 2
            wrong = rng.random() < (0.8 if site == wrong_at else 0.1)
            said = 3 - truth if wrong else truth
            vector = np.eye(2, dtype="<f2")[said - 1].tobytes()
            rows.add("embeddings", embedder_id="e", frame_id=key, vector=vector)
            for class_id in (1, 2):
                label = {"class_id": class_id, "target": int(class_id == truth), "split": split}
                rows.add("training_sets", training_set_id="ts", frame_id=key, weight=1.0, **label)


def run(archive: Archive) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [slice_quality, no_slice_is_significantly_worse],
        resources={
            "archive": archive,
            "settings": SETTINGS,
            "io_manager": SqlIOManager(database=archive.database),
        },
    )


@pytest.mark.parametrize("wrong_at", ["north", "nowhere"])
def test_a_site_where_the_model_fails_is_listed_and_warned_of_by_name(tmp_path: Path, wrong_at: str) -> None:
    archive = empty_archive(tmp_path)
    fill(archive, wrong_at)
    result = run(archive)
    (check,) = result.get_asset_check_evaluations()
    metadata = result.asset_materializations_for_node("slice_quality")[0].metadata
    view = archive.monitoring.view("slice_quality")
    worse = view[view["worse"] == 1]
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert check.passed == (wrong_at == "nowhere")
    assert {"site", "season", "hour", "light", "class"} == set(view["dimension"])
    assert metadata["slices_worse"].value == len(worse[["dimension", "slice"]].drop_duplicates())
    if wrong_at == "north":
        assert ("site", "north") in archive.slices.worse("ck")
        assert (check.description or "").startswith("site north: accuracy 0.2")
        assert metadata["worst_difference"].value < -0.5
    else:
        assert archive.slices.worse("ck") == []
        assert (check.description or "").endswith("none is significantly worse")


def test_a_second_run_gives_the_same_rows(tmp_path: Path) -> None:
    archive = empty_archive(tmp_path)
    fill(archive, "north")
    tables = []
    for _ in range(2):
        run(archive)
        tables.append(archive.slices.metrics("ck").drop(columns="measured_at"))
    assert tables[0].equals(tables[1])


def test_without_a_labelled_hold_out_there_is_nothing_to_warn_of(tmp_path: Path) -> None:
    archive = empty_archive(tmp_path)
    (check,) = run(archive).get_asset_check_evaluations()
    assert check.passed
    fill(archive, "north")
    with archive.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM training_sets")
    (check,) = run(archive).get_asset_check_evaluations()
    assert (check.passed, check.description) == (True, "nothing to measure on yet")

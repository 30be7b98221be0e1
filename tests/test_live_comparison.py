"""The two arms of real batches against each other: from tables to a verdict, with real heads."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from al_assets.checkpoints.training_set import build_training_set
from al_assets.embeddings.assets import configured_embedder
from al_assets.live_comparison import compare_arms
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint
from support.archive_rows import ArchiveRows
from support.labelled_digits import digit_archive

NOW = datetime(2026, 5, 1, 12)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """24 labelled clips of digits, all frames asked for in two batches: by turns at random and by the strategy."""
    archive = digit_archive(tmp_path, Settings())
    rows = ArchiveRows(archive.database)
    rows.add("embedders", embedder_id=configured_embedder(Settings().embeddings), dimensions=256)
    training_set_id, table = build_training_set(archive.models.labelled())
    for row in table.assign(training_set_id=training_set_id).to_dict("records"):
        rows.add("training_sets", **row)
    for batch in (1, 2):
        rows.add("selection_batches", batch_id=batch, created_at=NOW, run_id=str(batch))
    for place, (key, split) in enumerate(frames(archive)):
        arm = "evaluation" if split != "train" else ("random", "strategy")[place % 2]
        batch, chance = 1 + place % 4 // 2, None if arm == "strategy" else 0.4
        values = {
            "batch_id": batch,
            "frame_id": key,
            "arm": arm,
            "propensity": chance,
            "rank": place,
            "score": 0.0,
        }
        rows.add("selections", **values)
    return archive


def frames(archive: Archive) -> list[tuple[int, str]]:
    labelled = archive.models.labelled().drop_duplicates("frame_id").sort_values("frame_id")
    return list(zip(labelled["frame_id"], labelled["split"], strict=True))


def serving(archive: Archive) -> Checkpoint:
    labelled = archive.models.labelled()
    training_set_id, _ = build_training_set(labelled)
    embedder_id = configured_embedder(Settings().embeddings)
    class_ids = tuple(sorted(set(labelled["class_id"])))
    return Checkpoint(
        "ck", None, embedder_id, training_set_id, "multi_label", "linear", class_ids, 72, "", "", NOW
    )


def test_as_many_frames_of_each_arm_are_compared_on_the_drawn_hold_out(archive: Archive) -> None:
    found = compare_arms(archive, Settings(task="multi_label"), serving(archive))
    assert (found["labels_each"], found["batches"], found["holdout_frames"]) == (36, 2, 24)
    assert 0 <= found["random_accuracy"] <= 1
    assert found["difference"] == pytest.approx(found["strategy_accuracy"] - found["random_accuracy"])
    assert found["low"] <= found["difference"] <= found["high"]
    assert found["verdict"] in ("better", "worse", "level")


def test_the_same_state_gives_the_same_verdict(archive: Archive) -> None:
    once, again = (compare_arms(archive, Settings(task="multi_label"), serving(archive)) for _ in range(2))
    assert once == again


def test_without_a_random_arm_it_is_too_early(archive: Archive) -> None:
    with archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE selections SET arm = 'strategy' WHERE arm = 'random'")
    found = compare_arms(archive, Settings(task="multi_label"), serving(archive))
    assert found["verdict"] == "too_early"
    assert found["labels_each"] == 0
    assert found["difference"] is None

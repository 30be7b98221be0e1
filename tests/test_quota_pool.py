"""Quotas on a real archive that is larger than what a strategy looks at: what is reserved and what is told."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from al_assets.batch_pool import Circumstances, make_plan
from al_assets.checkpoints.files import save_head, sha256_of
from al_assets.checkpoints.heads import Head
from al_assets.keys import frame_id
from al_assets.selection.assets import selection_batch
from al_assets.selection.batch_plan import BatchPlan
from al_assets.selection.checks import batch_holds_no_near_duplicates, class_floors_are_met
from al_assets.settings import Settings, parse_settings
from resources.archive import Archive
from resources.queries.monitoring import VIDEO_DRIFT
from resources.sql_io_manager import SqlIOManager
from support.archive_rows import ArchiveRows
from support.small_archives import empty_archive

VIDEOS, PER_VIDEO = 40, 10
DARK, RARE = 7, 23
"""The one video in the dark, and the one on which the model sees the class `rare`."""
JULY, JANUARY = datetime(2025, 7, 1, 5), datetime(2025, 1, 1, 5)


def head() -> Head:
    """Any model of the two classes."""
    ones = {name: np.ones(2, np.float32) for name in ("bias", "temperature", "thresholds")}
    return Head(
        task="multi_label",
        class_ids=(1, 2),
        class_names=("usual", "rare"),
        embedder_id="e",
        weight=np.random.default_rng(1).normal(size=(2, 8)).astype(np.float32),
        mean=np.zeros(8, np.float32),
        scale=np.ones(8, np.float32),
        **ones,
    )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """40 training videos of 10 frames; the first is of site north, the second of camera c2, the third of July."""
    found = empty_archive(tmp_path)
    rows = ArchiveRows(found.database)
    rows.classes("usual", "rare")
    rows.add("embedders", embedder_id="e", dimensions=8)
    rng = np.random.default_rng(0)
    data = save_head(head(), {})
    found.storage.write("checkpoints/ck.safetensors", data)
    file = {"uri": "checkpoints/ck.safetensors", "sha256": sha256_of(data), "class_ids": "[1, 2]"}
    rows.add("checkpoints", checkpoint_id="ck", embedder_id="e", task="multi_label", **file)
    for number in range(1, VIDEOS + 1):
        known = {"recorded_at": JULY if number == 3 else JANUARY, "camera": f"c{number}"}
        site = "north" if number == 1 else "south"
        rows.video(number, site=site, duration_ms=1000 * PER_VIDEO, **known)
        for at in range(PER_VIDEO):
            key = number * 2**24 + at
            light = 0.1 if number == DARK else 0.4
            rows.add(
                "frames",
                frame_id=key,
                video_id=f"v{number}",
                frame_index=at,
                pts_ms=1000 * at,
                brightness=light,
            )
            vector = rng.normal(size=8).astype("<f2").tobytes()
            rows.add("embeddings", embedder_id="e", frame_id=key, vector=vector)
            rows.predict("ck", key, (2 if number == RARE else 1, 0.9))
            rows.add("frame_scores", checkpoint_id="ck", frame_id=key, margin=0.9 if number < 30 else 0.1)
    return found


def settings(quota: dict[str, Any] | None = None, **selection: Any) -> Settings:
    options = {"strategy": "random", "random_fraction": 0.0, "cosine": 1.0, "minimum_gap_seconds": 0.0}
    read = parse_settings({"selection": options | selection, "quota": quota or {}})
    # The settings' own least is 100 candidates.
    few = read.selection.model_copy(update={"candidates": 20})
    return read.model_copy(update={"selection": few})


def planned(
    archive: Archive, config: Settings, checkpoint_id: str | None = "ck", batch: int = 1
) -> BatchPlan:
    return make_plan(archive, config, Circumstances("e", checkpoint_id, None), 20, [0, batch])


def videos_of(plan: BatchPlan) -> list[int]:
    return [key >> 24 for key in plan.selections["frame_id"].to_pylist()]


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("site:north", 1),
        ("camera:c2", 2),
        ("season:June to August", 3),
        ("light:dark", DARK),
        ("class:rare", RARE),
    ],
)
def test_a_slice_has_its_share_however_rare_it_is_in_the_archive(
    archive: Archive, name: str, video: int
) -> None:
    plan = planned(archive, settings({"slices": {name: 0.2}}))
    assert videos_of(plan).count(video) >= 4
    assert len(plan.selections) == 20
    own = [row for row in plan.selections.to_pylist() if row["reason"].startswith(f"quota {name}: ")]
    assert {row["frame_id"] >> 24 for row in own} == {video}
    assert any(note.startswith(f"quota {name}: ") for note in plan.notes)


def test_a_slice_that_the_archive_lacks_leaves_its_places_to_all_and_says_so(archive: Archive) -> None:
    plan = planned(archive, settings({"slices": {"site:moon": 0.2}}))
    assert len(plan.selections) == 20
    assert "quota site:moon: 0 of 4 places, no further candidates, so the rest is open to all" in plan.notes


def test_hold_out_frames_are_for_no_quota(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    (held,) = rows.video(90, [0], split="test", site="moon")
    rows.add("embeddings", embedder_id="e", frame_id=held, vector=np.ones(8, "<f2").tobytes())
    plan = planned(archive, settings({"slices": {"site:moon": 0.2}}, evaluation_fraction=0.0))
    assert 90 not in videos_of(plan)


def drift(archive: Archive, number: int) -> None:
    ArchiveRows(archive.database).add(
        "drift_results",
        check_name=VIDEO_DRIFT,
        subject=f"v{number}",
        reference_id="ck",
        statistic="light",
        drifted=1,
    )


def test_videos_adrift_have_their_share_until_a_batch_has_drawn_on_them(archive: Archive) -> None:
    drift(archive, 11)
    plan = planned(archive, settings())
    assert videos_of(plan).count(11) >= 6
    assert "quota videos adrift: 6 frames for 6 places" in plan.notes
    rows = ArchiveRows(archive.database)
    rows.add("selection_batches", batch_id=1, checkpoint_id="ck", run_id="r")
    rows.add("selections", batch_id=1, rank=1, frame_id=11 * 2**24, arm="strategy")
    assert not [note for note in planned(archive, settings()).notes if "adrift" in note]
    drift(archive, 12)
    assert videos_of(planned(archive, settings())).count(12) >= 6


def test_a_random_draw_does_not_count_as_having_drawn_on_a_drifted_video(archive: Archive) -> None:
    drift(archive, 11)
    rows = ArchiveRows(archive.database)
    rows.add("selection_batches", batch_id=1, checkpoint_id="ck", run_id="r")
    rows.add("selections", batch_id=1, rank=1, frame_id=11 * 2**24, arm="random")
    assert "quota videos adrift: 6 frames for 6 places" in planned(archive, settings()).notes


def test_slices_found_worse_have_a_share_and_others_none(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    for name, worse in (("dark", 1), ("bright", 0)):
        values = {"dimension": "light", "slice": name, "metric": "accuracy", "worse": worse}
        rows.add("slice_metrics", checkpoint_id="ck", **values)
    plan = planned(archive, settings({"worse_slices": 0.25}))
    assert videos_of(plan).count(DARK) >= 5
    assert "quota worse slices: 5 frames for 5 places" in plan.notes
    assert not [note for note in planned(archive, settings({"worse_slices": 0.0})).notes if "worse" in note]


def test_without_a_model_what_needs_one_rests_and_a_note_says_so(archive: Archive) -> None:
    config = settings({"slices": {"class:rare": 0.2, "site:north": 0.2}}, class_floor=5)
    plan = planned(archive, config, None)
    assert "[quota] class:rare rests until a model serves" in plan.notes
    assert "[selection] class_floor rests until a model serves" in plan.notes
    assert videos_of(plan).count(1) >= 4


def test_class_floors_give_a_class_as_many_places_as_it_lacks_labels(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    rows.export(1)
    for at in range(3):
        rows.label(RARE * 2**24 + at, 2, annotation_id=2**32 + at)
        rows.annotation(2**32 + at, RARE * 2**24 + at, "anna", "labelled", 2)
    plan = planned(archive, settings(class_floor=5))
    floors = [
        row["frame_id"] >> 24 for row in plan.selections.to_pylist() if "class floor rare" in row["reason"]
    ]
    assert floors == [RARE, RARE]


def record(archive: Archive, plan: BatchPlan, **values: Any) -> None:
    """The batch as the asset writes it."""
    rows = ArchiveRows(archive.database)
    selected = {"selected": len(plan.selections), "budget": 20, "seed": 0, "run_id": "r"}
    rows.add("selection_batches", batch_id=1, checkpoint_id="ck", embedder_id="e", **selected | values)
    for row in plan.selections.to_pylist():
        rows.add("selections", batch_id=1, **row)


def floors_met(archive: Archive, **selection: Any) -> dg.AssetCheckResult:
    result = class_floors_are_met(archive, settings(**selection))
    assert isinstance(result, dg.AssetCheckResult)
    return result


def test_a_floor_that_is_met_passes_and_one_that_could_be_met_keeps_the_batch_back(archive: Archive) -> None:
    record(archive, planned(archive, settings(class_floor=4)))
    assert floors_met(archive, class_floor=4).passed
    unmet = floors_met(archive, class_floor=9)
    assert not unmet.passed
    assert unmet.severity == dg.AssetCheckSeverity.ERROR
    assert "rare: 4 of 6 places" in (unmet.description or "")
    assert floors_met(archive).passed


def test_a_floor_that_nobody_could_meet_keeps_nothing_back(archive: Archive) -> None:
    config = {"class_floor": 9, "per_clip": 3}
    record(archive, planned(archive, settings(**config)))
    result = floors_met(archive, **config)
    assert result.passed
    assert "1 fall short for want of frames" in (result.description or "")


def test_a_batch_that_is_out_is_not_judged_again(archive: Archive) -> None:
    record(archive, planned(archive, settings()), tasks_uri="labelling_tasks/batch-00001")
    assert floors_met(archive, class_floor=9).passed
    assert near_duplicates(archive, settings(minimum_gap_seconds=1000.0)).passed


def near_duplicates(archive: Archive, config: Settings) -> dg.AssetCheckResult:
    result = batch_holds_no_near_duplicates(archive, config)
    assert isinstance(result, dg.AssetCheckResult)
    return result


def test_a_batch_chosen_by_the_rule_passes_and_one_that_breaks_it_is_kept_back(archive: Archive) -> None:
    config = settings(minimum_gap_seconds=3.0, cosine=0.8)
    record(archive, planned(archive, config))
    assert near_duplicates(archive, config).passed
    broken = near_duplicates(archive, settings(minimum_gap_seconds=3.0, cosine=0.3))
    assert not broken.passed
    assert "pairs too close, e.g. " in (broken.description or "")
    assert broken.metadata["pairs"].value > 0


def made(archive: Archive, config: Settings) -> dg.ExecuteInProcessResult:
    """One run of the asset and the checks that keep its tasks back, with the model serving."""
    return dg.materialize(
        [selection_batch, batch_holds_no_near_duplicates, class_floors_are_met],
        resources={
            "archive": archive,
            "settings": config,
            "io_manager": SqlIOManager(database=archive.database),
        },
        raise_on_error=False,
    )


def test_the_asset_writes_what_the_rule_left_out_and_forgets_it_with_the_batch(archive: Archive) -> None:
    ArchiveRows(archive.database).add("serving", slot=1, checkpoint_id="ck")
    drift(archive, 11)
    options = {"per_clip": 1, "strategy": "margin", "batch_size": 30, "evaluation_fraction": 0.0}
    result = made(archive, settings(**options))
    assert result.success
    assert len(result.get_asset_check_evaluations()) == 2
    rows = archive.monitoring.query("SELECT * FROM passed_over ORDER BY place, frame_id")
    assert set(rows["batch_id"]) == {1}
    assert set(rows["rule"]) == {"clip"}
    assert rows["beside_frame_id"].isna().all()
    chosen = archive.monitoring.query("SELECT frame_id, reason FROM selections")
    assert not set(rows["frame_id"]) & set(chosen["frame_id"])
    assert chosen["reason"].str.startswith("quota videos adrift: ").sum() == 1
    archive.selection.forget_unsent()
    assert archive.monitoring.counts(["passed_over", "selections"]) == {"passed_over": 0, "selections": 0}


def test_a_batch_that_was_kept_back_is_replaced_and_its_frames_are_free(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    rows.add("serving", slot=1, checkpoint_id="ck")
    rows.add("selection_batches", batch_id=1, run_id="kept back", left_out="{}", tasks_uri=None)
    for rank in range(1, 31):
        rows.add("selections", batch_id=1, rank=rank, frame_id=frame_id(1, rank), arm="strategy")
    assert made(archive, settings(strategy="margin", batch_size=5, max_open_tasks=10)).success
    (batch,) = archive.monitoring.query("SELECT run_id, selected FROM selection_batches").itertuples()
    assert (batch.run_id == "kept back", batch.selected) == (False, 5)


def test_a_frame_too_near_to_a_taken_one_is_kept_with_that_frame(archive: Archive) -> None:
    ArchiveRows(archive.database).add("serving", slot=1, checkpoint_id="ck")
    config = settings(strategy="margin", minimum_gap_seconds=5.0, evaluation_fraction=0.0, batch_size=50)
    assert made(archive, config).success
    rows = archive.monitoring.query("SELECT frame_id, beside_frame_id, rule, reason FROM passed_over")
    assert len(rows)
    assert set(rows["rule"]) == {"gap"}
    apart = (rows["frame_id"] - rows["beside_frame_id"]).abs()
    assert ((apart > 0) & (apart < 5)).all()

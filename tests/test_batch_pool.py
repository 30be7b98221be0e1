"""A batch's pool read from a real archive: what strategies need, what [mining] lets through, and what the notes say."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from al_assets.batch_pool import Circumstances, circumstances, example_vectors, make_plan, read_pool
from al_assets.checkpoints.files import save_head, sha256_of
from al_assets.checkpoints.training import TrainingConfig, fit_head
from al_assets.keys import frame_id, video_no_of
from al_assets.predictions.scoring import score_block
from al_assets.selection.batch_plan import BatchPlan
from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies import STRATEGIES
from al_assets.settings import Settings, parse_settings
from resources.archive import Archive
from resources.queries.mining import MiningError
from support.archive_rows import ArchiveRows
from support.digits import CLASS_NAMES, digit_frames
from support.small_archives import empty_archive

VIDEOS, PER_VIDEO, LABELLED = 16, 6, 8
FRAMES = digit_frames(VIDEOS, seed=1, per_clip=PER_VIDEO, least=1)
KNOWN = (4, 1, 2, 3, 6, 5, 7)
"""Classes of the model, in its own order; 8, 9 and 10 are only in labels."""


def fill(archive: Archive) -> ArchiveRows:
    """16 training videos of 6 frames at two sites, 8 of them judged whole; no model."""
    rows = ArchiveRows(archive.database)
    rows.classes(*CLASS_NAMES)
    rows.add("embedders", embedder_id="e1", dimensions=FRAMES.vectors.shape[1])
    rows.export(1)
    for number in range(1, VIDEOS + 1):
        keys = rows.video(number, range(0, 6000, 1000), site="north" if number % 2 else "south")
        for at, key in enumerate(keys, (number - 1) * PER_VIDEO):
            rows.add("embeddings", embedder_id="e1", frame_id=key, vector=FRAMES.vectors[at].tobytes())
            if number <= LABELLED:
                rows.annotation(
                    2**32 + at, key, "anna", "labelled", *(np.flatnonzero(FRAMES.targets[at]) + 1).tolist()
                )
                for class_id, present in enumerate(FRAMES.targets[at].tolist(), 1):
                    rows.label(key, class_id, present, annotation_id=2**32 + at)
    return rows


def serve(archive: Archive, rows: ArchiveRows) -> None:
    """A head for KNOWN, fitted on the judged frames, serves and has scored every frame."""
    part = slice(0, LABELLED * PER_VIDEO)
    head = fit_head(
        FRAMES.vectors[part],
        FRAMES.targets[part][:, [class_id - 1 for class_id in KNOWN]],
        None,
        task="multi_label",
        class_ids=KNOWN,
        class_names=tuple(CLASS_NAMES[class_id - 1] for class_id in KNOWN),
        embedder_id="e1",
        config=TrainingConfig(),
        groups=FRAMES.clips[part],
    ).head
    data = save_head(head, {})
    archive.storage.write("checkpoints/ck.safetensors", data)
    values = {"uri": "checkpoints/ck.safetensors", "sha256": sha256_of(data), "class_ids": str(list(KNOWN))}
    rows.add("checkpoints", checkpoint_id="ck", embedder_id="e1", task="multi_label", **values)
    rows.add("serving", slot=1, checkpoint_id="ck")
    keys = np.array([frame_id(1 + at // PER_VIDEO, 5 * (at % PER_VIDEO)) for at in range(len(FRAMES))])
    for table, content in zip(
        ("frame_scores", "predictions"), score_block(head, keys, FRAMES.vectors, "ck"), strict=True
    ):
        for row in content.to_pylist():
            rows.add(table, **row)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    archive = empty_archive(tmp_path_factory.mktemp("served"))
    serve(archive, fill(archive))
    return archive


@pytest.fixture
def modelless(tmp_path: Path) -> Archive:
    archive = empty_archive(tmp_path)
    fill(archive)
    return archive


def settings_of(strategy: str, **mining: Any) -> Settings:
    options = {"strategy": strategy, "cosine": 1.0, "minimum_gap_seconds": 0.0, "random_fraction": 0.25}
    return parse_settings({"selection": options, "mining": mining})


def planned(archive: Archive, strategy: str, **mining: Any) -> BatchPlan:
    chosen = circumstances(archive, settings_of("auto"))
    if chosen.checkpoint_id is None:
        chosen = Circumstances("e1", None, None)
    return make_plan(archive, settings_of(strategy, **mining), chosen, 20, [0, 1])


def frames_of(plan: BatchPlan, arm: str) -> list[int]:
    return [row["frame_id"] for row in plan.selections.to_pylist() if row["arm"] == arm]


def pool_of(archive: Archive, strategy: str, **mining: Any) -> Any:
    chosen = circumstances(archive, settings_of("auto"))
    table = archive.selection.open_frames("e1", ["train"], repeats=False)
    return read_pool(archive, settings_of(strategy, **mining), chosen, table)


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"similarity"}))
def test_every_strategy_finds_in_the_archive_what_it_needs(served: Archive, strategy: str) -> None:
    plan = planned(served, strategy)
    assert len(frames_of(plan, "strategy")) == 15
    assert not [note for note in plan.notes if "needs" in note]


def test_targets_begin_with_the_models_classes_in_its_order(served: Archive) -> None:
    pool = pool_of(served, "auto")
    order = [class_id - 1 for class_id in (*KNOWN, 8, 9, 10)]
    np.testing.assert_array_equal(pool.labelled_targets, FRAMES.targets[: LABELLED * PER_VIDEO][:, order])
    assert pool.probabilities.shape[1] == len(KNOWN)


def test_a_pool_carries_what_its_strategy_needs_and_the_clips(served: Archive) -> None:
    plain, committee, linear = (pool_of(served, name) for name in ("margin", "bald", "mmc"))
    assert plain.committee is None
    assert plain.linear is None
    assert plain.groups.tolist() == video_no_of(plain.frame_ids).tolist()
    assert committee.committee.shape == (5, len(plain), len(KNOWN))
    logits = linear.embeddings.astype(float) @ linear.linear.weight.T + linear.linear.bias
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), plain.probabilities, atol=1e-3)


def test_without_a_model_coverage_stands_in_and_a_note_says_so(modelless: Archive) -> None:
    plan = planned(modelless, "bald")
    assert len(frames_of(plan, "strategy")) == 15
    assert "strategy bald needs committee: none there yet, so coverage chose" in plan.notes


def test_sites_hold_the_strategy_back_but_not_the_random_draw(served: Archive) -> None:
    plan = planned(served, "margin", sites=["north"])
    assert {video_no_of(key) % 2 for key in frames_of(plan, "strategy")} == {1}
    assert plan.notes[0] == "[mining] 24 of 48 open frames: site north"
    draws = {video_no_of(key) % 2 for key in frames_of(plan, "random")}
    assert {row["propensity"] for row in plan.selections.to_pylist() if row["arm"] == "random"} == {5 / 48}
    assert draws == {0, 1}


def test_a_class_and_a_bound_hold_the_strategy_back(served: Archive) -> None:
    plan = planned(served, "margin", classes=["four"], confidence_below=0.9)
    for key in frames_of(plan, "strategy"):
        said = dict(served.models.suggestions("ck", [key])[key])
        assert said["four"] < 0.9
    assert plan.notes[0].endswith("open frames: four predicted, confidence below 0.9")


def test_where_nothing_passes_the_batch_says_so(served: Archive) -> None:
    plan = planned(served, "margin", box_area_from=0.5)
    assert plan.notes[0] == "[mining] 0 of 48 open frames: a box of 0.5 to 1 of the frame"
    assert frames_of(plan, "strategy") == []
    assert len(frames_of(plan, "random")) == 5


def test_without_a_model_the_rest_of_mining_rests_and_a_note_says_so(modelless: Archive) -> None:
    plan = planned(modelless, "auto", classes=["four"], sites=["south"])
    assert "[mining] classes, confidence_below and box areas rest until a model serves" in plan.notes
    assert {video_no_of(key) % 2 for key in frames_of(plan, "strategy")} == {0}


def test_a_cut_of_many_candidates_keeps_to_what_mining_allows(served: Archive) -> None:
    settings = settings_of("margin", sites=["north"])
    few = settings.model_copy(update={"selection": settings.selection.model_copy(update={"candidates": 10})})
    plan = make_plan(served, few, circumstances(served, few), 10, [0, 1])
    assert {video_no_of(key) % 2 for key in frames_of(plan, "strategy")} == {1}


def test_similarity_looks_for_the_examples_by_any_of_their_names(served: Archive) -> None:
    key = frame_id(9, 5)
    names = [key, "v9/5", "stills/v9/00000005.jpg"]
    vectors = example_vectors(served, "e1", [str(name) for name in names])
    np.testing.assert_array_equal(vectors, np.repeat(FRAMES.vectors[8 * PER_VIDEO + 1][None], 3, axis=0))
    plan = planned(served, "similarity", examples=names)
    reasons = {
        row["frame_id"]: row["reason"] for row in plan.selections.to_pylist() if row["arm"] == "strategy"
    }
    assert reasons[key].startswith("cosine 1.000 to example 1")


def test_examples_keep_the_order_in_which_they_are_named(served: Archive) -> None:
    vectors = example_vectors(served, "e1", ["v9/5", "v1/0"])
    np.testing.assert_array_equal(vectors, FRAMES.vectors[[8 * PER_VIDEO + 1, 0]])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "v99/5",
            "'v99/5': no video 'v99' in the archive; write a frame_id, video_id/frame_index or a still's path",
        ),
        ("v9/6", "'v9/6': frame .* is not among the sampled frames"),
        ("12", "'12': frame 12 is not among the sampled frames"),
        ("gate.jpg", r"'gate.jpg': no frame has the image 'gate.jpg'"),
    ],
)
def test_an_example_that_is_no_frame_is_named(served: Archive, name: str, message: str) -> None:
    with pytest.raises(MiningError, match=rf"\[mining\] examples: {message}"):
        planned(served, "similarity", examples=[name])


def test_an_example_without_a_vector_says_what_to_run(modelless: Archive) -> None:
    rows = ArchiveRows(modelless.database)
    rows.video(30, [0])
    with pytest.raises(MiningError, match="'v30/0' has no vector by e1; run `ingest_videos` for it"):
        planned(modelless, "similarity", examples=["v30/0"])


def test_an_unknown_class_stops_the_batch_with_those_there_are(served: Archive) -> None:
    with pytest.raises(MiningError, match="the archive has no class 'fifi'; it knows 'zero', 'one', "):
        planned(served, "margin", classes=["fifi"])


def test_a_users_own_strategy_gets_what_it_needs_and_chooses(
    served: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = ModuleType("house")
    seen: list[Pool] = []

    def lowest(pool: Pool, budget: int, rng: np.random.Generator) -> Picks:
        seen.append(pool)
        order = np.argsort(pool.frame_ids)[:budget]
        return Picks(order, np.zeros(len(order)), ["lowest id"] * len(order))

    house.lowest, house.NEEDS = lowest, {"committee"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "house", house)
    plan = planned(served, "house:lowest")
    (pool,) = seen
    assert pool.committee is not None
    assert set(frames_of(plan, "strategy")) == set(np.sort(pool.frame_ids)[:15].tolist())

"""Training on few, partly judged, long-tailed labels of real digits."""

import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from al_assets.checkpoints.files import save_head
from al_assets.checkpoints.training import TrainingConfig, fit_head
from support.digits import CLASS_IDS, CLASS_NAMES, digit_frames, macro_f1, trained_head

ARCHIVE = digit_frames(250, seed=1)
HOLD_OUT = digit_frames(250, seed=2)
SINGLES = digit_frames(200, seed=3, most=1, least=1)
SINGLES_HELD = digit_frames(120, seed=4, most=1, least=1)


def one_frame_a_clip(frames, count):
    return frames[np.unique(frames.clips, return_index=True)[1][:count]]


@pytest.mark.parametrize("labels", [20, 60, 200])
def test_chosen_thresholds_beat_one_half_on_few_labels(labels):
    head = trained_head(one_frame_a_clip(ARCHIVE, labels))
    at_half = (head.probabilities(HOLD_OUT.vectors) >= 0.5) & (HOLD_OUT.targets == 1)
    shown = (HOLD_OUT.targets == 1).any(axis=0)
    said = (head.probabilities(HOLD_OUT.vectors) >= 0.5).sum(axis=0)
    plain = (2 * at_half.sum(axis=0) / (said + (HOLD_OUT.targets == 1).sum(axis=0)))[shown].mean()
    assert macro_f1(head, HOLD_OUT) > plain


@pytest.mark.parametrize("labels", [40, 200])
def test_single_label_training_is_as_good_as_the_best_logistic_regression_of_scikit_learn(labels):
    train = one_frame_a_clip(SINGLES, labels)
    digit, true = train.targets.argmax(axis=1), SINGLES_HELD.targets.argmax(axis=1)
    theirs = [
        LogisticRegression(C=c, class_weight="balanced", max_iter=500).fit(train.vectors.astype(float), digit)
        for c in (0.1, 1)
    ]
    held = SINGLES_HELD.vectors.astype(float)
    best = max(f1_score(true, model.predict(held), average="macro", zero_division=0) for model in theirs)
    assert macro_f1(trained_head(train, task="single_label"), SINGLES_HELD) > best - 0.02


def chosen_l2(head) -> float:
    return float(re.search(r"l2 ([0-9.e-]+)", head.calibration)[1])


def test_labels_that_say_nothing_get_more_l2_than_labels_that_do():
    clean = one_frame_a_clip(SINGLES, 150)
    shuffled = type(clean)(clean.vectors, np.random.default_rng(1).permutation(clean.targets), clean.clips)
    heads = [trained_head(frames, task="single_label") for frames in (clean, shuffled)]
    assert chosen_l2(heads[0]) < chosen_l2(heads[1])


def test_rare_classes_weigh_as_much_as_common_ones():
    train = one_frame_a_clip(SINGLES, 60)
    weighted = trained_head(train, task="single_label", l2=1.0)
    plain = trained_head(train, task="single_label", l2=1.0, class_weighting=False)
    assert macro_f1(weighted, SINGLES_HELD) > macro_f1(plain, SINGLES_HELD)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_the_same_labels_and_seed_give_the_same_bytes(task):
    frames = SINGLES[:80]
    torch.manual_seed(1)
    first = save_head(trained_head(frames, task=task), {})
    torch.manual_seed(2)
    np.random.seed(3)
    assert save_head(trained_head(frames, task=task), {}) == first


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_training_draws_nothing_from_the_global_generators(task):
    torch.manual_seed(5)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    trained_head(SINGLES[:40], task=task)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


def test_a_class_without_a_positive_stays_at_a_low_probability_and_is_never_predicted():
    frames = one_frame_a_clip(ARCHIVE, 60)
    targets = frames.targets.copy()
    targets[:, 9] = 0
    head = trained_head(type(frames)(frames.vectors, targets, frames.clips))
    p = head.probabilities(HOLD_OUT.vectors)[:, 9]
    assert p.max() == pytest.approx(1 / (60 + 10), abs=1e-3)
    assert not (p >= head.thresholds[9]).any()


def test_a_class_only_ever_judged_present_is_not_claimed_everywhere():
    frames = one_frame_a_clip(ARCHIVE, 60)
    targets = frames.targets.copy()
    targets[targets[:, 0] == 0, 0] = -1
    head = trained_head(type(frames)(frames.vectors, targets, frames.clips))
    assert not (head.probabilities(HOLD_OUT.vectors)[:, 0] >= head.thresholds[0]).any()


def test_a_class_that_nobody_judged_changes_nothing_for_the_others():
    frames = one_frame_a_clip(ARCHIVE, 100)
    targets = frames.targets.copy()
    targets[:, 9] = -1
    without = trained_head(type(frames)(frames.vectors, targets, frames.clips), l2=0.1)
    full = trained_head(frames, l2=0.1)
    np.testing.assert_allclose(without.weight[:9], full.weight[:9], rtol=0.01, atol=0.01)


def test_unjudged_cells_are_not_taken_for_absent():
    frames = one_frame_a_clip(ARCHIVE, 200)
    common = frames.targets[:, 0] == 1
    hidden, absent = frames.targets.copy(), frames.targets.copy()
    half = np.flatnonzero(common)[::2]
    hidden[half, 0], absent[half, 0] = -1, 0
    unjudged = trained_head(type(frames)(frames.vectors, hidden, frames.clips))
    misread = trained_head(type(frames)(frames.vectors, absent, frames.clips))
    shown = HOLD_OUT.vectors[HOLD_OUT.targets[:, 0] == 1]
    assert unjudged.probabilities(shown)[:, 0].mean() > misread.probabilities(shown)[:, 0].mean() + 0.1


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_a_handful_of_labels_gives_a_head_without_nan(task, rows):
    head = trained_head(one_frame_a_clip(SINGLES, rows), task=task)
    assert np.isfinite(head.probabilities(SINGLES_HELD.vectors)).all()


def test_identical_frames_give_a_head():
    frames = SINGLES[np.zeros(6, dtype=int)]
    assert np.isfinite(trained_head(frames).probabilities(SINGLES_HELD.vectors)).all()


def test_labels_of_one_clip_are_said_to_leave_the_head_uncalibrated():
    head = trained_head(
        ARCHIVE[ARCHIVE.clips == ARCHIVE.clips[np.flatnonzero(ARCHIVE.targets.any(axis=1))[0]]]
    )
    assert head.calibration.startswith("not calibrated: no class shows in two clips")


def test_frames_of_nobody_teach_multi_label_heads_what_absence_looks_like():
    head = trained_head(one_frame_a_clip(ARCHIVE, 200))
    nobody = HOLD_OUT.vectors[~HOLD_OUT.targets.any(axis=1)]
    somebody = HOLD_OUT.vectors[HOLD_OUT.targets.any(axis=1)]
    claimed = [(head.probabilities(v) >= head.thresholds).sum(axis=1).mean() for v in (nobody, somebody)]
    assert claimed[0] < 0.5 * claimed[1]


def test_weights_are_relative():
    frames = one_frame_a_clip(ARCHIVE, 40)
    shared = {"task": "multi_label", "class_ids": CLASS_IDS, "class_names": CLASS_NAMES, "embedder_id": "e"}
    heads = [
        fit_head(frames.vectors, frames.targets, np.full(40, size), config=TrainingConfig(), **shared).head
        for size in (1.0, 1024.0)
    ]
    assert save_head(heads[0], {}) == save_head(heads[1], {})


def test_rows_of_weight_zero_are_as_if_they_were_not_there():
    frames = one_frame_a_clip(ARCHIVE, 40)
    shared = {"task": "multi_label", "class_ids": CLASS_IDS, "class_names": CLASS_NAMES, "embedder_id": "e"}
    weights = (np.arange(40) < 30).astype(float)
    ignored = fit_head(frames.vectors, frames.targets, weights, config=TrainingConfig(), **shared).head
    absent = fit_head(frames.vectors[:30], frames.targets[:30], None, config=TrainingConfig(), **shared).head
    assert save_head(ignored, {}) == save_head(absent, {})


@settings(max_examples=40, deadline=None)
@given(
    marks=arrays(
        np.int8, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.sampled_from([-1, 0, 1])
    ),
    data=st.data(),
)
def test_any_judgements_give_probabilities_and_unseen_classes_low_ones(marks, data):
    assume((marks >= 0).any())
    groups = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(marks), max_size=len(marks))))
    head = fit_head(
        ARCHIVE.vectors[: len(marks)],
        marks,
        None,
        task="multi_label",
        class_ids=CLASS_IDS[: marks.shape[1]],
        class_names=CLASS_NAMES[: marks.shape[1]],
        embedder_id="e",
        config=TrainingConfig(),
        groups=groups,
    ).head
    p = head.probabilities(HOLD_OUT.vectors)
    unseen = ~(marks == 1).any(axis=0)
    assert np.isfinite(p).all()
    assert (p[:, unseen] < 0.25).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, t: (v[:-1], t), "do not fit"),
        (
            lambda v, t: (np.where(np.arange(len(v))[:, None] == 3, np.float16(np.nan), v), t),
            "first in row 3",
        ),
        (lambda v, t: (v, np.full_like(t, -1)), "label a batch first"),
        (lambda v, t: (v, t * 2), "not judged"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_by_name(change, message):
    vectors, targets = change(ARCHIVE.vectors[:8], ARCHIVE.targets[:8])
    with pytest.raises(ValueError, match=message):
        fit_head(
            vectors,
            targets,
            None,
            task="multi_label",
            class_ids=CLASS_IDS,
            class_names=CLASS_NAMES,
            embedder_id="e",
            config=TrainingConfig(),
        )


def test_two_classes_on_a_single_label_frame_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match="use the multi_label task"):
        trained_head(ARCHIVE, task="single_label")


@pytest.mark.parametrize("settings", [{"l2": 0.0}, {"l2": float("nan")}, {"iterations": 0}])
def test_settings_without_meaning_are_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        TrainingConfig(**settings)

"""Calibration shrinks, keeps decisions, and says what it did."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from al_assets.checkpoints.calibration import (
    LOWEST_THRESHOLD,
    MINIMUM_FRAMES,
    THRESHOLD_FRAMES,
    calibrate,
    expected_calibration_error,
    expected_f1_thresholds,
    fit_scaling,
)
from support.digits import digit_frames, macro_f1, trained_head

TRAIN = digit_frames(100, seed=1)[::4]
VALIDATION = digit_frames(200, seed=2)[::4]
HOLD_OUT = digit_frames(250, seed=3)[::4]
HEAD = trained_head(TRAIN)


def overconfident(head, times=4.0):
    return replace(head, temperature=head.temperature / np.float32(times))


def log_loss(head, frames):
    p = np.clip(head.probabilities(frames.vectors), 1e-7, 1 - 1e-7)
    return -np.log(np.where(frames.targets == 1, p, 1 - p)).mean()


def test_an_overconfident_head_is_brought_back_to_what_validation_says():
    wrong = overconfident(HEAD)
    righted = calibrate(wrong, VALIDATION.vectors, VALIDATION.targets, groups=VALIDATION.clips)
    assert log_loss(righted, HOLD_OUT) < 0.7 * log_loss(wrong, HOLD_OUT)
    assert "recalibrated on 200 validation frames of 200 clips" in righted.calibration


def test_a_single_label_head_gets_one_temperature_and_keeps_its_answers():
    one = digit_frames(150, seed=4, most=1, least=1)[::4]
    head = overconfident(trained_head(one, task="single_label"))
    held = digit_frames(150, seed=5, most=1, least=1)[::4]
    righted = calibrate(head, held.vectors, held.targets)
    assert len(set(righted.temperature.tolist())) == 1
    before, after = (h.probabilities(held.vectors) for h in (head, righted))
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    errors = [expected_calibration_error(p, held.targets, task="single_label") for p in (before, after)]
    assert errors[1] < errors[0]


def test_too_few_validation_frames_change_nothing_and_the_head_says_so():
    few = VALIDATION[: MINIMUM_FRAMES - 1]
    same = calibrate(HEAD, few.vectors, few.targets)
    assert same.temperature.tolist() == HEAD.temperature.tolist()
    assert same.bias.tolist() == HEAD.bias.tolist()
    assert same.calibration.endswith(
        f"not recalibrated: {len(few)} validation frames, {MINIMUM_FRAMES} are needed"
    )


def test_no_validation_frame_at_all_is_no_error():
    empty = calibrate(HEAD, np.empty((0, HEAD.dimensions), np.float32), np.empty((0, 10), np.int8))
    assert "0 validation frames" in empty.calibration


def test_a_few_dozen_validation_frames_do_no_harm_to_a_good_head():
    losses = []
    for start in range(0, 200, 20):
        part = VALIDATION[start : start + 20]
        losses.append(log_loss(calibrate(HEAD, part.vectors, part.targets), HOLD_OUT))
    assert np.mean(losses) < log_loss(HEAD, HOLD_OUT) + 0.01


def test_few_validation_frames_move_probabilities_but_not_decisions():
    part = VALIDATION[: THRESHOLD_FRAMES - 1]
    wrong = overconfident(HEAD)
    righted = calibrate(wrong, part.vectors, part.targets)
    decisions = [h.probabilities(HOLD_OUT.vectors) >= h.thresholds for h in (wrong, righted)]
    assert (decisions[0] == decisions[1]).mean() > 0.999
    assert (
        np.abs(wrong.probabilities(HOLD_OUT.vectors) - righted.probabilities(HOLD_OUT.vectors)).max() > 0.05
    )


def test_many_validation_frames_choose_thresholds_afresh():
    silly = replace(HEAD, thresholds=np.full(10, 0.99, np.float32))
    mended = calibrate(silly, VALIDATION.vectors, VALIDATION.targets)
    assert macro_f1(mended, HOLD_OUT) > 2 * macro_f1(silly, HOLD_OUT)
    assert mended.calibration.endswith("thresholds chosen on them")


def test_one_long_clip_does_not_weigh_as_much_as_as_many_clips():
    logits, targets = np.full((40, 1), 2.0), np.zeros((40, 1), np.int8)
    one_clip = fit_scaling(logits, targets, np.full((40, 1), 1 / np.sqrt(40)), task="multi_label")
    forty = fit_scaling(logits, targets, np.ones((40, 1)), task="multi_label")
    assert one_clip(logits)[0, 0] > forty(logits)[0, 0] + 0.5


def test_frames_of_one_clip_move_a_head_less_than_frames_of_many():
    wrong, shown = overconfident(HEAD), VALIDATION[:40]
    one_clip = calibrate(wrong, shown.vectors, shown.targets, groups=np.zeros(40, int))
    many = calibrate(wrong, shown.vectors, shown.targets, groups=np.arange(40))
    assert wrong.temperature[0] < one_clip.temperature[0] < many.temperature[0]


def test_a_class_without_a_model_keeps_its_prior_through_calibration():
    targets = TRAIN.targets.copy()
    targets[:, 9] = 0
    head = trained_head(type(TRAIN)(TRAIN.vectors, targets, TRAIN.clips))
    righted = calibrate(overconfident(head), VALIDATION.vectors, VALIDATION.targets)
    assert righted.bias[9] == head.bias[9]
    assert righted.thresholds[9] == 0.5


def test_cells_without_a_judgement_do_not_count():
    logits = np.array([[3.0], [-3.0], [5.0]])
    judged = fit_scaling(logits[:2], np.array([[1], [0]], np.int8), np.ones((2, 1)), task="multi_label")
    more = fit_scaling(logits, np.array([[1], [0], [-1]], np.int8), np.ones((3, 1)), task="multi_label")
    assert (more.slope, more.shift.tolist()) == (judged.slope, judged.shift.tolist())


def test_the_threshold_of_calibrated_probabilities_is_half_the_best_f1():
    rng = np.random.default_rng(1)
    p = rng.beta(0.5, 2, size=(20_000, 1))
    true = rng.random(p.shape) < p
    chosen = expected_f1_thresholds(p)[0]
    best = max(f1_score(true, p >= t) for t in np.linspace(0.05, 0.9, 35))
    assert f1_score(true, p >= chosen) > best - 0.005
    assert chosen == pytest.approx(best / 2, abs=0.03)


@given(st.lists(st.floats(0, 1, width=32), min_size=0, max_size=30))
def test_thresholds_are_never_so_low_that_every_frame_is_claimed(column):
    chosen = expected_f1_thresholds(np.array(column).reshape(-1, 1))
    assert LOWEST_THRESHOLD <= chosen[0] + 1e-6 <= 0.5 + 2e-6


def test_the_calibration_error_of_a_known_case():
    # Four cells at 0.9 of which one is present: off by 0.65; one unjudged cell that does not count.
    p = np.array([[0.9], [0.9], [0.9], [0.9], [0.1]])
    targets = np.array([[1], [0], [0], [0], [-1]], np.int8)
    assert expected_calibration_error(p, targets) == pytest.approx(0.65)
    assert np.isnan(expected_calibration_error(p, np.full_like(targets, -1)))


def test_targets_for_other_classes_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        calibrate(HEAD, VALIDATION.vectors, VALIDATION.targets[:, :9])

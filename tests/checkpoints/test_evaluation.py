"""Evaluation: what is reported, how wide, and what is said to be undefined."""

import numpy as np
import pytest

from al_assets.checkpoints.evaluation import Metric, evaluate, paired_difference, wilson
from support.digits import CLASS_IDS, digit_frames, macro_f1, trained_head

TRAIN = digit_frames(80, seed=1)
HEAD = trained_head(TRAIN)
WEAK = trained_head(TRAIN[:40])
HELD = digit_frames(120, seed=2)


def measured(head=HEAD, held=HELD, *, targets=None, clips=None, seed=0, **options):
    metrics = evaluate(
        head.probabilities(held.vectors),
        held.targets if targets is None else targets,
        held.clips if clips is None else clips,
        task=head.task,
        class_ids=head.class_ids,
        thresholds=head.thresholds,
        rng=np.random.default_rng(seed),
        **options,
    )
    return {(metric.metric, metric.class_id): metric for metric in metrics}


def difference(metric, a, b, held=HELD, clips=None):
    return paired_difference(
        metric,
        a.probabilities(held.vectors),
        b.probabilities(held.vectors),
        held.targets,
        held.clips if clips is None else clips,
        task="multi_label",
        thresholds_a=a.thresholds,
        thresholds_b=b.thresholds,
        rng=np.random.default_rng(0),
    )


def test_overall_and_per_class_metrics_are_reported_with_their_support():
    found = measured()
    overall = {name for name, class_id in found if class_id == 0}
    assert overall == {"macro_f1", "mean_average_precision", "log_loss", "expected_calibration_error"}
    assert {name for name, class_id in found if class_id == 4} == {
        "precision",
        "recall",
        "f1",
        "average_precision",
    }
    assert found["macro_f1", 0].support == len(HELD)
    assert found["f1", 4].support == int((HELD.targets[:, 3] == 1).sum())
    assert found["macro_f1", 0].value == pytest.approx(macro_f1(HEAD, HELD))


def test_single_label_tasks_report_accuracy_too():
    one = digit_frames(60, seed=5, most=1, least=1)
    found = measured(trained_head(one, task="single_label"), one)
    right = trained_head(one, task="single_label").probabilities(one.vectors).argmax(axis=1)
    assert found["accuracy", 0].value == pytest.approx((right == one.targets.argmax(axis=1)).mean())


def test_values_lie_within_their_intervals():
    for metric in measured().values():
        if metric.metric != "expected_calibration_error":  # biased upwards by resampling
            assert metric.low <= metric.value <= metric.high


def test_resampling_clips_is_wider_than_pretending_that_frames_are_independent():
    def width(metric: Metric) -> float:
        return metric.high - metric.low

    by_clip = measured()["mean_average_precision", 0]
    by_frame = measured(clips=np.arange(len(HELD)))["mean_average_precision", 0]
    assert width(by_clip) > 1.4 * width(by_frame)


@pytest.mark.parametrize("key", [("log_loss", 0), ("f1", 2)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(key):
    truth = measured(held=digit_frames(800, seed=77), resamples=1)[key].value
    found = [measured(held=digit_frames(60, seed=100 + seed))[key] for seed in range(25)]
    assert np.mean([metric.low <= truth <= metric.high for metric in found]) >= 0.8
    spread = np.std([metric.value for metric in found])
    assert np.mean([metric.high - metric.low for metric in found]) == pytest.approx(3.92 * spread, rel=0.4)


def test_the_same_generator_seed_gives_the_same_intervals():
    assert measured(seed=3) == measured(seed=3)
    assert measured(seed=3) != measured(seed=4)


def test_a_class_that_the_hold_out_does_not_show_is_undefined_and_left_out_of_the_averages():
    targets = HELD.targets.copy()
    targets[:, 0] = 0
    found = measured(targets=targets)
    assert found["f1", 1] == Metric("f1", 1, None, None, None, 0)
    assert found["average_precision", 1].value is None
    rest = [found["f1", class_id].value for class_id in CLASS_IDS[1:]]
    assert found["macro_f1", 0].value == pytest.approx(
        np.mean([value for value in rest if value is not None])
    )


def test_one_clip_gives_wilsons_interval_of_one_observation_and_none_for_the_loss():
    clip = HELD[HELD.clips == HELD.clips[np.flatnonzero(HELD.targets.any(axis=1))[0]]]
    found = measured(held=clip)
    value = found["mean_average_precision", 0].value
    assert (found["mean_average_precision", 0].low, found["mean_average_precision", 0].high) == wilson(
        value, 1
    )
    assert found["log_loss", 0].low is None


def test_a_perfect_score_on_few_clips_is_not_called_certain():
    clips = np.unique(HELD.clips[HELD.targets.any(axis=1)])[:5]
    few = HELD[np.isin(HELD.clips, clips)]
    metrics = evaluate(
        few.targets.astype(np.float32),
        few.targets,
        few.clips,
        task="multi_label",
        class_ids=CLASS_IDS,
        thresholds=np.full(10, 0.5, np.float32),
        rng=np.random.default_rng(0),
    )
    assert metrics[0].value == 1
    assert metrics[0].low == pytest.approx(wilson(1.0, 5)[0])


def test_no_labels_at_all_are_undefined_not_an_error():
    found = measured(targets=np.full_like(HELD.targets, -1))
    assert {(metric.value, metric.support) for metric in found.values()} == {(None, 0)}


def test_wilsons_interval_is_the_textbook_one():
    assert wilson(0.9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert wilson(0.5, 0) == (None, None)


def test_a_model_does_not_differ_from_itself():
    same = difference("macro_f1", HEAD, HEAD)
    assert (same.value, same.low, same.high) == (0, 0, 0)


@pytest.mark.parametrize("metric", ["macro_f1", "mean_average_precision"])
def test_a_model_of_eight_times_the_labels_is_better_beyond_doubt(metric):
    gain = difference(metric, HEAD, WEAK)
    assert 0 < gain.low < gain.value < gain.high
    back = difference(metric, WEAK, HEAD)
    assert (back.value, back.low, back.high) == pytest.approx((-gain.value, -gain.high, -gain.low))


def test_pairing_makes_the_interval_narrower_than_two_side_by_side():
    paired = difference("mean_average_precision", HEAD, WEAK)
    alone = [measured(head)["mean_average_precision", 0] for head in (HEAD, WEAK)]
    side_by_side = np.hypot(*(metric.high - metric.low for metric in alone))
    assert paired.high - paired.low < side_by_side


def test_a_difference_on_few_clips_has_no_interval():
    found = difference("macro_f1", HEAD, WEAK, clips=np.arange(len(HELD)) % 4)
    assert found.value is not None
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("metric", ["accuracy", "f_score"])
def test_a_metric_that_the_task_does_not_have_is_refused_with_those_there_are(metric):
    with pytest.raises(ValueError, match=r"there are .*macro_f1"):
        difference(metric, HEAD, WEAK)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        measured(clips=HELD.clips[:-1])

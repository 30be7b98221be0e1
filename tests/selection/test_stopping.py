"""Does labelling still pay: estimates that are right on average, intervals that hold, and advice that follows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from al_assets.selection.stopping import Measured, advise, gain, kappa, random_accuracy


def curve(*values: float, half: float = 0.02, step: int = 100) -> list[Measured]:
    return [Measured(step * n, value, value - half, value + half) for n, value in enumerate(values, 1)]


def test_kappa_is_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    one = rng.integers(0, 4, 200)
    other = np.where(rng.random(200) < 0.7, one, rng.integers(0, 4, 200))
    counts = np.zeros((4, 4))
    np.add.at(counts, (one, other), 1)
    assert kappa(counts) == pytest.approx(cohen_kappa_score(one, other))


def test_kappa_of_models_that_give_all_frames_one_answer_is_unknown() -> None:
    assert kappa(np.array([[7.0]])) is None
    assert kappa(np.empty((0, 0))) is None


def test_random_accuracy_is_right_on_average_where_plain_shares_are_not() -> None:
    rng = np.random.default_rng(1)
    weighed, plain = [], []
    for _ in range(300):
        # Two rounds from pools of other sizes, in which the model is better or worse.
        first, second = rng.random(30) < 0.9, rng.random(30) < 0.5
        right = np.concatenate([first, second]).astype(float)
        propensity = np.repeat([30 / 100, 30 / 900], 30)
        weighed.append(random_accuracy(right, propensity, np.arange(60), rng).value)
        plain.append(right.mean())
    truth = 0.1 * 0.9 + 0.9 * 0.5
    assert np.mean(weighed) == pytest.approx(truth, abs=0.02)
    assert np.mean(plain) == pytest.approx(0.7, abs=0.02)


def test_random_accuracy_is_right_on_average_in_an_archive_that_grew() -> None:
    rng = np.random.default_rng(7)
    found = []
    for _ in range(200):
        # Ten batches draw from 1,000 frames, the eleventh from 10,000; the newer ones are harder.
        old, new = rng.random(60) < 0.95, rng.random(90) < 0.5
        chances = np.repeat([1 - 0.995**10 * 0.99, 0.01], [60, 90])
        found.append(
            random_accuracy(np.concatenate([old, new]).astype(float), chances, np.arange(150), rng).value
        )
    truth = (0.95 * 60 / chances[0] + 0.5 * 90 / chances[-1]) / (60 / chances[0] + 90 / chances[-1])
    assert np.mean(found) == pytest.approx(truth, abs=0.01)
    assert truth == pytest.approx(0.545, abs=0.005)


def test_the_interval_of_random_accuracy_holds_the_truth_and_counts_clips_not_frames() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(100):
        by_clip = rng.random(40) < 0.7
        found = random_accuracy(
            np.repeat(by_clip, 5).astype(float), np.full(200, 0.1), np.repeat(np.arange(40), 5), rng
        )
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.7 <= found.high
    assert held >= 88


def test_random_accuracy_of_little_says_what_it_can() -> None:
    rng = np.random.default_rng(0)
    nothing = random_accuracy(np.empty(0), np.empty(0), np.empty(0, np.int64), rng)
    assert (nothing.value, nothing.low, nothing.high) == (None, None, None)
    few = random_accuracy(np.ones(6), np.full(6, 0.5), np.array([1, 1, 2, 2, 3, 3]), rng)
    assert (few.value, few.low) == (1.0, None)
    sure = random_accuracy(np.ones(20), np.full(20, 0.5), np.arange(20), rng)
    assert sure.value == 1.0
    assert sure.low is not None
    assert 0.8 < sure.low < 0.9
    with pytest.raises(ValueError, match="propensities"):
        random_accuracy(np.ones(1), np.zeros(1), np.zeros(1, np.int64), rng)


def test_gain_is_the_slope_per_hundred_labels_with_an_interval_around_it() -> None:
    found = gain(curve(0.5, 0.6, 0.7, 0.8))
    assert found.value == pytest.approx(0.1)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.1 < found.high
    assert gain(curve(0.1, *[0.5] * 10)).value == pytest.approx(0, abs=1e-9)


def test_gain_is_unknown_of_two_models_or_without_new_labels() -> None:
    assert gain(curve(0.5, 0.6)).value is None
    assert gain(curve(0.5, 0.6, 0.7, step=0)).value is None
    assert gain([Measured(100, 0.5, None, None)] * 5).value is None


def test_advice_to_stop_can_come_about_with_intervals_as_they_are() -> None:
    points = curve(*[0.85] * 10, half=0.05, step=50)
    assert advise(points, [0.995] * 10, 0.05, enough=True)[0] == "may_stop"


@pytest.mark.parametrize(
    ("values", "stability", "enough", "advice", "told"),
    [
        ([0.8] * 6, [0.995] * 4, True, "may_stop", "agree with those before them"),
        ([0.3] * 6, [0.995] * 4, True, "go_on", "quality is poor (0.30)"),
        ([0.8, 0.8, 0.8, 0.6, 0.6], [0.995] * 4, True, "go_on", "quality falls"),
        ([0.8] * 6, [0.9] * 4, True, "go_on", "still change their minds"),
        ([0.4, 0.5, 0.6, 0.7, 0.8], [0.995] * 4, True, "go_on", "100 labels bought +0.100"),
        ([0.8] * 6, [0.995] * 4, False, "too_early", "too few hold-out labels"),
        ([0.8] * 6, [0.995] * 2, True, "too_early", "too few models"),
    ],
)
def test_advice_follows_from_stability_and_gain(
    values: list[float], stability: list[float], enough: bool, advice: str, told: str
) -> None:
    points = curve(*values, half=0.001)
    found, reason = advise(points, stability, 0.1, enough=enough)
    assert (found, told in reason) == (advice, True), reason

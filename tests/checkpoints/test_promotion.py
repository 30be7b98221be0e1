"""The gate's rule, case by case, and what must hold for all numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.checkpoints.evaluation import Interval
from al_assets.checkpoints.promotion import PromotionPolicy, decide

POLICY = PromotionPolicy(metric="macro_f1", margin=0.02, minimum_holdout_labels=20)
SCORES = st.none() | st.floats(0, 1)


@pytest.mark.parametrize(
    ("candidate", "serving", "difference", "labels", "go", "words"),
    [
        (None, None, None, 0, True, "cannot be measured on 0 labelled hold-out frames yet"),
        (0.4, None, None, 30, True, "nothing to compare with: macro_f1 0.400 on 30"),
        (None, 0.4, None, 30, False, "could not be measured"),
        (0.5, 0.4, Interval(0.1, 0.02, 0.2), 30, True, "better: macro_f1 0.500 against 0.400"),
        (0.39, 0.4, Interval(-0.01, -0.1, 0.08), 30, True, "not worse by more than the margin"),
        (0.3, 0.4, Interval(-0.1, -0.2, 0.05), 30, False, "worse by more than the margin of 0.02"),
        (0.395, 0.4, Interval(-0.005, -0.008, -0.001), 3000, False, "certainly worse, if only a little"),
        (0.3, 0.4, Interval(-0.1, -0.4, 0.1), 5, True, "too few labels to refuse (20 are asked for)"),
        (0.1, 0.4, Interval(-0.3, -0.4, -0.2), 5, False, "clearly worse, even on few labels"),
        (0.3, 0.4, Interval(-0.1, None, None), 5, True, "too few labels"),
        (0.3, 0.4, None, 1, True, "1 labelled hold-out frame"),
        (0.3, 0.4, None, 30, False, "worse by more than the margin"),
        (float("nan"), 0.4, None, 30, False, "not a finite number"),
        (0.5, 0.4, Interval(0.1, float("nan"), 0.2), 30, False, "not a finite number"),
    ],
)
def test_the_gate_decides_with_a_reason(candidate, serving, difference, labels, go, words):
    decision = decide(candidate, serving, difference, labels, POLICY)
    assert decision.go is go
    assert words in decision.reason


def test_a_metric_that_should_be_low_is_compared_the_other_way_round():
    policy = PromotionPolicy(metric="log_loss")
    assert not decide(0.9, 0.5, Interval(0.4, 0.3, 0.5), 100, policy).go
    assert decide(0.5, 0.9, Interval(-0.4, -0.5, -0.3), 100, policy).go


@given(SCORES, SCORES, st.integers(0, 500))
def test_there_is_always_a_reason(candidate, serving, labels):
    assert len(decide(candidate, serving, None, labels, POLICY).reason) > 20


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.2), st.integers(0, 100))
def test_a_better_candidate_is_never_refused_where_a_worse_one_is_promoted(score, serving, more, labels):
    if decide(score, serving, None, labels, POLICY).go:
        assert decide(score + more, serving, None, labels, POLICY).go


def test_a_negative_margin_is_refused():
    with pytest.raises(ValueError, match="must be >= 0"):
        PromotionPolicy(margin=-0.1)

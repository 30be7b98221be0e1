"""Uncertainty by hand-made cases, limits and properties."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.predictions.uncertainty import (
    entropy_uncertainty,
    least_confidence,
    margin,
    margin_uncertainty,
)

MEASURES = [least_confidence, margin_uncertainty, entropy_uncertainty]
TASKS = ["single_label", "multi_label"]
SETS = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def test_the_single_label_values_of_a_known_frame():
    p = np.array([[0.5, 0.3, 0.2]], np.float32)
    assert least_confidence(p, "single_label")[0] == pytest.approx(0.5)
    assert margin(p, "single_label")[0] == pytest.approx(0.2)
    assert entropy_uncertainty(p, "single_label")[0] == pytest.approx(1.0297, abs=1e-4)


def test_the_multi_label_values_of_a_known_frame():
    p = np.array([[0.9, 0.4]], np.float32)
    assert least_confidence(p, "multi_label")[0] == pytest.approx(1 - 0.9 * 0.6)
    assert margin(p, "multi_label")[0] == pytest.approx(0.2)
    assert entropy_uncertainty(p, "multi_label")[0] == pytest.approx(0.3251 + 0.6730, abs=1e-4)


@given(SETS)
def test_multi_label_confidence_and_entropy_are_those_of_the_set_of_classes(p):
    sets = [
        np.prod([q if chosen else 1 - q for q, chosen in zip(p, s, strict=True)])
        for s in product([0, 1], repeat=len(p))
    ]
    assert least_confidence(np.array([p]), "multi_label")[0] == pytest.approx(1 - max(sets), abs=1e-5)
    entropy = -sum(q * np.log(q) for q in sets if q > 0)
    assert entropy_uncertainty(np.array([p]), "multi_label")[0] == pytest.approx(entropy, abs=1e-4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("measure", MEASURES)
def test_certainty_is_zero_uncertainty_without_a_warning(measure, task):
    assert measure(np.array([[1.0, 0.0, 0.0]], np.float32), task)[0] == 0


@pytest.mark.parametrize("measure", MEASURES)
def test_a_tie_is_the_most_uncertain_a_frame_can_be(measure):
    tie = measure(np.array([[0.5, 0.5]]), "single_label")[0]
    assert all(measure(np.array([[p, 1 - p]]), "single_label")[0] <= tie for p in np.linspace(0, 1, 41))
    toss = measure(np.array([[0.5]]), "multi_label")[0]
    assert all(measure(np.array([[p]]), "multi_label")[0] <= toss for p in np.linspace(0, 1, 41))


def test_one_class_is_certain_when_single_and_a_coin_when_multi():
    one = np.array([[1.0], [1.0]])
    assert margin(one, "single_label").tolist() == [1, 1]
    assert margin(np.array([[0.5]]), "multi_label").tolist() == [0]


@pytest.mark.parametrize("task", TASKS)
def test_the_margin_is_in_zero_to_one_and_its_uncertainty_the_rest(task):
    p = np.random.default_rng(1).dirichlet(np.ones(7), size=500).astype(np.float32)
    kept = margin(p, task)
    assert ((kept >= 0) & (kept <= 1)).all()
    np.testing.assert_allclose(margin_uncertainty(p, task), 1 - kept)


def test_a_thousand_classes_do_not_underflow():
    p = np.full((1, 1000), 1e-9)
    assert least_confidence(p, "multi_label")[0] == pytest.approx(1e-6, rel=1e-3)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("bad", [np.array([[0.2, np.nan]]), np.array([[0.2, -0.1]]), np.array([[0.2, 1.1]])])
def test_what_is_no_probability_is_refused_by_row(measure, task, bad):
    with pytest.raises(ValueError, match="first in row 1"):
        measure(np.vstack([[[0.5, 0.5]], bad]), task)


@pytest.mark.parametrize("shape", [(3,), (3, 0)])
def test_shapes_that_are_no_block_are_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        margin(np.zeros(shape), "single_label")


@pytest.mark.parametrize("measure", MEASURES)
def test_no_frames_give_no_values(measure):
    assert measure(np.zeros((0, 4)), "multi_label").shape == (0,)

"""A head scores what it was made for and refuses the rest by name."""

from dataclasses import replace

import numpy as np
import pytest

from al_assets.checkpoints.heads import VectorError, align_classes
from support.digits import digit_frames, trained_head

FRAMES = digit_frames(60, seed=1)
HEAD = trained_head(FRAMES)


def test_logits_are_the_formula_of_the_docstring():
    x = FRAMES.vectors.astype(np.float64)
    z = ((x - HEAD.mean) / HEAD.scale) @ HEAD.weight.T.astype(np.float64) + HEAD.bias
    np.testing.assert_allclose(HEAD.logits(FRAMES.vectors), z / HEAD.temperature, atol=1e-3)


def test_float16_and_float32_vectors_score_the_same():
    np.testing.assert_array_equal(HEAD.logits(FRAMES.vectors), HEAD.logits(FRAMES.vectors.astype(np.float32)))


def test_single_label_probabilities_sum_to_one():
    one = digit_frames(60, seed=1, most=1, least=1)
    p = trained_head(one, task="single_label").probabilities(one.vectors)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_read_only_big_endian_and_strided_vectors_are_scored_alike():
    frozen = FRAMES.vectors.copy()
    frozen.setflags(write=False)
    for same in (frozen, FRAMES.vectors.astype(">f2"), np.asfortranarray(FRAMES.vectors)):
        np.testing.assert_allclose(HEAD.logits(same), HEAD.logits(FRAMES.vectors), atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_with_nan_or_infinity_are_named(value):
    vectors = FRAMES.vectors.copy()
    vectors[[3, 8], 5] = value
    with pytest.raises(VectorError, match=r"2 vectors .* first in row 3") as caught:
        HEAD.probabilities(vectors)
    assert caught.value.rows == (3, 8)


def test_vectors_of_another_width_are_refused_with_the_embedder():
    with pytest.raises(VectorError, match="256 values of digits-projection"):
        HEAD.logits(FRAMES.vectors[:, :100])


def test_no_frames_give_no_rows():
    assert HEAD.probabilities(FRAMES.vectors[:0]).shape == (0, 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_ids": (1,) * 10}, "distinct class_ids"),
        ({"bias": HEAD.bias[:3]}, "bias must be float32"),
        ({"weight": HEAD.weight.astype(np.float64)}, "weight must be float32"),
        ({"temperature": HEAD.temperature * 0}, "must be positive"),
        ({"bias": HEAD.bias * np.float32(np.nan)}, "bias holds NaN"),
        ({"task": "detection"}, "unknown task"),
    ],
)
def test_a_head_that_cannot_score_cannot_be_made(change, message):
    with pytest.raises(ValueError, match=message):
        replace(HEAD, **change)


def test_columns_follow_the_wanted_classes_and_unknown_ones_get_the_fill():
    own = np.array([[0.7, 0.2, 0.1]])
    assert align_classes(own, [1, 2, 3], [3, 9, 1]).tolist() == [[0.1, 0.0, 0.7]]
    assert align_classes(np.array([0.3]), [4], [5, 4], fill=0.5).tolist() == [0.5, 0.3]


def test_folded_weights_give_the_calibrated_logits_by_themselves():
    vectors = FRAMES.vectors.astype(np.float64)
    weight, bias = HEAD.folded()
    assert weight.dtype == bias.dtype == np.float32
    np.testing.assert_allclose(vectors @ weight.T + bias, HEAD.logits(FRAMES.vectors), atol=1e-3)

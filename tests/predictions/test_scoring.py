"""Blocks of real digits scored, and compared with scoring frame by frame."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from al_assets.checkpoints.heads import Head, VectorError
from al_assets.predictions.scoring import (
    FRAME_SCORE_SCHEMA,
    PREDICTION_SCHEMA,
    pack_top_five,
    score_block,
    unpack_top_five,
)
from support.digits import digit_frames, trained_head

FRAMES = digit_frames(80, seed=1)
HEAD = trained_head(FRAMES)
ONE = digit_frames(80, seed=2, most=1, least=1)
SINGLE = trained_head(ONE, task="single_label")
KEYS = 9 * 2**24 + np.arange(len(FRAMES)) * 5


def small_head(bias: list[float], **changes) -> Head:
    """A head that says the same of every frame."""
    k = len(bias)
    settings = {
        "task": "multi_label",
        "class_ids": tuple(range(1, k + 1)),
        "class_names": tuple(f"c{c}" for c in range(k)),
        "embedder_id": "e",
        "weight": np.zeros((k, 4), np.float32),
        "bias": np.array(bias, np.float32),
        "mean": np.zeros(4, np.float32),
        "scale": np.ones(4, np.float32),
        "temperature": np.ones(k, np.float32),
        "thresholds": np.full(k, 0.5, np.float32),
    }
    return Head(**{**settings, **changes})


VECTORS = np.zeros((3, 4), np.float16)


@pytest.mark.parametrize("head", [HEAD, SINGLE])
def test_tables_have_their_schemas_and_a_row_for_each_frame(head):
    scores, predictions = score_block(head, KEYS, FRAMES.vectors, "ck-1")
    assert scores.schema.equals(FRAME_SCORE_SCHEMA)
    assert predictions.schema.equals(PREDICTION_SCHEMA)
    scores.validate(full=True)
    predictions.validate(full=True)
    assert scores["frame_id"].to_pylist() == KEYS.tolist()
    assert set(scores["checkpoint_id"].to_pylist()) == {"ck-1"}


def test_a_multi_label_frame_has_a_prediction_for_each_class_at_or_over_its_threshold():
    _, predictions = score_block(HEAD, KEYS, FRAMES.vectors, "ck-1")
    p = HEAD.probabilities(FRAMES.vectors)
    expected = [
        (int(KEYS[row]), instance, HEAD.class_ids[c], pytest.approx(float(p[row, c])))
        for row in range(len(KEYS))
        for instance, c in enumerate(c for c in np.argsort(-p[row]) if p[row, c] >= HEAD.thresholds[c])
    ]
    found = zip(
        *(predictions[c].to_pylist() for c in ("frame_id", "instance", "class_id", "confidence")), strict=True
    )
    assert list(found) == expected
    assert predictions["box_x"].null_count == len(predictions)


def test_a_single_label_frame_has_one_prediction_its_likeliest_class():
    scores, predictions = score_block(SINGLE, KEYS, ONE.vectors, "ck-1")
    likeliest = np.array(SINGLE.class_ids)[SINGLE.probabilities(ONE.vectors).argmax(axis=1)]
    assert predictions["class_id"].to_pylist() == scores["top_class_id"].to_pylist() == likeliest.tolist()
    assert set(predictions["instance"].to_pylist()) == {0}


def test_scores_are_those_of_the_two_likeliest_classes():
    scores, _ = score_block(SINGLE, KEYS, ONE.vectors, "ck-1")
    p = np.sort(SINGLE.probabilities(ONE.vectors), axis=1)
    np.testing.assert_allclose(scores["confidence"], p[:, -1], rtol=1e-6)
    np.testing.assert_allclose(scores["margin"], p[:, -1] - p[:, -2], atol=1e-6)
    assert (np.array(scores["runner_up_class_id"]) != np.array(scores["top_class_id"])).all()


def test_a_block_gives_what_its_frames_give_one_by_one():
    whole = score_block(HEAD, KEYS[:20], FRAMES.vectors[:20], "ck-1")
    parts = [score_block(HEAD, KEYS[i : i + 1], FRAMES.vectors[i : i + 1], "ck-1") for i in range(20)]
    for table, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        joined = pa.concat_tables(pieces)
        for name in ("frame_id", *(n for n in table.schema.names if n.endswith("class_id"))):
            assert table[name].to_pylist() == joined[name].to_pylist()
        np.testing.assert_allclose(table["confidence"], joined["confidence"], rtol=1e-4)


def test_the_top_five_come_back_from_their_bytes():
    scores, _ = score_block(HEAD, KEYS, FRAMES.vectors, "ck-1")
    p = HEAD.probabilities(FRAMES.vectors[:1])[0]
    best = np.argsort(-p)[:5]
    assert unpack_top_five(scores["top_five"][0].as_py()) == [(HEAD.class_ids[c], float(p[c])) for c in best]


def test_packed_entries_are_little_endian_class_and_probability():
    packed = pack_top_five(np.array([[7, 258]], np.int32), np.array([[1.0, 0.5]], np.float32))
    assert packed[0].as_py().hex() == "070000000000803f020100000000003f"
    with pytest.raises(ValueError, match="multiple of 8"):
        unpack_top_five(b"123")


def test_one_class_has_no_runner_up():
    scores, predictions = score_block(small_head([3.0]), np.arange(3), VECTORS, "ck-1")
    assert scores["runner_up_class_id"].to_pylist() == [None] * 3
    assert len(unpack_top_five(scores["top_five"][0].as_py())) == 1
    assert len(predictions) == 3


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_certainty_is_scored_without_nan(task):
    scores, _ = score_block(small_head([900.0, -900.0, -900.0], task=task), np.arange(3), VECTORS, "ck-1")
    assert scores["margin"].to_pylist() == [1] * 3
    assert scores["entropy"].to_pylist() == [0] * 3


def test_classes_whose_probabilities_round_to_one_keep_their_order():
    scores, predictions = score_block(small_head([40.0, 60.0, 50.0]), np.arange(3), VECTORS, "ck-1")
    assert scores["top_class_id"].to_pylist() == [2] * 3
    assert predictions["class_id"].to_pylist() == [2, 3, 1] * 3


def test_a_probability_on_the_threshold_counts_as_present():
    head = small_head([0.0, -0.1])
    assert score_block(head, np.arange(3), VECTORS, "ck-1")[1]["class_id"].to_pylist() == [1] * 3


def test_a_frame_of_nobody_has_scores_and_no_prediction():
    scores, predictions = score_block(small_head([-5.0, -6.0]), np.arange(3), VECTORS, "ck-1")
    assert (len(scores), len(predictions)) == (3, 0)
    assert predictions.schema.equals(PREDICTION_SCHEMA)


def test_an_empty_block_gives_empty_tables():
    scores, predictions = score_block(HEAD, KEYS[:0], FRAMES.vectors[:0], "ck-1")
    assert (len(scores), len(predictions)) == (0, 0)


def test_frames_with_nan_or_infinity_are_named():
    vectors = FRAMES.vectors.copy()
    vectors[4, 0], vectors[9, 3] = np.nan, np.inf
    with pytest.raises(
        VectorError, match=f"2 vectors .* frames {KEYS[4]}, {KEYS[9]}; embed these frames again"
    ):
        score_block(HEAD, KEYS, vectors, "ck-1")


def test_keys_and_vectors_of_different_lengths_are_refused():
    with pytest.raises(VectorError, match="3 frame_ids for 2 vectors"):
        score_block(small_head([0.0]), np.arange(3), VECTORS[:2], "ck-1")


def test_calibration_moves_confidence_and_keeps_the_order_of_one_class():
    hot = replace(HEAD, temperature=HEAD.temperature * 2)
    before, after = HEAD.probabilities(FRAMES.vectors)[:, 0], hot.probabilities(FRAMES.vectors)[:, 0]
    assert (np.argsort(before, kind="stable") == np.argsort(after, kind="stable")).mean() > 0.95
    assert np.abs(after - 0.5).mean() < np.abs(before - 0.5).mean()

"""The likeliest classes and the doubt of a block, beside sorting and the definitions in uncertainty.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from al_assets.checkpoints.heads import Head
from al_assets.predictions.ranking import PIECE, TOP, rank
from al_assets.predictions.uncertainty import entropy_uncertainty, margin

RNG = np.random.default_rng(0)


def head(classes: int, task: str, spread: float = 0.3) -> Head:
    """A head of random weights."""
    return Head(
        task=task,  # type: ignore[arg-type]
        class_ids=tuple(range(1, classes + 1)),
        class_names=tuple(f"c{n}" for n in range(classes)),
        embedder_id="e",
        weight=RNG.normal(0, spread, (classes, 16)).astype(np.float32),
        bias=RNG.normal(0, 1, classes).astype(np.float32),
        mean=np.zeros(16, np.float32),
        scale=np.ones(16, np.float32),
        temperature=np.ones(classes, np.float32),
        thresholds=np.full(classes, 0.5, np.float32),
    )


VECTORS = RNG.normal(0, 1, (2 * PIECE + 17, 16)).astype(np.float16)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize("classes", [1, 3, 5, 96, 300])
@pytest.mark.parametrize("spread", [0.01, 0.3, 5.0])
def test_a_block_is_ranked_as_by_sorting_and_doubted_as_by_definition(
    task: str, classes: int, spread: float
) -> None:
    model = head(classes, task, spread)
    found = rank(model, VECTORS)
    assert found is not None
    logits, p = model.logits(VECTORS), model.probabilities(VECTORS)
    order = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
    # Matrix products of other sizes round otherwise: what is near a tie may change places.
    swapped = found.classes != order
    near = np.take_along_axis(logits, found.classes, 1) - np.take_along_axis(logits, order, 1)
    assert np.abs(near[swapped]).max(initial=0) < 1e-4
    np.testing.assert_allclose(found.probabilities, np.take_along_axis(p, order, 1), rtol=2e-4, atol=1e-7)
    np.testing.assert_allclose(found.margin, margin(p, model.task), atol=2e-5)
    np.testing.assert_allclose(found.entropy, entropy_uncertainty(p, model.task), rtol=1e-4, atol=2e-5)
    assert (found.entropy >= 0).all()


def test_equal_logits_keep_the_order_of_the_head() -> None:
    model = replace(
        head(8, "single_label"), weight=np.zeros((8, 16), np.float32), bias=np.zeros(8, np.float32)
    )
    found = rank(model, VECTORS[:3])
    assert found is not None
    assert found.classes.tolist() == [[0, 1, 2, 3, 4]] * 3
    assert found.margin.tolist() == [0, 0, 0]
    np.testing.assert_allclose(found.entropy, np.log(8), rtol=1e-6)


def test_logits_of_few_values_are_ranked_as_by_a_stable_sort() -> None:
    weight = np.zeros((200, 16), np.float32)
    weight[:, 0] = np.random.default_rng(1).integers(0, 6, 200)
    model = replace(head(200, "single_label"), weight=weight, bias=np.zeros(200, np.float32))
    vectors = np.zeros((40, 16), np.float16)
    vectors[:, 0] = np.linspace(-3, 3, 40)
    found = rank(model, vectors)
    assert found is not None
    order = np.argsort(-model.logits(vectors), axis=1, kind="stable")[:, :TOP]
    assert found.classes.tolist() == order.tolist()


def test_classes_at_or_over_their_threshold_are_present_most_confident_first() -> None:
    model = head(30, "multi_label")
    found = rank(model, VECTORS)
    assert found is not None
    rows, columns = np.nonzero(model.probabilities(VECTORS) >= model.thresholds)
    assert len(found.present_rows) == len(rows)
    assert set(zip(found.present_rows, found.present_classes, strict=True)) == set(
        zip(rows, columns, strict=True)
    )
    same = found.present_rows[1:] == found.present_rows[:-1]
    assert (np.diff(found.present_probabilities)[same] <= 0).all()


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_ranked(task: str, value: float) -> None:
    vectors = VECTORS[:4].copy()
    vectors[2, 0] = value
    assert rank(head(6, task), vectors) is None

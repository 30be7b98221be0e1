"""A head that learns from the unlabelled archive: worth several points on few labels, and never preferred blindly."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import numpy as np
import pytest
from sklearn.datasets import load_digits

from al_assets.checkpoints.files import load_head, save_head
from al_assets.checkpoints.semi_supervised import LinearFit, mean_fit
from al_assets.checkpoints.surroundings import Surroundings
from al_assets.checkpoints.training import Fitted, Recipe, TrainingConfig, fit_head
from al_assets.keys import Task

CLASSES = 10


@cache
def digits() -> tuple[np.ndarray, np.ndarray, Surroundings]:
    images, digit = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    images, digit = images[order].astype(np.float16), digit[order]
    return images, digit, Surroundings.of(images[:1300])


def fitted(
    rows: np.ndarray, head: Recipe, *, around: Surroundings | None, task: Task = "single_label"
) -> Fitted:
    images, digit, _ = digits()
    return fit_head(
        images[rows],
        np.eye(CLASSES, dtype=np.int8)[digit[rows]],
        None,
        task=task,
        class_ids=tuple(range(1, CLASSES + 1)),
        class_names=tuple(map(str, range(CLASSES))),
        embedder_id="pixels",
        config=TrainingConfig(head=head),
        surroundings=around,
    )


def accuracy(labels: int, head: Recipe, *, seeds: int = 4) -> float:
    images, digit, around = digits()
    found = []
    for seed in range(seeds):
        rows = np.random.default_rng(seed).choice(1300, labels, replace=False)
        probabilities = fitted(rows, head, around=around).head.probabilities(images[1300:])
        found.append((probabilities.argmax(axis=1) == digit[1300:]).mean())
    return float(np.mean(found))


@pytest.mark.parametrize(("labels", "points"), [(20, 0.1), (40, 0.05), (80, 0.03)])
def test_unlabelled_frames_are_worth_points_while_labels_are_few(labels: int, points: float) -> None:
    assert accuracy(labels, "auto") > accuracy(labels, "logistic") + points


def test_on_many_labels_it_is_no_worse() -> None:
    assert accuracy(600, "auto", seeds=2) > accuracy(600, "logistic", seeds=2) - 0.005


def test_a_sample_that_says_nothing_of_the_classes_is_not_followed() -> None:
    images = digits()[0]
    shuffled = np.random.default_rng(0).permuted(images[:1300], axis=1)
    around = Surroundings.of(shuffled)
    rows = np.arange(300)
    head = fitted(rows, "auto", around=around).head
    assert "propagated (held-out loss" not in head.calibration
    assert save_head(head, {}) != save_head(fitted(rows, "propagated", around=around).head, {})


def test_the_mean_of_two_heads_has_the_mean_of_their_logits() -> None:
    around, rows = digits()[2], np.arange(60)
    heads = [fitted(rows, name, around=around).head for name in ("logistic", "propagated")]
    fits = [LinearFit(head.weight, head.bias, head.mean, 0.1, 0) for head in heads]
    both = mean_fit(*fits)
    x = digits()[0][1300:1310].astype(np.float32)
    logits = [(x - fit.mean) @ fit.weight.T + fit.bias for fit in (*fits, both)]
    np.testing.assert_allclose(logits[2], (logits[0] + logits[1]) / 2, atol=1e-3)


def test_the_choice_and_its_reason_are_in_the_head() -> None:
    note = fitted(np.arange(40), "auto", around=digits()[2]).head.calibration
    assert "propagated (held-out loss" in note
    assert "logistic), l2" in note


def test_without_a_sample_every_recipe_is_the_plain_one() -> None:
    rows = np.arange(60)
    plain = save_head(fitted(rows, "logistic", around=None).head, {})
    assert save_head(fitted(rows, "auto", around=None).head, {}) == plain
    assert save_head(fitted(rows, "propagated", around=None).head, {}) == plain


def test_the_same_labels_and_sample_give_the_same_bytes() -> None:
    one, two = (save_head(fitted(np.arange(50), "auto", around=digits()[2]).head, {}) for _ in range(2))
    assert one == two


def test_the_head_is_linear_and_travels_as_any_other() -> None:
    head = fitted(np.arange(50), "propagated", around=digits()[2]).head
    data = save_head(head, {})
    again = load_head(data, sha256=sha256(data).hexdigest(), class_ids=head.class_ids)
    images = digits()[0][:20]
    np.testing.assert_array_equal(again.probabilities(images), head.probabilities(images))


def test_multi_label_classes_gain_too() -> None:
    images, digit, around = digits()
    rows = np.random.default_rng(3).choice(1300, 40, replace=False)
    present = np.eye(CLASSES)[digit[1300:]] > 0
    losses = {}
    for head in ("logistic", "propagated"):
        p = fitted(rows, head, around=around, task="multi_label").head.probabilities(images[1300:])
        losses[head] = -np.log(np.clip(np.where(present, p, 1 - p), 1e-6, 1)).mean()
    assert losses["propagated"] < losses["logistic"]


def test_one_label_in_all_still_makes_a_head() -> None:
    head = fitted(np.array([5]), "auto", around=digits()[2]).head
    assert np.isfinite(head.probabilities(digits()[0][:5])).all()
    assert "nothing to compare" in head.calibration

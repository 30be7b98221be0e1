"""Confident learning: planted errors are found, few others, and nothing where labels are too few."""

from __future__ import annotations

import numpy as np
import pytest

from al_assets.review.label_errors import FEWEST, implausible_labels


def labelled(
    seed: int, frames: int = 300, classes: int = 3
) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Multi-label targets and calibrated-looking probabilities of a good model."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((frames, classes)) < 0.3).astype(np.int8)
    p = np.clip(np.where(truth == 1, 0.95, 0.04) + rng.normal(0, 0.02, truth.shape), 0.01, 0.99)
    return truth, p, rng


@pytest.mark.parametrize("seed", range(3))
def test_planted_errors_come_first(seed: int) -> None:
    targets, p, rng = labelled(seed)
    rows = rng.choice(len(targets), 12, replace=False)
    columns = rng.integers(0, 3, 12)
    targets[rows, columns] ^= 1
    found = implausible_labels(targets, p, task="multi_label")
    planted = set(zip(rows.tolist(), columns.tolist(), strict=True))
    listed = list(zip(found.row.tolist(), found.column.tolist(), strict=True))
    assert len(planted & set(listed)) >= 8
    assert len(set(listed) - planted) <= 2
    assert (np.diff(found.quality) >= 0).all()
    assert (found.suggested == -1).all()
    present = targets[found.row, found.column] == 1
    assert found.quality == pytest.approx(np.where(present, found.probability, 1 - found.probability))


def test_cells_that_nobody_judged_or_the_model_does_not_know_are_never_listed() -> None:
    targets, p, _ = labelled(1)
    targets[:40, 0], p[40:80, 0] = 1, np.nan
    targets[:20, 0] = -1
    found = implausible_labels(targets, p, task="multi_label")
    assert len(found) > 3
    assert not ((found.row < 20) & (found.column == 0)).any()
    assert not ((found.row >= 40) & (found.row < 80) & (found.column == 0)).any()


def test_single_label_errors_name_the_class_it_looks_like() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 4, 240)
    p = rng.dirichlet(np.ones(4), 240) * 0.2
    p[np.arange(240), truth] += 0.8
    said = truth.copy()
    said[:6] = (said[:6] + 1) % 4
    targets = np.eye(4, dtype=np.int8)[said]
    found = implausible_labels(targets, p, task="single_label")
    assert len(found) >= 3
    assert set(found.row.tolist()) <= set(range(6))
    assert found.column.tolist() == said[found.row].tolist()
    assert found.suggested.tolist() == truth[found.row].tolist()
    assert (found.suggested_probability > 0.7).all()


@pytest.mark.parametrize("prevalence", [0.3, 0.05])
def test_honest_labels_of_an_honest_model_are_hardly_ever_listed(prevalence: float) -> None:
    rng = np.random.default_rng(4)
    logit = rng.normal(np.log(prevalence / (1 - prevalence)), 1.5, (3000, 1))
    p = 1 / (1 + np.exp(-logit))
    targets = (rng.random(p.shape) < p).astype(np.int8)
    found = implausible_labels(targets, p, task="multi_label")
    assert (found.quality <= 0.1).all()
    assert len(found) < 0.03 * len(p)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_classes_with_too_few_labels_say_nothing(task: str) -> None:
    said = np.repeat([0, 1], [50, FEWEST - 1])
    targets = np.eye(2, dtype=np.int8)[said]
    p = np.where(targets == 1, 0.02, 0.98)
    if task == "single_label":
        p = p / p.sum(axis=1, keepdims=True)
    assert len(implausible_labels(targets, p, task=task)) == 0  # type: ignore[arg-type]
    assert len(implausible_labels(targets[:0], p[:0], task=task)) == 0  # type: ignore[arg-type]


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        implausible_labels(np.zeros((2, 3), np.int8), np.zeros((2, 2)), task="multi_label")

"""The solver against scikit-learn's, on the same problem written out for it."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from al_assets.checkpoints.fitting import PRIOR_PRESENCE, Problem, principal_axes, solve
from support.digits import digit_frames

FRAMES = digit_frames(60, seed=1, most=1, least=1)
TARGETS = torch.from_numpy(FRAMES.targets[:, :4]).float()
ROWS = FRAMES.targets[:, :4].any(axis=1)


def test_axes_give_back_the_scaled_vectors():
    basis = principal_axes(FRAMES.vectors)
    expected = (FRAMES.vectors.astype(np.float32) - basis.mean.numpy()) / basis.scale
    np.testing.assert_allclose((basis.scores @ basis.axes.T).numpy(), expected, atol=2e-3)


def test_axes_are_the_same_from_either_side_of_the_matrix():
    tall, wide = FRAMES.vectors[:, :100], np.vstack([FRAMES.vectors[:, :100]] * 2)[:90]
    for block in (tall, wide):
        basis = principal_axes(block)
        np.testing.assert_allclose((basis.axes.T @ basis.axes).numpy(), np.eye(len(basis.spread)), atol=2e-3)


@pytest.mark.parametrize("l2", [1.0, 0.1])
def test_a_multi_label_class_gets_the_weights_that_scikit_learn_finds(l2):
    basis = principal_axes(FRAMES.vectors)
    weights = torch.where(TARGETS > 0, 3.0, 1.0)
    found = solve(basis, Problem("multi_label", 4, TARGETS, weights, torch.ones(4)), l2=l2, iterations=200)
    # The invented frame at the centre, written out as a present and an absent row.
    rows = np.vstack([basis.scores.numpy(), np.zeros((2, basis.scores.shape[1]))])
    for column in range(4):
        y = np.append(TARGETS[:, column].numpy(), [1, 0])
        w = np.append(weights[:, column].numpy(), [PRIOR_PRESENCE, 1 - PRIOR_PRESENCE])
        theirs = LogisticRegression(C=1 / l2, max_iter=2000, tol=1e-8).fit(rows, y, sample_weight=w)
        np.testing.assert_allclose(found.weight[:, column], theirs.coef_[0], rtol=0.01, atol=0.03)
        assert found.bias[column].item() == pytest.approx(theirs.intercept_[0], abs=0.03)


def test_single_label_classes_get_the_probabilities_that_scikit_learn_finds():
    basis = principal_axes(FRAMES.vectors[ROWS])
    present = TARGETS[ROWS]
    problem = Problem("single_label", 4, present, torch.ones_like(present), torch.ones(4))
    found = solve(basis, problem, l2=0.3, iterations=200).logits(basis.scores).softmax(dim=1).numpy()
    rows = np.vstack([basis.scores.numpy(), np.zeros((4, basis.scores.shape[1]))])
    y, w = np.append(present.argmax(dim=1), np.arange(4)), np.append(np.ones(len(present)), np.full(4, 0.25))
    theirs = LogisticRegression(C=1 / 0.3, max_iter=2000, tol=1e-8).fit(rows, y, sample_weight=w)
    np.testing.assert_allclose(found, theirs.predict_proba(basis.scores.numpy()), atol=2e-3)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_models_side_by_side_are_the_models_one_by_one(task):
    basis = principal_axes(FRAMES.vectors[ROWS])
    present = TARGETS[ROWS]
    held = [torch.arange(len(present)) % 2 == part for part in (0, 1)]
    weights = [torch.where(out[:, None], 0.0, torch.ones_like(present)) for out in held]
    both = Problem(task, 4, present.repeat(1, 2), torch.cat(weights, dim=1), torch.ones(8))
    together = solve(basis, both, l2=0.3, iterations=200)
    for part, own in enumerate(weights):
        alone = solve(basis, Problem(task, 4, present, own, torch.ones(4)), l2=0.3, iterations=200)
        np.testing.assert_allclose(together.weight[:, 4 * part : 4 * part + 4], alone.weight, atol=1e-2)


def test_a_fit_goes_on_from_where_another_stopped():
    basis = principal_axes(FRAMES.vectors)
    problem = Problem("multi_label", 4, TARGETS, torch.ones_like(TARGETS), torch.ones(4))
    solved = solve(basis, problem, l2=0.1, iterations=200)
    again = solve(basis, problem, l2=0.1, iterations=1, start=solved)
    np.testing.assert_allclose(again.weight, solved.weight, atol=1e-2)

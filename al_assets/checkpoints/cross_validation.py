"""The strength of L2, and honest logits for the training frames, by holding out whole clips. No final fit.

The held-out logits are what calibration and thresholds rest on while there are hardly any validation labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from al_assets.checkpoints.fitting import Basis, Problem, Solution, solve
from al_assets.keys import Task

L2_GRID = (1.0, 0.3, 0.1, 0.03, 0.01)
DEFAULT_L2 = 0.1
"""Used where cross-validation has nothing to compare: a single clip, or no class in two clips."""
# Ranking of L2 needs no more axes than this; fitting every fold in all of them would cost seconds.
_SEARCH_AXES = 256
_SEARCH_ITERATIONS = 15
_SLOPES = np.geomspace(0.2, 3.0, 12)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Logits (n, k) of models that did not see the row's clip.

    learned: (n, k) whether such a model knew the class; known: the same of judged cells only.
    """

    logits: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    learned: npt.NDArray[np.bool_]


def weighted_problem(
    targets: npt.NDArray[np.int8], cell_weights: npt.NDArray[np.floating], task: Task, balanced: bool
) -> tuple[Problem, npt.NDArray[np.float64]]:
    """One model's cells, and what class weighting added to its biases (k,).

    cell_weights: (n, 1) or (n, k), 0 for rows held out. Weighting keeps each class's total (multi-label) or
    the total of all rows (single-label), so that L2 means the same with and without.
    """
    judged = targets >= 0 if task == "multi_label" else np.ones_like(targets, dtype=bool)
    cells = np.where(judged, cell_weights, 0.0)
    present = (targets == 1).astype(np.float64)
    positive, total = (cells * present).sum(axis=0), cells.sum(axis=0)
    negative = total - positive
    classes = targets.shape[1]
    if task == "single_label":
        trained = positive > 0
        factor = (
            total.max() / np.maximum(positive, 1e-12) / max(int(trained.sum()), 1)
            if balanced
            else np.ones(classes)
        )
        weights, offset = cells * (present @ np.where(trained, factor, 0.0))[:, None], np.zeros(classes)
    else:
        trained = (positive > 0) & (negative > 0)
        # A class never judged absent cannot be told from the rest: better at the prior than everywhere.
        cells = np.where((positive > 0) & (negative <= 0), 0.0, cells)
        up = np.where(trained & balanced, total / (2 * np.maximum(positive, 1e-12)), 1.0)
        down = np.where(trained & balanced, total / (2 * np.maximum(negative, 1e-12)), 1.0)
        weights, offset = cells * np.where(present > 0, up, down), np.log(up / down)
    tensors = (torch.from_numpy(np.asarray(part, dtype=np.float32)) for part in (present, weights, trained))
    return Problem(task, classes, *tensors), offset


def side_by_side(
    models: Iterable[tuple[Problem, npt.NDArray[np.float64]]],
) -> tuple[Problem, npt.NDArray[np.float64]]:
    """Several models over the same rows as one problem, and their offsets (models * classes,), in that order."""
    problems, offsets = zip(*models, strict=True)
    tensors = (
        torch.cat([getattr(problem, name) for problem in problems], dim=-1)
        for name in ("present", "weights", "trained")
    )
    return Problem(problems[0].task, problems[0].classes, *tensors), np.concatenate(offsets)


def cross_validate(
    basis: Basis,
    targets: npt.NDArray[np.int8],
    row_weights: npt.NDArray[np.floating],
    folds: npt.NDArray[np.int64],
    *,
    task: Task,
    l2: float | None,
    balanced: bool,
) -> tuple[float, HeldOut | None]:
    """The L2 whose held-out logits explain the labels best at their best slope, and those logits.

    Judged at the best slope because calibration follows anyway: what counts is the direction, not the length.
    """
    narrow = basis.leading(_SEARCH_AXES)
    problem, offset = side_by_side(
        weighted_problem(targets, np.where(folds == fold, 0.0, row_weights)[:, None], task, balanced)
        for fold in range(int(folds.max()) + 1)
    )
    models = (-1, targets.shape[1])
    learned = problem.trained.numpy().reshape(models)[folds] > 0
    known = learned & (targets >= 0)
    comparable = known & (targets == 1)
    if not comparable.any():
        return l2 or DEFAULT_L2, None
    offsets = offset.reshape(models)[folds]
    rows, best = np.arange(len(targets)), (np.inf, DEFAULT_L2, np.empty(0))
    solution: Solution | None = None
    for strength in L2_GRID if l2 is None else (l2,):
        solution = solve(narrow, problem, l2=strength, iterations=_SEARCH_ITERATIONS, start=solution)
        every = solution.logits(narrow.scores).view(len(targets), *models).numpy()
        logits = every[rows, folds] - offsets
        loss = best_loss(logits, targets, known * row_weights[:, None], task)
        if loss < best[0] - 1e-6:
            best = (loss, strength, logits)
    return best[1], HeldOut(best[2].astype(np.float32), known, learned)


def best_loss(
    logits: npt.NDArray[np.floating],
    targets: npt.NDArray[np.int8],
    cells: npt.NDArray[np.floating],
    task: Task,
) -> float:
    """Log loss of held-out logits at the best of a few slopes."""
    return float(row_losses(logits, targets, cells, task).sum())


def row_losses(
    logits: npt.NDArray[np.floating],
    targets: npt.NDArray[np.int8],
    cells: npt.NDArray[np.floating],
    task: Task,
) -> npt.NDArray[np.float64]:
    """(n,) log loss of each row at the slope that is best for all, over cells (n, k) of weight above 0."""
    present, losses = targets == 1, []
    for slope in _SLOPES:
        scaled = slope * logits
        if task == "single_label":
            loss = (np.logaddexp.reduce(scaled, axis=1, keepdims=True) - scaled) * present
        else:
            loss = np.logaddexp(0, scaled) - present * scaled
        losses.append((loss * cells).sum(axis=1))
    return np.asarray(min(losses, key=np.sum))

"""A linear head that learns from the unlabelled archive too: labels spread to look-alikes, then one fit over both.

The graph finds out which frames belong together where the few labels cannot (surroundings.py); the linear fit then
turns that into something that scores thirty million frames by a matrix product. With one to four labels a class this
lifts accuracy by several points, with twenty-five by less or nothing. Not here: whether to prefer it (training.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from al_assets.checkpoints.cross_validation import HeldOut, best_loss, side_by_side, weighted_problem
from al_assets.checkpoints.fitting import Basis, Problem, principal_axes, solve
from al_assets.checkpoints.surroundings import Guesses, Surroundings, guess
from al_assets.keys import Task

GRID = (0.3, 0.1, 0.03)
DEFAULT_L2 = 0.1
"""Used where cross-validation has nothing to compare."""
GUESSED_WEIGHT = 3.0
"""Total weight of the guessed frames beside that of the labelled ones; 1 to 10 do about alike."""
SEARCH_FRAMES = 2_000
"""Guessed frames that cross-validation learns from: it ranks, the final fit takes all."""
SEARCH_AXES = 128
SEARCH_ITERATIONS = 15
Targets = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class LinearFit:
    """logits = (x - mean) @ weight.T + bias of vectors x; weight (k, d), bias (k,), mean (d,)."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]
    l2: float
    guessed: int


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labelled frames: vectors (m, d), targets (m, k) int8, weights (m,), clips (m,), the fold of each clip."""

    vectors: npt.NDArray[np.floating]
    targets: Targets
    weights: npt.NDArray[np.float64]
    folds: npt.NDArray[np.int64]
    clips: npt.NDArray[np.int64]


def fit_linear(
    labelled: Labelled, around: Surroundings, *, task: Task, l2: float, balanced: bool, iterations: int
) -> LinearFit:
    """The head over labelled and guessed frames."""
    guesses = guess(around, around.say(labelled.vectors), labelled.targets, task, labelled.weights)
    reached = np.flatnonzero(guesses.confidence.any(axis=1))
    part = Guesses(guesses.targets[reached], guesses.confidence[reached])
    own = torch.from_numpy(around.whitening(labelled.vectors))
    basis = principal_axes(torch.cat([own, around.vectors[torch.from_numpy(reached)]]).numpy())
    problem, offset = _joint_problem(labelled.targets, labelled.weights[:, None], part, task, balanced)
    solution = solve(basis, problem, l2=l2, iterations=iterations)
    in_whitened = (basis.axes @ solution.weight).numpy().astype(np.float64) / basis.scale
    bias = solution.bias.numpy() - offset - basis.mean.numpy() @ in_whitened
    weight = (around.whitening.matrix.astype(np.float64) @ in_whitened).T
    return LinearFit(
        np.ascontiguousarray(weight, dtype=np.float32),
        bias.astype(np.float32),
        around.whitening.mean,
        l2,
        len(reached),
    )


def cross_validate_spread(
    labelled: Labelled, around: Surroundings, *, task: Task, l2: float | None, balanced: bool
) -> tuple[float, HeldOut | None]:
    """The L2 whose models, without a row's clip among the labels, explain the row best; and their logits.

    The held-out frames stay in the graph as unlabelled ones, as the frames to be predicted are.
    """
    count = int(labelled.folds.max()) + 1
    say = around.say(labelled.vectors)
    kept = torch.arange(0, len(around), max(1, len(around) // SEARCH_FRAMES))
    parts = []
    for fold in range(count):
        seen = labelled.folds != fold
        guesses = guess(
            around, say, np.where(seen[:, None], labelled.targets, np.int8(-1)), task, labelled.weights
        )
        few = Guesses(guesses.targets[kept.numpy()], guesses.confidence[kept.numpy()])
        weights = np.where(seen, labelled.weights, 0.0)[:, None]
        parts.append(_joint_problem(labelled.targets, weights, few, task, balanced))
    problem, offset = side_by_side(parts)
    models = (count, labelled.targets.shape[1])
    learned = problem.trained.numpy().reshape(models)[labelled.folds] > 0
    known = learned & (labelled.targets >= 0)
    if not (known & (labelled.targets == 1)).any():
        return l2 or DEFAULT_L2, None
    own = torch.from_numpy(around.whitening(labelled.vectors))
    basis = principal_axes(torch.cat([own, around.vectors[kept]]).numpy()).leading(SEARCH_AXES)
    offsets = offset.reshape(models)[labelled.folds]
    logits, strength = _search(basis, problem, labelled, known, offsets, l2)
    return strength, HeldOut(logits.astype(np.float32), known, learned)


def mean_fit(one: LinearFit, other: LinearFit) -> LinearFit:
    """The head whose logits are the mean of both heads' logits: linear like them, and as quick."""
    half = np.float32(0.5)
    bias = half * (one.bias + other.bias + (one.mean - other.mean) @ other.weight.T)
    weight = half * (one.weight + other.weight)
    return LinearFit(weight, bias.astype(np.float32), one.mean, one.l2, one.guessed + other.guessed)


def mean_held_out(one: HeldOut, other: HeldOut) -> HeldOut:
    """What models of that kind say of held-out rows; known where both know."""
    logits = np.float32(0.5) * (one.logits + other.logits)
    return HeldOut(logits, one.known & other.known, one.learned & other.learned)


def _search(
    basis: Basis,
    problem: Problem,
    labelled: Labelled,
    known: npt.NDArray[np.bool_],
    offsets: npt.NDArray[np.float64],
    l2: float | None,
) -> tuple[npt.NDArray[np.float64], float]:
    rows, best, solution = np.arange(len(labelled.targets)), (np.inf, np.empty(0), DEFAULT_L2), None
    for strength in GRID if l2 is None else (l2,):
        solution = solve(basis, problem, l2=strength, iterations=SEARCH_ITERATIONS, start=solution)
        every = solution.logits(basis.scores[: len(rows)]).view(len(rows), -1, problem.classes).numpy()
        logits = every[rows, labelled.folds] - offsets
        loss = best_loss(logits, labelled.targets, known * labelled.weights[:, None], problem.task)
        if loss < best[0] - 1e-6 or not len(best[1]):
            best = (loss, logits, strength)
    return best[1], best[2]


def _joint_problem(
    targets: Targets,
    weights: npt.NDArray[np.float64],
    guesses: Guesses,
    task: Task,
    balanced: bool,
) -> tuple[Problem, npt.NDArray[np.float64]]:
    """Labelled rows, then guessed ones by their confidence, together GUESSED_WEIGHT times as heavy."""
    confidence = np.broadcast_to(guesses.confidence, guesses.targets.shape).astype(np.float64)
    judged = np.maximum((weights * (targets >= 0)).sum(axis=0), 0.0)
    total = confidence.sum(axis=0)
    if task == "single_label":
        judged, total = np.full_like(total, weights.sum()), np.full_like(total, total.max(initial=0.0))
    scale = GUESSED_WEIGHT * judged / np.maximum(total, 1e-9)
    cells = np.concatenate([np.broadcast_to(weights, targets.shape), confidence * scale])
    return weighted_problem(np.concatenate([targets, guesses.targets]), cells, task, balanced)

"""Committees of heads: the same labels seen with other weights, for strategies that ask where models disagree.

Each member weighs the clips by a draw of the Bayesian bootstrap (Rubin 1981): every clip keeps some weight, so that no
member loses a class that few clips show, as members of a bootstrap by counts do. Not here: the head that serves
(training.py), files, and what disagreement is worth (selection/strategies/bald.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from al_assets.checkpoints.calibration import fit_scaling
from al_assets.checkpoints.cross_validation import HeldOut, cross_validate, side_by_side, weighted_problem
from al_assets.checkpoints.fitting import Basis, Problem, Solution, principal_axes, solve
from al_assets.checkpoints.folds import clip_folds
from al_assets.checkpoints.heads import Array, as_float32, to_probabilities
from al_assets.checkpoints.training import FOLDS, usable_rows
from al_assets.keys import Task

MEMBERS = 5
ITERATIONS = 60
CELLS = 1 << 22
"""Logits made at once: 16 MB."""


@dataclass(frozen=True, eq=False)
class Committee:
    """Linear members: calibrated logits of x are `x @ weight[m].T + bias[m]`; (members, k, d) and (members, k)."""

    task: Task
    weight: Array
    bias: Array

    def probabilities(self, vectors: npt.NDArray[np.floating]) -> Array:
        """(members, n, k) float32 of vectors (n, d): one matrix product a block for all members."""
        members, k, d = self.weight.shape
        if vectors.ndim != 2 or vectors.shape[1] != d:
            raise ValueError(
                f"the committee reads {d} values, got {vectors.shape}; use the embedder of its labels"
            )
        out = np.empty((members, len(vectors), k), dtype=np.float32)
        columns = torch.from_numpy(self.weight.reshape(-1, d)).T
        step = max(1, CELLS // (members * k))
        for start in range(0, len(vectors), step):
            logits = torch.addmm(
                torch.from_numpy(self.bias.reshape(-1)), as_float32(vectors[start : start + step]), columns
            ).numpy()
            by_member = to_probabilities(logits.reshape(-1, k), self.task).reshape(-1, members, k)
            out[:, start : start + step] = by_member.swapaxes(0, 1)
        return out


def fit_committee(
    features: npt.NDArray[np.floating],
    targets: npt.NDArray[np.int8],
    weights: npt.NDArray[np.floating] | None,
    *,
    task: Task,
    members: int = MEMBERS,
    seed: int = 0,
    groups: npt.NDArray[np.int64] | None = None,
    l2: float | None = None,
    class_weighting: bool = True,
) -> Committee:
    """Members fitted side by side as one problem, at about the cost of one head.

    features: (n, d) float16 or float32; targets: (n, k) int8, 1 present, 0 judged absent, -1 not judged; weights: (n,)
    relative, or None; groups: clip of each row, None where every row stands alone. The strength of L2 (unless given)
    and the calibration are one for all members, from the clips that cross-validation holds out. A single clip is
    weighed frame by frame. Raises ValueError for NaN and where no row can be learned from.
    """
    if members < 1:
        raise ValueError(f"members = {members} must be at least 1")
    rows = usable_rows(features, targets, weights, task)
    clips = (np.arange(len(features)) if groups is None else np.asarray(groups))[rows]
    judged, basis = targets[rows], principal_axes(features[rows])
    row_weights = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)[rows]
    row_weights /= row_weights.mean()
    folds = clip_folds(judged, clips, folds=FOLDS, seed=seed)
    l2, held_out = cross_validate(
        basis, judged, row_weights, folds, task=task, l2=l2, balanced=class_weighting
    )
    drawn = row_weights[:, None] * clip_weights(clips, members, seed)
    problem, offset = side_by_side(
        weighted_problem(judged, column[:, None], task, class_weighting) for column in drawn.T
    )
    weight, bias = _folded(basis, solve(basis, problem, l2=l2, iterations=ITERATIONS), offset)
    slope, shift = np.ones(len(bias)), np.zeros(len(bias))
    if held_out is not None:
        slope, shift = _calibration(held_out, judged, row_weights, problem)
    shape = (members, targets.shape[1])
    return Committee(
        task,
        (weight * slope[:, None]).reshape(*shape, -1).astype(np.float32),
        (bias * slope + shift).reshape(shape).astype(np.float32),
    )


def clip_weights(groups: npt.NDArray[np.int64], members: int, seed: int) -> npt.NDArray[np.float64]:
    """(n, members) weights, one for all rows of a clip, 1 in the mean over rows; in a single clip rows stand apart."""
    clips, clip_of = np.unique(groups, return_inverse=True)
    if len(clips) == 1:
        clips = clip_of = np.arange(len(groups))
    drawn = np.random.default_rng(seed).standard_exponential((members, len(clips))).T[clip_of]
    return np.asarray(drawn / drawn.mean(axis=0))


def _calibration(
    held_out: HeldOut,
    targets: npt.NDArray[np.int8],
    row_weights: npt.NDArray[np.float64],
    problem: Problem,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Slope and shift of each member's classes, (m,). As with one head, a class without weights keeps its prior."""
    cells = held_out.known * row_weights[:, None]
    scaling = fit_scaling(held_out.logits, targets, cells, task=problem.task)
    moved = (problem.trained.numpy() > 0) | (problem.task == "single_label")
    shift = np.tile(scaling.shift, len(moved) // problem.classes)
    return np.where(moved, scaling.slope, 1.0), np.where(moved, shift, 0.0)


def _folded(
    basis: Basis, solution: Solution, offset: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights (m, d) and biases (m,) for the vectors themselves; m = members * classes."""
    weight = (basis.axes @ solution.weight).T.double().numpy() / basis.scale
    bias = solution.bias.double().numpy() - offset - weight @ basis.mean.double().numpy()
    return weight, bias

"""Convex fits of regularised logistic models, full batch, in torch. No choice of settings, no calibration.

Several models that differ only in their cell weights (the folds of a cross-validation) are fitted as one
problem, so that each step is one matrix product. Everything is deterministic: no draw, no mini-batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import softplus

from al_assets.checkpoints.heads import as_float32
from al_assets.keys import Task

PSEUDO_FRAMES = 1.0
"""Weight of an invented frame at the centre of the training data: it keeps every bias finite."""
PRIOR_PRESENCE = 0.1
"""Probability of a class on that frame (multi-label): where a class without any evidence starts."""
UNSEEN_PSEUDO_FRAMES = 10.0
"""The same weight for a multi-label class nobody has seen: absent on m frames, its probability is 1 / (m + 10)."""
# A direction with less than this share of the largest variance is rounding noise of float16 vectors.
_RELATIVE_VARIANCE = 1e-6
MOST_AXES = 512
"""Axes kept at most: on 1,600 frames of 1,280 values, all of them ranked and calibrated no better."""


@dataclass(frozen=True, eq=False)
class Basis:
    """Training vectors in their principal axes: (features - mean) / scale is scores @ axes.T.

    scores: (n, r) tensor, r <= min(n, d, MOST_AXES); axes: (d, r); spread: (r,) singular values, descending;
    mean: (d,); scale: one number for all features. By the representer theorem an L2-regularised model fitted
    on `scores` is the one fitted on the vectors, at the cost of the smaller side.
    """

    scores: torch.Tensor
    axes: torch.Tensor
    spread: torch.Tensor
    mean: torch.Tensor
    scale: float

    def leading(self, components: int) -> Basis:
        """The same with its `components` widest axes only."""
        keep = slice(0, components)
        return Basis(self.scores[:, keep], self.axes[:, keep], self.spread[keep], self.mean, self.scale)


def principal_axes(features: npt.NDArray[np.floating]) -> Basis:
    """Centre, scale and rotate features (n >= 1, d).

    One scale for all features, not one each: from few frames a feature's own deviation is mostly noise, and
    dividing by it lets the noisiest features speak loudest.
    """
    rows = as_float32(features)
    mean = rows.mean(dim=0)
    centred = rows - mean
    scale = float(centred.square().sum(dim=1).mean().sqrt()) or 1.0
    centred /= scale
    wide = centred.shape[0] <= centred.shape[1]
    gram = centred @ centred.T if wide else centred.T @ centred
    # Duplicate frames make a spectrum that only double resolves; for large matrices it would cost seconds.
    variance, vectors = torch.linalg.eigh(gram.double() if len(gram) <= 512 else gram)
    variance, vectors = variance.float().flip(0).clamp_min(0), vectors.float().flip(1)
    rank = min(max(1, int((variance > _RELATIVE_VARIANCE * variance[0]).sum())), MOST_AXES)
    spread, vectors = variance[:rank].sqrt(), vectors[:, :rank]
    if not wide:
        return Basis(centred @ vectors, vectors, spread, mean, scale)
    return Basis(vectors * spread, centred.T @ vectors / spread.clamp_min(1e-12), spread, mean, scale)


@dataclass(frozen=True, eq=False)
class Problem:
    """One or more models over the same frames, side by side.

    present: (n, m) 1 where the class is present; weights: (n, m) weight of each cell, 0 where not judged or
    held out; for single-label every column of a row carries the row's weight. trained: (m,) 1 where the class
    has something to be told apart from; the others get no weight vector, only a bias. m = models * classes.
    """

    task: Task
    classes: int
    present: torch.Tensor
    weights: torch.Tensor
    trained: torch.Tensor


@dataclass(frozen=True, eq=False)
class Solution:
    """weight: (r, m), bias: (m,) in the coordinates of the basis."""

    weight: torch.Tensor
    bias: torch.Tensor

    def logits(self, scores: torch.Tensor) -> torch.Tensor:
        """(n, m) for scores (n, r)."""
        return torch.addmm(self.bias, scores, self.weight)


def solve(
    basis: Basis, problem: Problem, *, l2: float, iterations: int, start: Solution | None = None
) -> Solution:
    """Minimise the weighted log loss + l2 / 2 * |weight|^2 by L-BFGS with a strong Wolfe line search.

    The variables are scaled by the curvature bound of the logistic loss (Boehning and Lindsay 1988), which is
    diagonal in the principal axes: some twenty steps then do where plain L-BFGS needs hundreds.
    """
    cells = problem.weights.sum(dim=0)
    seen = (problem.weights > 0).sum(dim=0).clamp_min(1)
    curvature = 0.25 * basis.spread.square()[:, None] * (cells / seen)[None, :]
    step = (curvature + l2).rsqrt() * problem.trained
    bias_step = (0.25 * (cells + _pseudo_frames(problem))).rsqrt()
    variables = torch.zeros(len(basis.spread) + 1, problem.present.shape[1])
    if start is not None:
        variables[:-1] = torch.where(step > 0, start.weight / step, 0.0)
        variables[-1] = start.bias / bias_step
    variables.requires_grad_(True)
    # Float32 sums over all cells are not exact to more than this, and steps below it change no probability.
    exact = 1e-6 * max(float(cells.sum()), 1.0)
    optimiser = torch.optim.LBFGS(
        [variables],
        max_iter=iterations,
        tolerance_grad=exact,
        tolerance_change=0.1 * exact,
        line_search_fn="strong_wolfe",
    )

    @torch.no_grad()
    def closure() -> torch.Tensor:
        weight, bias = variables[:-1] * step, variables[-1] * bias_step
        loss, slope = _loss_and_slope(problem, torch.addmm(bias, basis.scores, weight))
        prior, prior_slope = _prior(problem, bias)
        gradient = step * (basis.scores.T @ slope + l2 * weight)
        bias_gradient = bias_step * (slope.sum(dim=0) + prior_slope)
        variables.grad = torch.cat([gradient, bias_gradient[None]])
        return loss + prior + 0.5 * l2 * weight.square().sum()

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    solved = variables.detach()
    return Solution(solved[:-1] * step, solved[-1] * bias_step)


def _loss_and_slope(problem: Problem, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted log loss and its derivative by the logits."""
    if problem.task == "multi_label":
        loss = (problem.weights * (softplus(logits) - problem.present * logits)).sum()
        return loss, problem.weights * (torch.sigmoid(logits) - problem.present)
    shape = (len(logits), -1, problem.classes)
    by_model, present = logits.view(shape), problem.present.view(shape)
    weights = problem.weights.view(shape)
    log_p = torch.log_softmax(by_model, dim=2)
    return -(weights * present * log_p).sum(), (weights * (log_p.exp() - present)).view_as(logits)


def _prior(problem: Problem, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log loss of the invented frame at the centre, where logits are the biases."""
    if problem.task == "multi_label":
        frames = _pseudo_frames(problem)
        loss = (frames * (softplus(bias) - PRIOR_PRESENCE * bias)).sum()
        return loss, frames * (torch.sigmoid(bias) - PRIOR_PRESENCE)
    by_model = bias.view(-1, problem.classes)
    share = 1.0 / problem.classes
    loss = -share * torch.log_softmax(by_model, dim=1).sum()
    return PSEUDO_FRAMES * loss, PSEUDO_FRAMES * (torch.softmax(by_model, dim=1) - share).reshape(-1)


def _pseudo_frames(problem: Problem) -> torch.Tensor:
    """Weight of the invented frame for each class, (m,)."""
    few = torch.full_like(problem.trained, PSEUDO_FRAMES)
    if problem.task == "single_label":
        return few
    return torch.where(problem.trained > 0, few, UNSEEN_PSEUDO_FRAMES)

"""Training of a head: labels and vectors in, a calibrated head out. No tables, no files, no evaluation.

The loop begins with some twenty labelled frames, so the settings that matter (L2, calibration, thresholds)
are chosen inside the training labels, by cross-validation that holds out whole clips.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader

from al_assets.checkpoints.calibration import (
    STEADY_PRIOR,
    WIDE_PRIOR,
    choose_thresholds,
    fit_scaling,
    scale_head,
)
from al_assets.checkpoints.cross_validation import HeldOut, cross_validate, row_losses, weighted_problem
from al_assets.checkpoints.dataset import FrameDataset, Sample
from al_assets.checkpoints.fitting import principal_axes, solve
from al_assets.checkpoints.folds import clip_folds
from al_assets.checkpoints.heads import Head, to_probabilities
from al_assets.checkpoints.semi_supervised import (
    Labelled,
    LinearFit,
    cross_validate_spread,
    fit_linear,
    mean_fit,
    mean_held_out,
)
from al_assets.checkpoints.surroundings import Surroundings
from al_assets.keys import Task

FOLDS = 5
Recipe = Literal["auto", "logistic", "propagated"]
"""Ways to fit a head."""
RECIPES: tuple[Recipe, ...] = get_args(Recipe)
ALLOWED_ERRORS: dict[Literal["propagated", "mean"], float] = {"propagated": 1.0, "mean": 3.0}
"""Standard errors by which held-out clips may be told worse than by logistic regression before a head is dropped."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a head is trained."""

    head: Recipe = "auto"
    """`logistic`: regularised logistic regression on the labelled frames; `propagated`: on them and on frames that
    their labels spread to; `auto`: propagated unless held-out clips are told worse by it beyond noise, then the mean
    of both unless that is, then logistic. Without unlabelled frames: logistic."""
    l2: float | None = None
    """Strength of the L2 penalty beside the summed loss; None chooses it by cross-validation over clips."""
    iterations: int = 60
    """Steps of the final fit at most; it stops earlier when converged."""
    class_weighting: bool = True
    """Rare classes (multi-label: presence against absence) weigh as much as common ones."""
    seed: int = 7
    """Decides ties between clips in cross-validation; nothing else is drawn."""

    def __post_init__(self) -> None:
        """Refuse settings without meaning."""
        if self.l2 is not None and not 0 < self.l2 < float("inf"):
            raise ValueError(f"l2 = {self.l2} must be positive, or None to have it chosen")
        if self.head not in RECIPES:
            raise ValueError(f"head = {self.head!r} is unknown; choose one of {', '.join(RECIPES)}")
        if self.iterations < 1:
            raise ValueError(f"iterations = {self.iterations} must be at least 1")


@dataclass(frozen=True, eq=False)
class Fitted:
    """A head, and what its like, trained without a row's clip, make of the rows that it learned from.

    rows: (m,) positions in what was given. out_of_sample: (m, k) calibrated probabilities, NaN where the class was
    not known without the clip.
    """

    head: Head
    rows: npt.NDArray[np.int64]
    out_of_sample: npt.NDArray[np.float32]


def fit_head(
    features: npt.NDArray[np.floating],
    targets: npt.NDArray[np.int8],
    weights: npt.NDArray[np.floating] | None,
    *,
    task: Task,
    class_ids: tuple[int, ...],
    class_names: tuple[str, ...],
    embedder_id: str,
    config: TrainingConfig,
    groups: npt.NDArray[np.int64] | None = None,
    surroundings: Surroundings | None = None,
) -> Fitted:
    """Fit, calibrate and set the thresholds of a linear head on frozen vectors.

    features: (n, d) float16 or float32; targets: (n, k) int8, 1 present, 0 judged absent, -1 not judged;
    weights: (n,) relative, or None; rows of weight 0 are left out; groups: clip of each row, None where every row
    stands alone; surroundings: a sample of the archive, for heads that learn from unlabelled frames. Single-label
    rows must have at most one present class; rows without one teach nothing there and are left out.

    A multi-label class that lacks a judged presence or a judged absence gets no weight vector and a low
    constant probability; a single-label class that nobody showed stays below those that were. Raises
    ValueError for shapes that do not fit, for NaN, and where no row can be learned from.
    """
    if targets.ndim != 2 or targets.shape[1] != len(class_ids):
        raise ValueError(f"targets {targets.shape} do not fit {len(class_ids)} classes")
    rows = usable_rows(features, targets, weights, task)
    clips = np.arange(len(features)) if groups is None else np.asarray(groups)
    if clips.shape != (len(features),):
        raise ValueError(f"groups {clips.shape} must name the clip of each of {len(features)} rows")
    judged, clips = targets[rows], clips[rows]
    row_weights = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)[rows]
    # Weights are relative: their size must not pass for evidence.
    row_weights /= row_weights.mean()
    folds = clip_folds(judged, clips, folds=FOLDS, seed=config.seed)
    labelled = Labelled(features[rows], judged, row_weights, folds, clips)
    fit, held_out, why = _fit(labelled, surroundings, task, config)
    head = _assemble(fit, task, class_ids, class_names, embedder_id)
    note = f"{len(rows)} training frames of {len(np.unique(clips))} clips, {why}, l2 {fit.l2:g}"
    if held_out is None:
        head = replace(head, calibration=f"not calibrated: no class shows in two clips ({note})")
        return Fitted(head, rows, np.full(judged.shape, np.nan, np.float32))
    head, probabilities = _calibrate_on_held_out(head, held_out, judged, row_weights, note)
    return Fitted(head, rows, np.where(held_out.learned, probabilities, np.float32(np.nan)))


def _fit(
    labelled: Labelled, surroundings: Surroundings | None, task: Task, config: TrainingConfig
) -> tuple[LinearFit, HeldOut | None, str]:
    """The fit of the recipe, held-out logits of its like, and which recipe it was and why."""
    shared: Any = {"task": task, "balanced": config.class_weighting}
    basis = principal_axes(labelled.vectors)
    plain_l2, plain = cross_validate(
        basis, labelled.targets, labelled.weights, labelled.folds, l2=config.l2, **shared
    )
    how, why, spread, spread_l2 = "logistic", "logistic", None, 0.0
    if surroundings is not None and config.head != "logistic":
        spread_l2, spread = cross_validate_spread(labelled, surroundings, l2=config.l2, **shared)
        how = why = "propagated"
        if config.head == "auto":
            how, why = _prefer(labelled, plain, spread, task)
    if how != "logistic" and surroundings is not None:
        learned = fit_linear(labelled, surroundings, l2=spread_l2, iterations=config.iterations, **shared)
        if how == "propagated":
            return learned, spread, why
    problem, offset = weighted_problem(
        labelled.targets, labelled.weights[:, None], task, config.class_weighting
    )
    solution = solve(basis, problem, l2=plain_l2, iterations=config.iterations)
    weight = (basis.axes @ solution.weight / basis.scale).T.numpy()
    bias = solution.bias.numpy() - offset
    fit = LinearFit(weight, bias.astype(np.float32), basis.mean.numpy(), plain_l2, 0)
    if how == "mean" and plain is not None and spread is not None:
        return mean_fit(fit, learned), mean_held_out(plain, spread), why
    return fit, plain, why


def _prefer(
    labelled: Labelled, plain: HeldOut | None, spread: HeldOut | None, task: Task
) -> tuple[Literal["propagated", "mean", "logistic"], str]:
    """The first of propagated, mean and logistic that held-out clips are not told worse by than by logistic, and why.

    Where they cannot tell, propagated: on few labels it led on every data set tried. Worse is worse by more than
    ALLOWED_ERRORS; the mean of both heads errs less than either where they err differently.
    """
    if plain is None or spread is None:
        return "propagated", "propagated, nothing to compare it on"
    both = plain.known & spread.known
    told = both.any(axis=1) if task == "multi_label" else (both & (labelled.targets == 1)).any(axis=1)
    if not told.any():
        return "propagated", "propagated, nothing to compare it on"
    cells = both[told] * labelled.weights[told, None]
    heads = {"propagated": spread, "mean": mean_held_out(plain, spread), "logistic": plain}
    losses = {
        name: row_losses(held.logits[told], labelled.targets[told], cells, task)
        for name, held in heads.items()
    }
    clip = np.unique(labelled.clips[told], return_inverse=True)[1]
    words = ", ".join(f"{loss.mean():.3f} {name}" for name, loss in losses.items())
    for name, errors in ALLOWED_ERRORS.items():
        gain = losses["logistic"] - losses[name]
        # Frames of a clip are nearly one observation.
        by_clip = np.bincount(clip, gain - gain.mean())
        if gain.mean() > -errors * float(np.sqrt((by_clip**2).sum())) / len(gain):
            return name, f"{name} (held-out loss {words})"
    return "logistic", f"logistic (held-out loss {words})"


def usable_rows(
    features: npt.NDArray[np.floating],
    targets: npt.NDArray[np.int8],
    weights: npt.NDArray[np.floating] | None,
    task: Task,
) -> npt.NDArray[np.int64]:
    """Positions of the rows that can be learned from. Raises ValueError as `fit_head` does."""
    if features.ndim != 2 or targets.ndim != 2 or len(features) != len(targets):
        raise ValueError(f"features {features.shape} and targets {targets.shape} do not fit")
    if weights is not None and np.shape(weights) != (len(features),):
        raise ValueError(f"weights must be one for each of {len(features)} rows, got {np.shape(weights)}")
    if weights is not None and not (np.isfinite(weights) & (np.asarray(weights) >= 0)).all():
        raise ValueError("weights must be finite and not negative; 0 leaves a row out")
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{len(bad)} training vectors hold NaN or infinity, first in row {bad[0]}; embed them again"
        )
    if not np.isin(targets, (-1, 0, 1)).all():
        raise ValueError("targets must be 1 (present), 0 (judged absent) or -1 (not judged)")
    positives = (targets == 1).sum(axis=1)
    if task == "single_label" and (positives > 1).any():
        raise ValueError(
            f"row {int(positives.argmax())} has {positives.max()} classes; use the multi_label task"
        )
    usable = positives == 1 if task == "single_label" else (targets >= 0).any(axis=1)
    if weights is not None:
        usable &= np.asarray(weights) > 0
    if not usable.any():
        raise ValueError("no labelled frame to train on; label a batch first")
    return np.flatnonzero(usable)


def _assemble(
    fit: LinearFit,
    task: Task,
    class_ids: tuple[int, ...],
    class_names: tuple[str, ...],
    embedder_id: str,
) -> Head:
    classes, dimensions = fit.weight.shape
    return Head(
        task=task,
        class_ids=class_ids,
        class_names=class_names,
        embedder_id=embedder_id,
        weight=np.ascontiguousarray(fit.weight),
        bias=fit.bias,
        mean=fit.mean,
        scale=np.ones(dimensions, dtype=np.float32),
        temperature=np.ones(classes, dtype=np.float32),
        thresholds=np.full(classes, 0.5, dtype=np.float32),
    )


def _calibrate_on_held_out(
    head: Head,
    held_out: HeldOut,
    targets: npt.NDArray[np.int8],
    row_weights: npt.NDArray[np.floating],
    note: str,
) -> tuple[Head, npt.NDArray[np.float32]]:
    """Calibration and thresholds from the held-out logits of the training clips themselves, and what they come to."""
    cells = held_out.known * row_weights[:, None]
    prior = STEADY_PRIOR if head.task == "single_label" else WIDE_PRIOR
    scaling = fit_scaling(held_out.logits, targets, cells, task=head.task, prior=prior)
    scaled = scale_head(head, scaling)
    probabilities = to_probabilities(scaling(held_out.logits), head.task)
    if head.task == "multi_label":
        scaled = choose_thresholds(scaled, probabilities)
    return replace(scaled, calibration=f"held-out clips of {note} (slope {scaling.slope:.2f})"), probabilities


def gather(
    dataset: FrameDataset,
    *,
    batch_size: int,
    workers: int,
    start_method: Literal["fork", "spawn", "forkserver"] | None = None,
) -> npt.NDArray[np.float16]:
    """Vectors (n, d) of a dataset in its order, through a DataLoader: one query a mini-batch.

    workers: 0 reads in this process. start_method: how workers begin; None is the platform's default.
    """
    if dataset.what != "vectors":
        raise ValueError("gather reads vectors; this dataset gives images")
    context = start_method if workers else None
    loader: DataLoader[Sample] = DataLoader(
        dataset, batch_size=batch_size, num_workers=workers, shuffle=False, multiprocessing_context=context
    )
    out: npt.NDArray[np.float16] | None = None
    done = 0
    for batch in loader:
        block = batch.inputs.numpy()
        if out is None:
            out = np.empty((len(dataset), block.shape[1]), dtype=block.dtype)
        out[done : done + len(block)] = block
        done += len(block)
    if out is None:
        raise ValueError("the dataset is empty; label a batch first")
    return out

"""From logits to probabilities that mean what they say, and to thresholds. No training, no evaluation report.

Everything shrinks towards "change nothing", so that three labels move a head by what three labels are worth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import softplus

from al_assets.checkpoints.heads import Head, to_probabilities
from al_assets.keys import Task

Floats = npt.NDArray[np.floating]
MINIMUM_FRAMES = 10
"""Labelled validation frames below which `calibrate` leaves a head alone."""
THRESHOLD_FRAMES = 100
"""Validation frames from which thresholds are chosen afresh rather than carried along."""
WIDE_PRIOR = (1.0, 1.0, 0.3)
"""Prior standard deviations of log slope, common shift and own shift of a class, for raw logits."""
STEADY_PRIOR = (0.3, 1.0, 0.3)
"""The same for raw logits of single-label heads: held-out rows of a class that has no other are not heard, so that the
rest look easier than they are and would ask for steep slopes."""
TIGHT_PRIOR = (0.3, 0.3, 0.2)
"""The same for a head that is calibrated already: a dozen validation frames must not undo it."""
LOWEST_THRESHOLD = 0.1
"""On twenty labels lower ones gain a point of F1, and cover every frame with false sightings."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """calibrated logits = slope * logits + shift. slope: one number; shift: (k,), zero for single-label."""

    slope: float
    shift: npt.NDArray[np.float64]

    def __call__(self, logits: Floats) -> npt.NDArray[np.float32]:
        """Calibrated logits, (n, k)."""
        return np.asarray(self.slope * logits + self.shift, dtype=np.float32)


def fit_scaling(
    logits: Floats,
    targets: npt.NDArray[np.int8],
    weights: Floats,
    *,
    task: Task,
    prior: tuple[float, float, float] = WIDE_PRIOR,
) -> Scaling:
    """Maximum a posteriori scaling of logits (n, k) on targets (n, k) with cell weights (n, k).

    single-label: one temperature (Guo et al. 2017). multi-label: one slope for all classes, a common shift
    and a shift of each class (Platt 1999). Cells with weight 0 or target -1 do not count; a single-label row
    counts with the weight of its present class.
    """
    scores = torch.from_numpy(np.asarray(logits, dtype=np.float64))
    present = torch.from_numpy((targets == 1).astype(np.float64))
    cells = torch.from_numpy(np.where(targets >= 0, weights, 0.0).astype(np.float64))
    classes = scores.shape[1]
    variables = torch.zeros(2 + classes, dtype=torch.float64, requires_grad=True)
    precision = torch.tensor([prior[0], prior[1], *[prior[2]] * classes], dtype=torch.float64) ** -2
    optimiser = torch.optim.LBFGS([variables], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        slope = variables[0].exp()
        if task == "single_label":
            loss = -(cells * present * torch.log_softmax(slope * scores, dim=1)).sum()
        else:
            scaled = slope * scores + variables[1] + variables[2:]
            loss = (cells * (softplus(scaled) - present * scaled)).sum()
        loss = loss + 0.5 * (precision * variables.square()).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    solved = variables.detach().numpy()
    shift = np.zeros(classes) if task == "single_label" else solved[1] + solved[2:]
    return Scaling(float(np.exp(solved[0])), shift)


def scale_head(head: Head, scaling: Scaling) -> Head:
    """The head with `scaling` applied to its logits; thresholds keep their place on the logits.

    A frame that was over a threshold stays over it: calibration changes what is claimed, not what is decided.
    Multi-label classes without a weight vector keep their low prior: what was learned on others is not theirs.
    """
    moved = trained_classes(head) | (head.task == "single_label")
    slope, shift = np.where(moved, scaling.slope, 1.0), np.where(moved, scaling.shift, 0.0)
    temperature = head.temperature / slope
    inside = np.clip(head.thresholds.astype(np.float64), 1e-6, 1 - 1e-6)
    thresholds = 1 / (1 + np.exp(-slope * np.log(inside / (1 - inside)) - shift))
    return replace(
        head,
        temperature=temperature.astype(np.float32),
        bias=(head.bias + shift * temperature).astype(np.float32),
        thresholds=thresholds.astype(np.float32) if head.task == "multi_label" else head.thresholds,
    )


def trained_classes(head: Head) -> npt.NDArray[np.bool_]:
    """(k,) whether a class has a weight vector, so that frames can differ in it."""
    return np.asarray((head.weight != 0).any(axis=1))


def expected_f1_thresholds(probabilities: Floats) -> npt.NDArray[np.float32]:
    """Threshold of each class, (k,), that maximises the F1 to be expected if the probabilities hold.

    Claiming the m likeliest frames gives an expected F1 of 2 * (sum of their p) / (m + sum of all p); the best
    threshold is half the best F1, hence at most 0.5 and the lower the harder the class (Lipton, Elkan and
    Narayanaswamy 2014). No label enters but through the calibration, so that a class with two positives gets a
    threshold as steady as any other. On few labels it gave about twice the macro-F1 of a threshold of 0.5.
    probabilities: (n, k) of frames that the model was not fitted on; n == 0 gives 0.5.
    """
    frames, classes = probabilities.shape
    if not frames:
        return np.full(classes, 0.5, dtype=np.float32)
    likeliest = -np.sort(-probabilities.astype(np.float64), axis=0)
    claimed = np.arange(1, frames + 1)[:, None]
    expected = 2 * np.cumsum(likeliest, axis=0) / (claimed + likeliest.sum(axis=0))
    return np.asarray(np.maximum(expected.max(axis=0) / 2, LOWEST_THRESHOLD), dtype=np.float32)


def choose_thresholds(head: Head, probabilities: Floats) -> Head:
    """The head with the thresholds that its probabilities (n, k) on unseen frames ask for.

    A class without a weight vector says the same of every frame, so no threshold can pick the right ones:
    0.5.
    """
    chosen = np.where(trained_classes(head), expected_f1_thresholds(probabilities), np.float32(0.5))
    return replace(head, thresholds=chosen.astype(np.float32))


def calibrate(
    head: Head,
    vectors: Floats,
    targets: npt.NDArray[np.int8],
    *,
    groups: npt.NDArray[np.int64] | None = None,
) -> Head:
    """The head calibrated on validation frames; `calibration` says what was done, or why nothing was.

    vectors: (n, d); targets: (n, k) in {1, 0, -1}, columns in the order of the head's classes; groups: clip
    of each row. Neighbouring frames are nearly one observation, so a clip of m frames weighs sqrt(m). A head
    of `fit_head` arrives calibrated on held-out clips of its training labels; validation frames, drawn
    uniformly, then correct it for what the archive really holds. From THRESHOLD_FRAMES on, thresholds are
    chosen afresh.
    """
    if targets.shape != (len(vectors), len(head.class_ids)):
        raise ValueError(
            f"targets {targets.shape} do not fit {len(vectors)} vectors of {len(head.class_ids)} classes"
        )
    used = np.flatnonzero(
        (targets == 1).any(axis=1) if head.task == "single_label" else (targets >= 0).any(axis=1)
    )
    found = np.unique(targets[used][targets[used] >= 0])
    if len(used) < MINIMUM_FRAMES or len(found) < 2:
        lack = f"{len(used)} validation frames, {MINIMUM_FRAMES} are needed"
        lack = lack if len(used) < MINIMUM_FRAMES else "validation frames that show no contrast"
        return replace(head, calibration=f"{head.calibration}; not recalibrated: {lack}")
    logits, chosen = head.logits(vectors[used]), targets[used]
    clips = groups[used] if groups is not None else np.arange(len(used))
    _, clip_of, sizes = np.unique(clips, return_inverse=True, return_counts=True)
    weights = np.repeat((1 / np.sqrt(sizes))[clip_of][:, None], chosen.shape[1], axis=1)
    scaling = fit_scaling(logits, chosen, weights, task=head.task, prior=TIGHT_PRIOR)
    scaled = scale_head(head, scaling)
    note = f"recalibrated on {len(used)} validation frames of {len(sizes)} clips (slope {scaling.slope:.2f})"
    if head.task == "multi_label" and len(used) >= THRESHOLD_FRAMES:
        scaled = choose_thresholds(scaled, to_probabilities(scaling(logits), head.task))
        note = f"{note}, thresholds chosen on them"
    return replace(scaled, calibration=f"{head.calibration}; {note}")


def expected_calibration_error(
    probabilities: Floats, targets: npt.NDArray[np.int8], bins: int = 15, *, task: Task = "multi_label"
) -> float:
    """Mean gap between confidence and share of hits over equal-width bins (Naeini et al. 2015).

    multi-label: over all judged cells; single-label: the likeliest class of each labelled row. NaN without
    labels.
    """
    confidence, hit, _ = confidence_and_hits(probabilities, targets, task=task)
    if not len(confidence):
        return float("nan")
    bin_of = calibration_bins(confidence, bins)
    gap = np.bincount(bin_of, weights=confidence - hit, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def calibration_bins(confidence: Floats, bins: int = 15) -> npt.NDArray[np.int64]:
    """Equal-width bin of each confidence, [0, bins); 1.0 falls in the last."""
    return np.minimum((np.asarray(confidence) * bins).astype(np.int64), bins - 1)


def confidence_and_hits(
    probabilities: Floats, targets: npt.NDArray[np.int8], *, task: Task
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Confidence, hit (0 or 1) and row of everything whose calibration can be looked at."""
    if task == "multi_label":
        rows, columns = np.nonzero(targets >= 0)
        return (
            probabilities[rows, columns].astype(np.float64),
            (targets[rows, columns] == 1).astype(np.float64),
            rows,
        )
    rows = np.flatnonzero((targets == 1).any(axis=1))
    top = probabilities[rows].argmax(axis=1)
    return probabilities[rows, top].astype(np.float64), (targets[rows, top] == 1).astype(np.float64), rows

"""Does labelling still pay? Signals from models in their order, and advice in words. Nothing is stopped by it.

Stability of predictions: Bloodgood, Vijay-Shanker (2009), who stop at a kappa of .99 over three rounds. Random-arm
estimate: Hajek's ratio (1971) with inverse propensities. Not here: where the numbers come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from al_assets.checkpoints.evaluation import FEWEST_CLIPS, wilson

Advice = Literal["too_early", "go_on", "may_stop"]
Floats = npt.NDArray[np.float64]

STABLE = 0.99
WINDOW = 3
LATEST = 10
FLAT = 0.02
"""Gain per 100 labels below which labels are said to buy nothing, in units of the metric."""
POOR = 0.5
"""A model worse than this that no longer changes is not done: something else is wrong."""
RESAMPLES = 1_000
_Z = 1.959964


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; None where it is not determined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Measured:
    """Hold-out metric of one checkpoint with its 95 % interval, and the labels behind it."""

    labelled_frames: int
    value: float
    low: float | None
    high: float | None


def kappa(counts: Floats) -> float | None:
    """Cohen's kappa (1960) of two models from (k, k) counts of frames by their answers.

    None without a frame, and where both give every frame the same one answer, which chance explains.
    """
    total = counts.sum()
    if not total:
        return None
    agreed = np.trace(counts) / total
    chance = float((counts.sum(axis=0) * counts.sum(axis=1)).sum() / total**2)
    return None if chance >= 1 else float((agreed - chance) / (1 - chance))


def random_accuracy(
    right: Floats, propensity: Floats, clips: npt.NDArray[np.int64], rng: np.random.Generator
) -> Estimate:
    """Share of frames that a model gets right in what the random arms were drawn from.

    right: (n,) 1 or 0 for each judged frame of a random arm; propensity: (n,) its chance to be drawn by any of them;
    clips: (n,) clip of each. No strategy chose these frames, so the share is that of all frames they were drawn from,
    to the order of 1 / n (a ratio). The interval resamples clips; of fewer than FEWEST_CLIPS there is none. Raises
    ValueError for a propensity that is no probability.
    """
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise ValueError("propensities must be over 0 and at most 1")
    if not len(right):
        return Estimate(None)
    names, clip = np.unique(clips, return_inverse=True)
    weight = 1 / propensity
    above = np.bincount(clip, weight * right, minlength=len(names))
    below = np.bincount(clip, weight, minlength=len(names))
    value = float(above.sum() / below.sum())
    if len(names) < FEWEST_CLIPS:
        return Estimate(value)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    low, high = np.quantile((drawn @ above) / (drawn @ below), (0.025, 0.975))
    if low == high:
        # Where all resamples agree, the bootstrap knows no doubt.
        return Estimate(value, *wilson(value, len(names)))
    return Estimate(value, float(low), float(high))


def gain(curve: Sequence[Measured]) -> Estimate:
    """Gain of the metric per 100 labels over the LATEST checkpoints: weighted least squares.

    The interval takes the errors of the points for independent; on one hold-out they go together, so that it is
    rather too wide. None where labels did not grow, or fewer than three points have an interval.
    """
    points = [point for point in curve if point.low is not None and point.high is not None][-LATEST:]
    labels = np.array([point.labelled_frames for point in points], dtype=np.float64) / 100
    if len(points) < WINDOW or labels.min() == labels.max():
        return Estimate(None)
    widths = np.array([(point.high or 0) - (point.low or 0) for point in points])
    errors = np.maximum(widths / (2 * _Z), 1e-3)
    weight = errors**-2
    centre = (weight * labels).sum() / weight.sum()
    spread = (weight * (labels - centre) ** 2).sum()
    values = np.array([point.value for point in points])
    slope = float((weight * (labels - centre) * values).sum() / spread)
    half = float(_Z / np.sqrt(spread))
    return Estimate(slope, slope - half, slope + half)


def advise(
    curve: Sequence[Measured], stability: Sequence[float], uncertainty: float | None, *, enough: bool
) -> tuple[Advice, str]:
    """Advice and why. stability: kappas, the newest last; enough: whether the hold-out can tell models apart."""
    if not enough or len(curve) < WINDOW or len(stability) < WINDOW:
        missing = "too few hold-out labels" if not enough else "too few models have served"
        return "too_early", f"{missing} to say whether labels still pay"
    slope = gain(curve)
    recent = float(np.mean(stability[-WINDOW:]))
    doubt = "" if uncertainty is None else f"; mean uncertainty {uncertainty:.2f}"
    if slope.value is None or slope.low is None or slope.high is None:
        return "go_on", f"what the last labels bought cannot be told yet{doubt}"
    bought = f"100 labels bought {slope.value:+.3f} ({slope.low:+.3f} to {slope.high:+.3f}){doubt}"
    if slope.high < 0:
        return "go_on", f"quality falls: look at label_errors, drift and the newest labels; {bought}"
    if recent < STABLE:
        return (
            "go_on",
            f"models still change their minds (kappa {recent:.3f}, stable from {STABLE}); {bought}",
        )
    stable = f"the last {WINDOW} models agree with those before them (kappa {recent:.3f})"
    if slope.high >= FLAT:
        return "go_on", f"{stable}, but more labels may still pay; {bought}"
    if curve[-1].value < POOR:
        return (
            "go_on",
            f"{stable}, but quality is poor ({curve[-1].value:.2f}): look at classes and labels; {bought}",
        )
    return "may_stop", f"{stable}; {bought}"

"""Does active learning beat random here? Two models of as many labels, on frames that nobody chose.

Every batch holds frames drawn at random beside those the strategy asked for. A model of the random ones and a model of
as many of the others, taken from the same batches, differ in nothing but how their labels were chosen. Both are tried
on hold-out frames of the evaluation arm, each weighed by the inverse of its chance to be drawn (Horvitz and Thompson
1952; Hajek's ratio form), so that the difference is that on all hold-out frames. Not here: reading or training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Verdict = Literal["too_early", "better", "worse", "level"]
FEWEST_LABELS = 20
FEWEST_CLIPS = 5
RESAMPLES = 2_000


@dataclass(frozen=True)
class Matched:
    """Frames of the two arms to learn from: random (n,), and several draws of as many of the strategy's (draws, n)."""

    random: Ints
    strategy: Ints
    batches: int


def match_arms(
    frame_ids: Ints, batch_ids: Ints, is_random: npt.NDArray[np.bool_], draws: int, rng: np.random.Generator
) -> Matched:
    """As many frames of each arm from each batch: what an arm has beyond the other's number is drawn from.

    frame_ids, batch_ids, is_random: (n,) answered frames of the random arm and of the strategy's.
    """
    randoms: list[Ints] = []
    chosen: list[Ints] = []
    batches = 0
    for batch in np.unique(batch_ids):
        here = batch_ids == batch
        drawn, asked = np.sort(frame_ids[here & is_random]), np.sort(frame_ids[here & ~is_random])
        each = min(len(drawn), len(asked))
        if not each:
            continue
        batches += 1
        randoms.append(rng.choice(drawn, each, replace=False))
        chosen.append(np.stack([rng.choice(asked, each, replace=False) for _ in range(draws)]))
    if not batches:
        return Matched(np.empty(0, np.int64), np.empty((draws, 0), np.int64), 0)
    return Matched(np.concatenate(randoms), np.concatenate(chosen, axis=1), batches)


@dataclass(frozen=True)
class Comparison:
    """Accuracies of the two models, their difference with its 95 % interval, and what that says."""

    random: float | None
    strategy: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: Verdict


TOO_EARLY = Comparison(None, None, None, None, None, "too_early")


def compare(
    random_right: Floats, strategy_right: Floats, propensity: Floats, clips: Ints, rng: np.random.Generator
) -> Comparison:
    """Weighted share of frames right, of each model, and the paired difference.

    random_right: (n,) 1 or 0; strategy_right: (n,) share of its draws that are right; propensity: (n,) chance of each
    hold-out frame to be drawn; clips: (n,). The interval resamples clips. Raises ValueError for a propensity that is
    no probability.
    """
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise ValueError("propensities must be over 0 and at most 1")
    names, clip = np.unique(clips, return_inverse=True)
    if len(names) < FEWEST_CLIPS:
        return TOO_EARLY
    weight = 1 / propensity
    total = np.bincount(clip, weight, minlength=len(names))
    one, two = (
        np.bincount(clip, weight * right, minlength=len(names)) for right in (random_right, strategy_right)
    )
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    low, high = np.quantile((drawn @ (two - one)) / (drawn @ total), (0.025, 0.975))
    verdict: Verdict = "better" if low > 0 else "worse" if high < 0 else "level"
    random, strategy = float(one.sum() / total.sum()), float(two.sum() / total.sum())
    return Comparison(random, strategy, strategy - random, float(low), float(high), verdict)

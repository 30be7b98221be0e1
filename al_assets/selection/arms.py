"""Does active learning beat random here? Two models of as many labels, on frames that nobody chose.

Every batch holds frames drawn at random beside those the strategy asked for. A model of the random ones and models of
as many of the others, taken from the same batches, differ in how their labels were chosen, and by the luck of the draw:
models of clips weighed anew say how much that is. All are tried on hold-out frames of the evaluation arm, each weighed
by the inverse of its chance to be drawn (Horvitz and Thompson 1952; Hajek's ratio form), so that the difference is that
on all hold-out frames. Every new model is another look: of twenty looks at arms that are alike one may say better or
worse. Not here: reading or training.
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
FEWEST_CLIPS = 6
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


def redrawn(clips: Ints, rng: np.random.Generator) -> Floats:
    """(n,) weights of rows as if other clips had been drawn: a Bayesian bootstrap over clips (Rubin 1981).

    No clip goes out whole, as one in three does when they are drawn with replacement: with two labels a class that
    would lose classes, and intervals came out 1.6 times too wide for it.
    """
    names, clip = np.unique(clips, return_inverse=True)
    return rng.standard_exponential(len(names))[clip]


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


@dataclass(frozen=True)
class Answers:
    """What models make of n hold-out frames, 1 right and 0 wrong or a mean of those.

    once: (n,) of the labels as they are. again: (r, n) of labels weighed anew.
    """

    once: Floats
    again: Floats


def compare(
    random: Answers, strategy: Answers, propensity: Floats, clips: Ints, rng: np.random.Generator
) -> Comparison:
    """Weighted share of frames right, of each arm's models, and their difference.

    propensity: (n,) chance of each hold-out frame to be drawn; clips: (n,). Two things are left to chance: which frames
    were drawn to learn from, by far the larger with some dozens of labels, and which to be tried on. The interval is
    Student's t on the sum of the variances over `again` and over hold-out clips drawn again. Raises ValueError for a
    propensity that is no probability.
    """
    from scipy.stats import t  # here: half a second that the code server need not spend

    if not ((propensity > 0) & (propensity <= 1)).all():
        raise ValueError("propensities must be over 0 and at most 1")
    names, clip = np.unique(clips, return_inverse=True)
    if len(names) < FEWEST_CLIPS:
        return TOO_EARLY
    weight = 1 / propensity
    one, two = (float(np.average(arm.once, weights=weight)) for arm in (random, strategy))
    learned = np.average(strategy.again - random.again, axis=1, weights=weight)
    total = np.bincount(clip, weight, minlength=len(names))
    gained = np.bincount(clip, weight * (strategy.once - random.once), minlength=len(names))
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    tried = (drawn @ gained) / (drawn @ total)
    error = float(np.sqrt(learned.var(ddof=1) + tried.var(ddof=1)))
    half = float(t.ppf(0.975, min(len(learned), len(names)) - 1)) * error
    low, high = two - one - half, two - one + half
    verdict: Verdict = "better" if low > 0 else "worse" if high < 0 else "level"
    return Comparison(one, two, two - one, low, high, verdict)

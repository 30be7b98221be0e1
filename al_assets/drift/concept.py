"""Drift that only labels show: another mix of classes, and a model that is right less often than it expects.

Judged frames in, one number with its p-value out. Which frames count, and against which model, is decided elsewhere.
Frames of one clip are alike, so the clip is the unit of both tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.drift.statistics import jensen_shannon

Floats = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FEWEST_CLIPS = 6
"""Clips on either side below which nothing is said."""
SHUFFLES = 1999
SEED = 0


@dataclass(frozen=True)
class LabelDrift:
    """One finding: value on the new labels, on the earlier ones, p-value, and what it rests on."""

    statistic: str
    value: float
    reference: float
    p_value: float
    frames: int
    clips: int


def label_mix(mixes: Floats, weights: Floats, clips: Numbers, fresh: Flags) -> LabelDrift | str:
    """Jensen-Shannon distance between the class mix of new labels and of earlier ones, or why there is none.

    mixes: (n, k) classes present on each frame, as shares of the frame; weights: (n,) inverse propensities; clips:
    (n,); fresh: (n,) whether the label is new. The p-value is that of a permutation of clips between the sides
    (Good 2005), so it is never under 1 / (SHUFFLES + 1); `reference` is the median distance of the permutations.
    """
    units, member = np.unique(np.stack([clips, fresh.astype(np.int64)], axis=1), axis=0, return_inverse=True)
    side = units[:, 1].astype(bool)
    if few := _too_few(int(side.sum()), int((~side).sum())):
        return few
    totals = np.zeros((len(units), mixes.shape[1]))
    np.add.at(totals, member.ravel(), mixes * weights[:, None])
    own = _mix_distance(totals, side)
    rng = np.random.default_rng(SEED)
    shuffled = np.array([_mix_distance(totals, rng.permutation(side)) for _ in range(SHUFFLES)])
    p = (1 + int((shuffled >= own - 1e-12).sum())) / (SHUFFLES + 1)
    return LabelDrift("class_mix", own, float(np.median(shuffled)), p, int(fresh.sum()), int(side.sum()))


def concept(hits: Flags, confidence: Floats, clips: Numbers, fresh: Flags) -> LabelDrift | str:
    """Accuracy of the likeliest class on new labels against what is expected there, or why there is none.

    hits, confidence, clips, fresh: (n,). Expected is the mean calibrated confidence on the same frames, shifted by as
    much as the model was off on the hold-out labelled before, so that hard frames are expected to be hard. One-sided
    t-test of Welch (1947) on clips, with the clustered variance of a ratio (Cochran 1977, section 3.12).
    """
    off = hits.astype(np.float64) - confidence
    new, before = _clustered(off[fresh], clips[fresh]), _clustered(off[~fresh], clips[~fresh])
    if few := _too_few(new.clips, before.clips):
        return few
    variance = new.variance + before.variance
    spread = max(new.variance**2 / (new.clips - 1) + before.variance**2 / (before.clips - 1), 1e-300)
    freedom = max(1.0, variance**2 / spread)
    accuracy = float(hits[fresh].mean())
    difference = new.mean - before.mean
    p = _lower_tail(difference / max(np.sqrt(variance), 1e-12), freedom)
    return LabelDrift("accuracy", accuracy, accuracy - difference, p, int(fresh.sum()), new.clips)


@dataclass(frozen=True)
class _Clustered:
    mean: float
    variance: float
    clips: int


def _clustered(values: Floats, clips: Numbers) -> _Clustered:
    """Mean over frames and its variance over clips; both 0 without a frame."""
    if not len(values):
        return _Clustered(0.0, 0.0, 0)
    _, member = np.unique(clips, return_inverse=True)
    count = int(member.max()) + 1
    mean = float(values.mean())
    sums = np.bincount(member, values - mean, minlength=count)
    inflated = count / max(count - 1, 1)
    return _Clustered(mean, float(inflated * np.square(sums).sum() / len(values) ** 2), count)


def _lower_tail(t: float, freedom: float) -> float:
    from scipy.stats import t as student

    return float(student.cdf(t, freedom))


def _mix_distance(totals: Floats, side: Flags) -> float:
    one, other = totals[side].sum(axis=0), totals[~side].sum(axis=0)
    return jensen_shannon(one / max(one.sum(), 1e-12), other / max(other.sum(), 1e-12))


def _too_few(new: int, before: int) -> str:
    """Why nothing can be said; empty where enough clips stand on both sides."""
    if min(new, before) >= FEWEST_CLIPS:
        return ""
    return f"labels of {new} clips are new and of {before} earlier; {FEWEST_CLIPS} each are needed"

"""What a model is worth on slices of the hold-out, and on which of them it is worse than on the rest. No decision.

The test of a slice permutes clips: under no difference it does not matter which clips are in the slice. Clips that are
partly in it swap their two parts instead, each clip being a stratum of its own, and clips that are wholly in or out
change places among themselves. The statistic is the difference over its standard error by clips, so that clips of
unequal size do no harm (Janssen 1997; Chung and Romano 2013: studentised permutation tests); permuting is exact where
clips are alike and errors rare, where a bootstrap of few clips would cry wolf. P-values of all slices of a checkpoint
are adjusted by Benjamini and Hochberg (1995), not by Holm: the slices are a list for a person, of which a known share
at most may be false, and while there is no difference at all the two promise the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from al_assets.checkpoints.evaluation import FEWEST_CLIPS, wilson
from al_assets.checkpoints.resampling import (
    Counts,
    Floats,
    Judged,
    class_sums,
    clip_counts,
    f1,
    judged_rows,
    mean_defined,
)
from al_assets.checkpoints.slice_test import Parts, adjusted, p_values
from al_assets.dimensions import Names
from al_assets.keys import Task

FEWEST_FRAMES = 20
"""Frames below which a slice is not tested; it needs FEWEST_CLIPS clips, too, and so does the rest."""
LEVEL = 0.05
RESAMPLES = 400


@dataclass(frozen=True, kw_only=True)
class SliceMetric:
    """One row of `slice_metrics` without its checkpoint and time; None where not defined on these labels.

    support, videos: frames in the slice, and clips they come from. difference: value less that on the rest. p_value:
    one-sided, of being no worse than the rest, adjusted; None where it is not tested.
    """

    dimension: str
    slice: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    support: int
    videos: int
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p_value: float | None
    worse: int


@dataclass(frozen=True, eq=False)
class _Ratio:
    """A share within a slice and outside it. support: frames it is of within."""

    dimension: str
    slice: str
    metric: str
    parts: Parts
    support: int

    def testable(self) -> bool:
        """Whether there is enough inside and outside to be compared."""
        clips, others = (self.parts.cases > 0).sum(), (self.parts.other_cases > 0).sum()
        return bool(min(clips, others) >= FEWEST_CLIPS and self.support >= FEWEST_FRAMES)


def slice_metrics(
    probabilities: Floats,
    targets: npt.NDArray[np.int8],
    groups: npt.NDArray[np.integer],
    slices: Mapping[str, Names],
    *,
    task: Task,
    class_names: Sequence[str],
    thresholds: Floats,
    rng: np.random.Generator,
) -> list[SliceMetric]:
    """Metrics of probabilities (n, k) against targets (n, k) in {1, 0, -1} on each slice; groups: (n,) clips.

    slices: dimension -> (n,) name of each frame's slice or None. accuracy: share of frames wholly right (all judged
    classes); macro_f1 over the classes that the slice shows. Classes are slices of their own, by recall and precision
    against those of all other classes together. Tested are accuracy, recall and precision, which are shares; macro F1
    is not, since it moves with the mix of classes in the slice, whatever the model. Raises ValueError as `evaluate`.
    """
    rows = judged_rows(probabilities, targets, groups, task=task, thresholds=thresholds)
    kept = (targets == 1).any(axis=1) if task == "single_label" else (targets >= 0).any(axis=1)
    named = {dimension: names[kept] for dimension, names in slices.items()}
    counts = clip_counts(rows.clips, RESAMPLES, rng)
    ratios = [*_accuracies(rows, named), *_of_classes(rows, class_names)]
    tested = [at for at, ratio in enumerate(ratios) if ratio.testable()]
    levels = adjusted(p_values([ratios[at].parts for at in tested], rng))
    p_value_of = dict(zip(tested, levels.tolist(), strict=True))
    found = [_share(ratio, counts, p_value_of.get(at)) for at, ratio in enumerate(ratios)]
    return found + list(_macro_f1(rows, named, counts))


def _members(named: Mapping[str, Names]) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    """Dimension, slice and its frames (n,), of every slice that has one."""
    for dimension, names in named.items():
        for name in sorted({str(name) for name in names if name is not None}):
            yield dimension, name, np.asarray(names == name)


def _by_clip(rows: Judged, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    return np.asarray(np.bincount(rows.clip, weights=values, minlength=rows.clips), dtype=np.float64)


def _accuracies(rows: Judged, named: Mapping[str, Names]) -> Iterator[_Ratio]:
    judged = rows.targets >= 0
    right = np.where(judged, rows.decided == (rows.targets == 1), True).all(axis=1)
    for dimension, name, inside in _members(named):
        sums = [_by_clip(rows, part) for part in (right & inside, inside, right & ~inside, ~inside)]
        yield _Ratio(dimension, name, "accuracy", Parts(*sums), int(inside.sum()))


def _of_classes(rows: Judged, class_names: Sequence[str]) -> Iterator[_Ratio]:
    """Recall and precision of each class that the hold-out shows, against those of the other classes together."""
    present, decided = rows.targets == 1, rows.decided & (rows.targets >= 0)
    hits = present & decided
    for metric, cases in (("recall", present), ("precision", decided)):
        all_hits, all_cases = (_by_clip(rows, part.sum(axis=1)) for part in (hits, cases))
        for column, name in enumerate(class_names):
            if not present[:, column].any():
                continue
            inside, right = _by_clip(rows, cases[:, column]), _by_clip(rows, hits[:, column])
            parts = Parts(right, inside, all_hits - right, all_cases - inside)
            yield _Ratio("class", name, metric, parts, int(cases[:, column].sum()))


def _share(ratio: _Ratio, counts: Counts, p_value: float | None) -> SliceMetric:
    """The row of a share, with intervals by the same resamples of clips inside and outside."""
    inside, outside = (
        _divided(counts @ above, counts @ below)
        for above, below in (
            (ratio.parts.hits, ratio.parts.cases),
            (ratio.parts.other_hits, ratio.parts.other_cases),
        )
    )
    clips, others = int((ratio.parts.cases > 0).sum()), int((ratio.parts.other_cases > 0).sum())
    row = _measured((ratio.dimension, ratio.slice, ratio.metric), inside, outside, clips, others)
    below = row.difference is not None and row.difference < 0
    worse = int(p_value is not None and p_value <= LEVEL and below)
    return replace(row, support=ratio.support, p_value=p_value, worse=worse)


def _macro_f1(rows: Judged, named: Mapping[str, Names], counts: Counts) -> Iterator[SliceMetric]:
    everywhere = [counts @ of_clip for of_clip in class_sums(rows)]
    for dimension, name, inside in _members(named):
        part = _part(rows, inside)
        here = np.unique(part.clip)
        # Most slices lie in few clips: the others' part of the product is nought, and what is outside is the rest.
        within = [counts[:, here] @ of_clip[here] for of_clip in class_sums(part)]
        outside = [total - own for total, own in zip(everywhere, within, strict=True)]
        values = [mean_defined(f1(*sums)) for sums in (within, outside)]
        row = _measured(
            (dimension, name, "macro_f1"), values[0], values[1], len(here), len(np.unique(rows.clip[~inside]))
        )
        yield replace(row, support=int(inside.sum()))


def _part(rows: Judged, chosen: npt.NDArray[np.bool_]) -> Judged:
    """Some of the rows; clips keep their numbers, so that all parts share their resamples."""
    return replace(
        rows,
        probabilities=rows.probabilities[chosen],
        targets=rows.targets[chosen],
        decided=rows.decided[chosen],
        clip=rows.clip[chosen],
    )


def _measured(
    name: tuple[str, str, str], inside: Floats, outside: Floats, clips: int, others: int
) -> SliceMetric:
    """Value, difference and their 95 % intervals of resampled values (1 + resamples,), the first being the value.

    On fewer than FEWEST_CLIPS clips, or where all resamples agree, the value's interval is Wilson's with as many
    observations as clips, as in `evaluate`; the difference then has none.
    """
    value, difference = float(inside[0]), float(inside[0] - outside[0])
    low, high = _interval(inside) if clips >= FEWEST_CLIPS else (None, None)
    if np.isfinite(value) and (low is None or low == high):
        low, high = wilson(value, clips)
    ends = _interval(inside - outside) if min(clips, others) >= FEWEST_CLIPS else (None, None)
    return SliceMetric(
        dimension=name[0],
        slice=name[1],
        metric=name[2],
        value=value if np.isfinite(value) else None,
        low=low,
        high=high,
        support=0,
        videos=clips,
        difference=difference if np.isfinite(difference) else None,
        difference_low=ends[0],
        difference_high=ends[1],
        p_value=None,
        worse=0,
    )


def _interval(values: Floats) -> tuple[float, float] | tuple[None, None]:
    drawn = values[1:][np.isfinite(values[1:])]
    if not len(drawn) or not np.isfinite(values[0]):
        return None, None
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def _divided(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    out = np.full(len(above), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out

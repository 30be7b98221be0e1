"""What a model is worth on the hold-out: metrics and differences with intervals. No decision.

Intervals are 95 % percentile intervals of a bootstrap over clips (Field and Welsh 2007): frames of one clip
are nearly one observation, and resampling them one by one would promise several times the precision there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.checkpoints.resampling import (
    Counts,
    Floats,
    Judged,
    accuracy,
    average_precisions,
    calibration_error,
    class_metrics,
    clip_counts,
    judged_rows,
    log_loss,
    mean_defined,
)
from al_assets.keys import OVERALL, Task

LOWER_IS_BETTER = frozenset({"log_loss", "expected_calibration_error"})
_UNBOUNDED = LOWER_IS_BETTER
_Z = 1.959964
FEWEST_CLIPS = 5
"""Clips below which no bootstrap is drawn: of four, all point the same way by chance once in eight times."""


@dataclass(frozen=True)
class Metric:
    """One row of `evaluations` without its checkpoint and split; None where not defined on these labels.

    support: positives of the class; for class_id 0 (all classes together) the judged frames.
    """

    metric: str
    class_id: int
    value: float | None
    low: float | None
    high: float | None
    support: int


@dataclass(frozen=True)
class Interval:
    """A difference with its 95 % interval; None where the labels do not determine it."""

    value: float | None
    low: float | None
    high: float | None


def evaluate(
    probabilities: Floats,
    targets: npt.NDArray[np.int8],
    groups: npt.NDArray[np.integer],
    *,
    task: Task,
    class_ids: Sequence[int],
    thresholds: Floats,
    rng: np.random.Generator,
    resamples: int = 200,
) -> list[Metric]:
    """Metrics of probabilities (n, k) against targets (n, k) in {1, 0, -1}; groups: (n,) clip of each row.

    Overall: accuracy (single-label), macro_f1, mean_average_precision (both over the classes that the hold-out
    shows), log_loss, expected_calibration_error. Per class: precision, recall, f1, average_precision. Average
    precision flatters on a handful of positives, so compare models on the same frames only.

    With fewer than FEWEST_CLIPS clips (that show the class), or where all resamples agree, the interval of a
    metric in [0, 1] is Wilson's with as many observations as there are clips; the others then have none.
    Raises ValueError for shapes that do not fit and for NaN.
    """
    if len(class_ids) != targets.shape[1]:
        raise ValueError(f"{len(class_ids)} class_ids for {targets.shape[1]} columns")
    rows = judged_rows(probabilities, targets, groups, task=task, thresholds=thresholds)
    counts = clip_counts(rows.clips, resamples, rng)
    per_class = class_metrics(rows, counts) | {"average_precision": average_precisions(rows, counts)}
    overall: dict[str, Floats] = {"accuracy": accuracy(rows, counts)} if task == "single_label" else {}
    overall |= {
        "macro_f1": mean_defined(per_class["f1"]),
        "mean_average_precision": mean_defined(per_class["average_precision"]),
        "log_loss": log_loss(rows, counts),
        "expected_calibration_error": calibration_error(rows, counts),
    }
    metrics = [_metric(name, OVERALL, values, rows.clips, len(rows.clip)) for name, values in overall.items()]
    for column, class_id in enumerate(class_ids):
        positive = rows.targets[:, column] == 1
        clips, support = len(np.unique(rows.clip[positive])), int(positive.sum())
        metrics += [
            _metric(name, class_id, values[:, column], clips, support) for name, values in per_class.items()
        ]
    return metrics


def paired_difference(
    metric: str,
    probabilities_a: Floats,
    probabilities_b: Floats,
    targets: npt.NDArray[np.int8],
    groups: npt.NDArray[np.integer],
    *,
    task: Task,
    thresholds_a: Floats,
    thresholds_b: Floats,
    rng: np.random.Generator,
    resamples: int = 200,
) -> Interval:
    """Metric of a minus metric of b on the same frames and the same resamples of clips.

    Pairing takes out what both find hard, so that a real gain shows on far fewer labels than two intervals
    side by side need. Columns of both models must be the same classes (`heads.align_classes`). On fewer than
    FEWEST_CLIPS clips there is no interval. Raises ValueError for an unknown metric.
    """
    measure = _MEASURES.get(metric)
    if measure is None or (metric == "accuracy" and task != "single_label"):
        raise ValueError(f"no metric {metric!r} for {task}; there are {', '.join(_MEASURES)}")
    a = judged_rows(probabilities_a, targets, groups, task=task, thresholds=thresholds_a)
    b = judged_rows(probabilities_b, targets, groups, task=task, thresholds=thresholds_b)
    counts = clip_counts(a.clips, resamples, rng)
    difference = measure(a, counts) - measure(b, counts)
    low, high = _percentiles(difference) if a.clips >= FEWEST_CLIPS else (None, None)
    return Interval(_number(difference[0]), low, high)


_MEASURES: dict[str, Callable[[Judged, Counts], Floats]] = {
    "accuracy": accuracy,
    "macro_f1": lambda rows, counts: mean_defined(class_metrics(rows, counts)["f1"]),
    "mean_average_precision": lambda rows, counts: mean_defined(average_precisions(rows, counts)),
    "log_loss": log_loss,
    "expected_calibration_error": calibration_error,
}


def wilson(value: float, observations: int) -> tuple[float, float] | tuple[None, None]:
    """Wilson's 95 % interval (1927) of a share seen on so many observations; none on zero of them."""
    if observations < 1:
        return None, None
    shrink = 1 + _Z**2 / observations
    centre = (value + _Z**2 / (2 * observations)) / shrink
    half = _Z / shrink * np.sqrt(value * (1 - value) / observations + _Z**2 / (4 * observations**2))
    # At 0 and 1 rounding would leave the value itself outside.
    return max(0.0, min(value, float(centre - half))), min(1.0, max(value, float(centre + half)))


def _metric(name: str, class_id: int, values: Floats, clips: int, support: int) -> Metric:
    value = _number(values[0])
    low, high = (None, None) if value is None or clips < FEWEST_CLIPS else _percentiles(values)
    if value is not None and name not in _UNBOUNDED and (low is None or low == high):
        low, high = wilson(value, clips)
    return Metric(name, class_id, value, low, high, support)


def _percentiles(values: Floats) -> tuple[float, float] | tuple[None, None]:
    drawn = values[1:][np.isfinite(values[1:])]
    if not len(drawn) or not np.isfinite(values[0]):
        return None, None
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def _number(value: np.floating) -> float | None:
    return float(value) if np.isfinite(value) else None

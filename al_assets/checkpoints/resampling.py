"""Metrics of one set of predictions under many resamples of its clips at once. No report, no decision.

A resample draws whole clips, since neighbouring frames are nearly one observation: it is a count per clip,
and a metric is a function of counts. Row 0 of every result is the metric itself (each clip counted once).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.checkpoints.calibration import calibration_bins, confidence_and_hits
from al_assets.keys import Task

Floats = npt.NDArray[np.floating]
Counts = npt.NDArray[np.float64]

_BINS = 15
_SMALLEST = 1e-7
# Cells of the (rows, resamples) working array: 16 MB in float32, whatever the size of the hold-out.
_CELLS = 1 << 22


@dataclass(frozen=True, eq=False)
class Judged:
    """Predictions on frames with a judgement.

    probabilities, targets, decided: (n, k); clip: (n,), numbers that run from 0 to clips - 1.
    """

    task: Task
    probabilities: Floats
    targets: npt.NDArray[np.int8]
    decided: npt.NDArray[np.bool_]
    clip: npt.NDArray[np.int64]
    clips: int


def judged_rows(
    probabilities: Floats,
    targets: npt.NDArray[np.int8],
    groups: npt.NDArray[np.integer],
    *,
    task: Task,
    thresholds: Floats,
) -> Judged:
    """The rows that can be judged, with what the model decided on them.

    multi-label: rows with any judged class; decided = probability at or over the threshold. single-label:
    rows with a class; decided = the likeliest class. Raises ValueError for shapes that do not fit and for
    NaN.
    """
    n, k = targets.shape
    if probabilities.shape != (n, k) or np.shape(groups) != (n,) or np.shape(thresholds) != (k,):
        shapes = (probabilities.shape, targets.shape, np.shape(groups), np.shape(thresholds))
        raise ValueError(f"probabilities, targets, groups and thresholds do not fit: {shapes}")
    if not np.isfinite(probabilities).all():
        row = int(np.flatnonzero(~np.isfinite(probabilities).all(axis=1))[0])
        raise ValueError(f"probabilities hold NaN or infinity, first in row {row}; score these frames again")
    kept = (targets == 1).any(axis=1) if task == "single_label" else (targets >= 0).any(axis=1)
    p, chosen = np.asarray(probabilities, dtype=np.float64)[kept], targets[kept]
    if task == "single_label":
        chosen = np.maximum(chosen, 0)
        decided = np.zeros(p.shape, dtype=bool)
        decided[np.arange(len(p)), p.argmax(axis=1)] = True
    else:
        # In the precision of the model: 0.3 in float32 is over 0.3 in float64.
        decided = probabilities[kept] >= np.asarray(thresholds, dtype=probabilities.dtype)
    clips, clip = np.unique(np.asarray(groups)[kept], return_inverse=True)
    return Judged(task, p, chosen, decided, clip.astype(np.int64), len(clips))


def clip_counts(clips: int, resamples: int, rng: np.random.Generator) -> Counts:
    """How often each clip is drawn, (1 + resamples, clips); row 0 is once each."""
    if not clips:
        return np.ones((1 + resamples, 0))
    drawn = rng.multinomial(clips, np.full(clips, 1 / clips), size=resamples)
    return np.vstack([np.ones(clips), drawn])


def class_metrics(rows: Judged, counts: Counts) -> dict[str, Floats]:
    """precision, recall and f1 of each class, each (1 + resamples, k); NaN where not defined.

    Precision needs a decision, recall and F1 need a positive: a class that the drawn clips do not show says
    nothing about the model.
    """
    hits, decided, positives = (counts @ of_clip for of_clip in class_sums(rows))
    return {
        "precision": _ratio(hits, decided),
        "recall": _ratio(hits, positives),
        "f1": f1(hits, decided, positives),
    }


def class_sums(rows: Judged) -> tuple[Floats, Floats, Floats]:
    """Hits, decisions and positives of each clip and class, each (clips, k)."""
    judged, present = rows.targets >= 0, rows.targets == 1
    parts = (rows.decided & present, rows.decided & judged, present)
    return _by_clip(rows, parts[0]), _by_clip(rows, parts[1]), _by_clip(rows, parts[2])


def f1(hits: Floats, decided: Floats, positives: Floats) -> Floats:
    """F1 of drawn sums, in their shape; NaN without a positive."""
    return np.where(positives > 0, _ratio(2 * hits, decided + positives), np.nan)


def average_precisions(rows: Judged, counts: Counts) -> Floats:
    """Average precision of each class, (1 + resamples, k); NaN without a positive.

    The stepwise sum over distinct scores, as scikit-learn's average_precision_score: tied frames count
    together.
    """
    out = np.full((len(counts), rows.targets.shape[1]), np.nan)
    block = max(1, _CELLS // max(len(rows.clip), 1))
    for column in range(out.shape[1]):
        judged = np.flatnonzero(rows.targets[:, column] >= 0)
        order = judged[np.argsort(-rows.probabilities[judged, column], kind="stable")]
        positive = np.flatnonzero(rows.targets[order, column] == 1)
        if not len(positive):
            continue
        scores = rows.probabilities[order, column]
        last_tied = np.searchsorted(-scores, -scores[positive], side="right") - 1
        last_positive = np.searchsorted(positive, last_tied, side="right") - 1
        clip = rows.clip[order]
        for start in range(0, len(counts), block):
            drawn = np.ascontiguousarray(counts[start : start + block].T, dtype=np.float32)[clip]
            over = np.cumsum(drawn, axis=0)[last_tied]
            weight = drawn[positive]
            precision = np.cumsum(weight, axis=0)[last_positive] / np.maximum(over, 1)
            out[start : start + block, column] = _ratio((precision * weight).sum(axis=0), weight.sum(axis=0))
    return out


def accuracy(rows: Judged, counts: Counts) -> Floats:
    """Share of single-label rows whose likeliest class is right, (1 + resamples,)."""
    hits = (rows.decided & (rows.targets == 1)).any(axis=1)
    return _ratio(counts @ _by_clip(rows, hits), counts @ _by_clip(rows, np.ones(len(hits))))


def log_loss(rows: Judged, counts: Counts) -> Floats:
    """Mean negative log probability in nats, (1 + resamples,), of judged cells or single-label rows."""
    p = np.clip(rows.probabilities, _SMALLEST, 1 - _SMALLEST)
    present = rows.targets == 1
    if rows.task == "single_label":
        losses, cells = -np.where(present, np.log(p), 0.0).sum(axis=1), np.ones(len(p))
    else:
        judged = rows.targets >= 0
        losses = -np.where(judged, np.log(np.where(present, p, 1 - p)), 0.0).sum(axis=1)
        cells = judged.sum(axis=1).astype(np.float64)
    return _ratio(counts @ _by_clip(rows, losses), counts @ _by_clip(rows, cells))


def calibration_error(rows: Judged, counts: Counts) -> Floats:
    """Expected calibration error, (1 + resamples,): see `calibration.expected_calibration_error`."""
    confidence, hit, row = confidence_and_hits(rows.probabilities, rows.targets, task=rows.task)
    cell = rows.clip[row] * _BINS + calibration_bins(confidence, _BINS)
    gaps = np.bincount(cell, weights=confidence - hit, minlength=rows.clips * _BINS).reshape(
        rows.clips, _BINS
    )
    sizes = np.bincount(rows.clip[row], minlength=rows.clips).astype(np.float64)
    return _ratio(np.abs(counts @ gaps).sum(axis=1), counts @ sizes)


def mean_defined(values: Floats) -> Floats:
    """Mean over the columns that are defined, (rows,); NaN where none is."""
    defined = np.isfinite(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1))


def _by_clip(rows: Judged, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Sums of rows within each clip: (clips,) or (clips, k)."""
    out = np.zeros((rows.clips, *values.shape[1:]))
    np.add.at(out, rows.clip, values.astype(np.float64))
    return out


def _ratio(above: Floats, below: Floats | npt.NDArray[np.int64]) -> Floats:
    """above / below, NaN where below is 0."""
    out: Floats = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out

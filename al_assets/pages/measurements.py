"""A model tried on the labelled hold-out for the report: reliability, confusion, and one checkpoint against another.

Reads heads, labels and vectors; how metrics and intervals come about is in `checkpoints/`, how they are drawn in
`reports/`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from al_assets.examples import class_list, examples, load_checkpoint
from al_assets.keys import Task, video_no_of
from al_assets.reports.html import Section
from al_assets.reports.model_quality import Confusion, confusion_counts, most_confused, reliability
from al_assets.reports.quality_plots import confusion_svg, reliability_svg
from al_assets.reports.words import interval
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.rows import rows_of

COMPARED = ("macro_f1", "accuracy", "log_loss", "expected_calibration_error")
POINTS = 15
"""Checkpoints in the table of metrics over checkpoints."""


@dataclass(frozen=True, eq=False)
class Tried:
    """A model's answers on labelled test frames: keys (n,), probabilities, decided and targets (n, k)."""

    task: Task
    class_ids: tuple[int, ...]
    keys: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    decided: npt.NDArray[np.bool_]
    targets: npt.NDArray[np.int8]
    thresholds: npt.NDArray[np.float32]


def try_model(
    archive: Archive, model: Checkpoint, training_set_id: str, class_ids: tuple[int, ...] | None = None
) -> Tried:
    """The model on the test frames of a training set; columns are its own classes or those named."""
    from al_assets.checkpoints.heads import align_classes

    head = load_checkpoint(archive, model)
    columns = class_ids or head.class_ids
    rows = archive.models.training_set(training_set_id)
    held = examples(archive, rows, model.embedder_id, list(columns), head.task, "test")
    probabilities = align_classes(head.probabilities(held.vectors), head.class_ids, columns)
    thresholds = align_classes(head.thresholds, head.class_ids, columns, fill=0.5)
    decided = probabilities >= thresholds
    if head.task == "single_label":
        decided = np.zeros(probabilities.shape, dtype=bool)
        decided[np.arange(len(decided)), probabilities.argmax(axis=1)] = True
    return Tried(head.task, columns, held.keys, probabilities, decided, held.targets, thresholds)


def reliability_section(archive: Archive, model: Checkpoint, tried: Tried) -> Section:
    """The reliability diagram with the calibration error and its interval."""
    from al_assets.checkpoints.calibration import confidence_and_hits

    confidence, hits, _ = confidence_and_hits(tried.probabilities, tried.targets, task=tried.task)
    bins = reliability(confidence, hits)
    rows = archive.models.evaluations(model.checkpoint_id)
    rows = rows[(rows["metric"] == "expected_calibration_error") & (rows["split"] == "test")]
    error = "".join(interval(row.value, row.low, row.high) for row in rows_of(rows[rows["class_id"] == 0]))
    what = "Each decision is the likeliest class of a labelled test frame."
    if tried.task == "multi_label":
        what = "Each decision is one class on one labelled test frame, judged present or absent; classes are pooled."
    note = (
        f"{what} Below the dashed line the model is surer than it is right. Expected calibration error (15 bins; ten "
        f"are drawn): {error or 'not measured yet'}."
    )
    table = pd.DataFrame(
        {
            "probability given": [found.confidence for found in bins],
            "share that is right": [found.right for found in bins],
            "decisions": [found.count for found in bins],
        }
    )
    alt = "Share of decisions that are right against the probability given; the table below has the numbers."
    return Section("Does its confidence mean what it says?", note, reliability_svg(bins), table, alt=alt)


def confusion_section(archive: Archive, tried: Tried) -> tuple[Section, Confusion]:
    """The confusion matrix of the classes with the most errors, and the matrix itself."""
    names = class_list(archive)
    shown = [names.get(class_id, f"class {class_id}") for class_id in tried.class_ids]
    matrix = most_confused(confusion_counts(tried.decided, tried.targets, tried.task), shown, tried.task)
    note = (
        f"{len(tried.keys)} labelled test frames: the row is what people say, the column what the model says."
    )
    if tried.task == "multi_label":
        note = (
            f"{len(tried.keys)} labelled test frames. Several classes may be on one, so a cell off the diagonal counts "
            "frames on which the row's class was missed while the column's was said and is not there; the diagonal "
            "counts what was found. (nothing): missed with nothing said falsely, or said falsely with nothing missed."
        )
    if matrix.hidden:
        note += f" The classes of the largest errors; {matrix.hidden} more are not shown."
    return Section("What is taken for what", note, confusion_svg(matrix), alt="Confusion matrix"), matrix


def comparison_section(archive: Archive, settings: Settings) -> Section:
    """Metrics of the latest checkpoints, and two of them on the same frames."""
    every, serving = archive.models.all(), archive.models.serving()
    history = _history(archive)
    title = "Checkpoint against checkpoint"
    if serving is None or len(every) < 2:
        why = "No model serves yet." if serving is None else "There is one model yet."
        return Section(title, why, table=history)
    newest = every[-1]
    other = serving if serving.checkpoint_id != newest.checkpoint_id else every[-2]
    role = "the serving one" if other == serving else "the one before"
    differences, frames = compare_checkpoints(archive, newest, other, settings.training.seed)
    note = (
        f"{newest.checkpoint_id}, the newest, less {other.checkpoint_id}, {role}, on the same {frames} test frames and "
        "the same resamples of videos; log loss and calibration error are better when small."
    )
    parts = [
        Section("The same frames, paired", note, table=differences),
        Section(f"The latest {POINTS} checkpoints", "Each on the hold-out of its day.", table=history),
    ]
    return Section(title, parts=parts)


def compare_checkpoints(
    archive: Archive, one: Checkpoint, other: Checkpoint, seed: int
) -> tuple[pd.DataFrame, int]:
    """Differences one - other by metric with 95 % intervals, on the test frames both can read; how many those are."""
    from al_assets.checkpoints.evaluation import paired_difference

    first = try_model(archive, one, one.training_set_id)
    second = try_model(archive, other, one.training_set_id, first.class_ids)
    common, at, there = np.intersect1d(first.keys, second.keys, return_indices=True)
    rows = []
    comparable = len(common) and first.task == second.task
    for metric in COMPARED if comparable else ():
        if metric == "accuracy" and first.task != "single_label":
            continue
        found = paired_difference(
            metric,
            first.probabilities[at],
            second.probabilities[there],
            first.targets[at],
            video_no_of(common),
            task=first.task,
            thresholds_a=first.thresholds,
            thresholds_b=second.thresholds,
            rng=np.random.default_rng(seed),
        )
        if found.value is not None:
            told = interval(found.value, found.low, found.high, signed=True)
            rows.append({"metric": metric.replace("_", " "), "difference": told, "frames": len(common)})
    return pd.DataFrame(rows), len(common)


def _history(archive: Archive) -> pd.DataFrame:
    """Metrics of the latest checkpoints, newest first, one column a metric."""
    curve = archive.monitoring.view("learning_curve")
    if curve.empty:
        return pd.DataFrame()
    curve = curve.sort_values(["trained_at", "checkpoint_id"], ascending=False)
    kept = list(dict.fromkeys(curve["checkpoint_id"]))[:POINTS]
    metrics = list(dict.fromkeys(sorted(curve["metric"].dropna())))
    rows = []
    for checkpoint_id in kept:
        own = curve[curve["checkpoint_id"] == checkpoint_id]
        values = {row.metric: interval(row.value, row.low, row.high) for row in rows_of(own)}
        first = own.iloc[0]
        rows.append(
            {
                "checkpoint": checkpoint_id + (" (serves)" if first["serving"] == 1 else ""),
                "labelled frames": int(first["labelled_frames"]),
                **{metric.replace("_", " "): values.get(metric, "") for metric in metrics},
            }
        )
    return pd.DataFrame(rows)

"""What a model is worth on the fixed test part, as plain numbers: no interval, since seeds give those.

Not here: fitting (run.py) and what the numbers come to over seeds (summary.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.checkpoints.resampling import (
    Floats,
    Judged,
    accuracy,
    average_precisions,
    class_metrics,
    judged_rows,
    log_loss,
    mean_defined,
)
from al_assets.keys import Task

MEASURES = ("accuracy", "macro_f1", "log_loss", "mean_average_precision")
LOG_LOSS_CLIP = 1e-7
"""Probabilities are held this far from 0 and 1 before their logarithm is taken (see `resampling.log_loss`)."""


def primary(task: Task) -> str:
    """The measure that strategies are compared by."""
    return "accuracy" if task == "single_label" else "mean_average_precision"


def measure(
    probabilities: Floats, targets: npt.NDArray[np.int8], thresholds: Floats, task: Task
) -> dict[str, float]:
    """MEASURES of calibrated probabilities (n, k) against targets (n, k) in {1, 0, -1}.

    accuracy: share of rows whose likeliest class is right; multi-label: share of rows with every judged class right
    at its threshold (subset accuracy). macro_f1 and mean_average_precision: means over the classes that the test part
    shows. log_loss: mean over rows (multi-label: judged cells) in nats. 0 where the test part does not define one.
    """
    rows = judged_rows(probabilities, targets, np.zeros(len(targets), int), task=task, thresholds=thresholds)
    once = np.ones((1, rows.clips))
    found = {
        "accuracy": accuracy(rows, once) if task == "single_label" else _subset_accuracy(rows),
        "macro_f1": mean_defined(class_metrics(rows, once)["f1"]),
        "log_loss": log_loss(rows, once),
        "mean_average_precision": mean_defined(average_precisions(rows, once)),
    }
    return {name: float(np.nan_to_num(found[name][0])) for name in MEASURES}


def without_model(labelled: npt.NDArray[np.int8], rows: int, task: Task) -> Floats:
    """Probabilities (rows, k) of whoever has seen these targets (m, k) and cannot tell frames apart.

    Laplace's rule of succession: with one class seen, that class is the answer for all.
    """
    seen, classes = (labelled == 1).sum(axis=0), labelled.shape[1]
    judged = (labelled >= 0).sum(axis=0)
    share = (seen + 1) / (seen.sum() + classes) if task == "single_label" else (seen + 0.1) / (judged + 1)
    return np.tile(share.astype(np.float32), (rows, 1))


def _subset_accuracy(rows: Judged) -> Floats:
    right = (rows.decided == (rows.targets == 1)) | (rows.targets < 0)
    return np.atleast_1d(right.all(axis=1).mean() if len(right) else np.nan)

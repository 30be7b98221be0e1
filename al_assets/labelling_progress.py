"""A row of `labelling_progress`: reads the curve, random draws and models side by side, and asks for advice.

The signals themselves are in `selection/stopping.py`; the asset that keeps the row is in `reports/assets.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from al_assets.keys import video_no_of
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.rows import rows_of

SAMPLE_VIDEOS = 200


def progress(archive: Archive, settings: Settings, serving: Checkpoint) -> dict[str, Any]:
    """The row of the serving model."""
    from al_assets.selection.stopping import Measured, advise, gain, kappa, random_accuracy

    metric = settings.promotion.metric
    curve = archive.monitoring.view("learning_curve").sort_values(["trained_at", "checkpoint_id"])
    like = (curve["task"] == serving.task) & (curve["embedder_id"] == serving.embedder_id)
    points = list(rows_of(curve[like & (curve["metric"] == metric) & curve["value"].notna()]))
    measured = [
        Measured(int(point.labelled_frames), float(point.value), number(point.low), number(point.high))
        for point in points
    ]
    own = next((point for point in points if point.checkpoint_id == serving.checkpoint_id), None)
    drawn = archive.progress.random_answers(serving.checkpoint_id)
    worth = random_accuracy(
        drawn["model_right"].to_numpy(dtype=np.float64),
        drawn["propensity"].to_numpy(dtype=np.float64),
        video_no_of(drawn["frame_id"].to_numpy(dtype=np.int64)),
        np.random.default_rng(settings.training.seed),
    )
    history = archive.progress.history()
    history = history[history["checkpoint_id"] != serving.checkpoint_id]
    before = None if history.empty else str(history["checkpoint_id"].iloc[-1])
    compared = archive.progress.compare(serving.checkpoint_id, before, archive.progress.sample(SAMPLE_VIDEOS))
    stability = kappa(compared.counts)
    doubt = None if compared.margin is None else 1 - compared.margin
    kappas = [*history["stability"].dropna(), *([] if stability is None else [stability])]
    holdout = int(own.support) if own is not None else 0
    advice, reason = advise(
        measured, kappas, doubt, enough=holdout >= settings.promotion.minimum_holdout_labels
    )
    slope = gain(measured)
    return {
        "checkpoint_id": serving.checkpoint_id,
        "labelled_frames": serving.labelled_frames,
        "holdout_frames": holdout,
        "metric": metric,
        "value": None if own is None else float(own.value),
        "low": None if own is None else number(own.low),
        "high": None if own is None else number(own.high),
        "random_frames": len(drawn),
        "random_accuracy": worth.value,
        "random_low": worth.low,
        "random_high": worth.high,
        "stability": stability,
        "uncertainty": doubt,
        "gain": slope.value,
        "gain_high": slope.high,
        "advice": advice,
        "reason": reason,
        "measured_at": archive.now(),
    }


def number(value: object) -> float | None:
    """A number, or None for what the database has as null."""
    return None if pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]

"""Reads the answered frames of both arms, trains a model on as many of each, and tries both on one hold-out.

What is compared and how is in `selection/arms.py`; the asset that keeps the result is in `reports/assets.py`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from al_assets.checkpoints.assets import Examples, examples, fit_examples, surroundings
from al_assets.keys import video_no_of
from al_assets.selection.arms import FEWEST_LABELS, TOO_EARLY, Comparison, Matched, compare, match_arms
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint

DRAWS = 3
"""Models of the strategy's arm: its share of a batch is the larger, and one draw of it would be one of many."""


def compare_arms(archive: Archive, settings: Settings, serving: Checkpoint) -> dict[str, Any]:
    """A row of `arm_comparisons` without its key and time."""
    rows = archive.models.training_set(serving.training_set_id)
    learned = examples(archive, rows, serving.embedder_id, list(serving.class_ids), settings.task, "train")
    asked = archive.progress.asked_frames()
    asked = asked[asked["frame_id"].isin(learned.keys)]
    matched = match_arms(
        asked["frame_id"].to_numpy(dtype=np.int64),
        asked["batch_id"].to_numpy(dtype=np.int64),
        (asked["arm"] == "random").to_numpy(),
        DRAWS,
        np.random.default_rng([settings.selection.seed, serving.labelled_frames]),
    )
    held, propensity = _holdout(archive, settings, serving, rows)
    found = TOO_EARLY
    if len(matched.random) >= FEWEST_LABELS and len(held.keys):
        found = _compared(archive, settings, serving, learned, matched, held, propensity)
    told = {
        f"{arm}_accuracy": value for arm, value in (("random", found.random), ("strategy", found.strategy))
    }
    rest = {name: value for name, value in asdict(found).items() if name not in ("random", "strategy")}
    counts = {
        "labels_each": len(matched.random),
        "batches": matched.batches,
        "holdout_frames": len(held.keys),
    }
    return {**counts, **told, **rest}


def _holdout(
    archive: Archive, settings: Settings, serving: Checkpoint, rows: pd.DataFrame
) -> tuple[Examples, np.ndarray]:
    """Judged hold-out frames that evaluation arms drew, with the chance that they had."""
    drawn = archive.progress.evaluation_frames().set_index("frame_id")["propensity"]
    parts = [
        examples(archive, rows, serving.embedder_id, list(serving.class_ids), settings.task, split)
        for split in ("validation", "test")
    ]
    kept = [part.take(np.isin(part.keys, drawn.index)) for part in parts]
    joined = Examples(
        np.concatenate([part.keys for part in kept]),
        np.concatenate([part.vectors for part in kept]),
        np.concatenate([part.targets for part in kept]),
    )
    return joined, drawn.reindex(joined.keys).to_numpy(dtype=np.float64)


def _compared(
    archive: Archive,
    settings: Settings,
    serving: Checkpoint,
    learned: Examples,
    matched: Matched,
    held: Examples,
    propensity: np.ndarray,
) -> Comparison:
    from al_assets.review.second_opinions import model_right

    names = {class_id: str(class_id) for class_id in serving.class_ids}
    around = surroundings(archive, serving.embedder_id, settings)

    def right(frame_ids: np.ndarray) -> np.ndarray:
        part = learned.take(np.isin(learned.keys, frame_ids))
        head = fit_examples(part, names, serving.embedder_id, settings, around).head
        return model_right(held.targets, head.probabilities(held.vectors), head.thresholds, settings.task)

    drawn = right(matched.random)
    asked = np.mean([right(each) for each in matched.strategy], axis=0)
    judged = np.isfinite(drawn) & np.isfinite(asked)
    rng = np.random.default_rng(settings.training.seed)
    return compare(drawn[judged], asked[judged], propensity[judged], video_no_of(held.keys[judged]), rng)

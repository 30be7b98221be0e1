"""Reads the answered frames of both arms, trains a model on as many of each, and tries both on one hold-out.

What is compared and how is in `selection/arms.py`; the asset that keeps the result is in `reports/assets.py`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from al_assets.examples import Examples, examples
from al_assets.keys import video_no_of
from al_assets.selection.arms import (
    FEWEST_LABELS,
    TOO_EARLY,
    Answers,
    Comparison,
    Matched,
    compare,
    match_arms,
    redrawn,
)
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint

DRAWS = 5
"""Models of the strategy's arm: its share of a batch is the larger, and one draw of it would be one of many."""
AGAIN = 20
"""Models of labels weighed anew, of each arm: their spread is what the luck of the draw is worth."""
L2 = 0.1
"""Of all these models; to choose it for each would take longer than to fit them and tell the arms apart no better."""


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
        AGAIN,
        np.random.default_rng([settings.selection.seed, serving.labelled_frames]),
    )
    held, propensity = _holdout(archive, settings, serving, rows)
    found = TOO_EARLY
    if len(matched.random) >= FEWEST_LABELS and len(held.keys):
        found = _compared(settings, serving, learned, matched, held, propensity)
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
    settings: Settings,
    serving: Checkpoint,
    learned: Examples,
    matched: Matched,
    held: Examples,
    propensity: np.ndarray,
) -> Comparison:
    from al_assets.checkpoints.training import TrainingConfig, fit_head
    from al_assets.review.second_opinions import model_right

    rng = np.random.default_rng([settings.training.seed, len(matched.random)])
    config = TrainingConfig(head="logistic", l2=L2, seed=settings.training.seed)

    def right(frame_ids: np.ndarray, again: bool) -> np.ndarray:
        part = learned.take(np.isin(learned.keys, frame_ids))
        head = fit_head(
            part.vectors,
            part.targets,
            redrawn(part.groups, rng) if again else None,
            task=settings.task,
            class_ids=tuple(serving.class_ids),
            class_names=tuple(map(str, serving.class_ids)),
            embedder_id=serving.embedder_id,
            config=config,
            groups=part.groups,
        ).head
        said = head.probabilities(held.vectors)
        return np.nan_to_num(model_right(held.targets, said, head.thresholds, settings.task))

    judged = (held.targets >= 0).any(axis=1)

    def answers(draws: np.ndarray, once: int) -> Answers:
        plain = np.mean([right(each, False) for each in draws[:once]], axis=0)
        return Answers(plain[judged], np.stack([right(each, True)[judged] for each in draws]))

    same = np.repeat(matched.random[None], AGAIN, axis=0)
    random, strategy = answers(same, 1), answers(matched.strategy, DRAWS)
    return compare(random, strategy, propensity[judged], video_no_of(held.keys[judged]), rng)

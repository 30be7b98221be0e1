"""The asset `label_review`: labels that the newest model doubts, and what another opinion on them would be worth.

Confident learning and ActiveLab live beside. Labels are never changed here.
"""

from dataclasses import dataclass

import dagster as dg
import numpy as np
import pandas as pd

from al_assets.automation import RETRY
from al_assets.checkpoints.assets import checkpoint
from al_assets.checkpoints.training_set import target_matrix, why_not_trainable
from al_assets.examples import Examples, examples, fit_examples, load_checkpoint, surroundings
from al_assets.keys import Task
from al_assets.labels.assets import standing_now
from al_assets.labels.ballots import Said
from al_assets.review.label_errors import implausible_labels
from al_assets.review.second_opinions import JudgedFrames, model_right, score_frames
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.slices import KeyList, Slice


@dataclass(frozen=True)
class Seen:
    """Labelled frames of a split with the probabilities of a model that did not see their clip, NaN where unknown."""

    split: str
    frame_ids: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    thresholds: np.ndarray


@dg.asset(
    group_name="training",
    kinds={"scikitlearn", "sql"},
    deps=[checkpoint],
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "implausible_labels"},
)
def label_review(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """Labels that a model of the other clips finds implausible, and judged frames by what another opinion would bring.

    For a person to look at (view label_errors); the next batch asks again for some of them. No label is changed.
    """
    newest = archive.models.latest()
    if newest is None or newest.task != settings.task:
        return dg.MaterializeResult(value=None, metadata={"why": "no checkpoint of this task yet"})
    rows = archive.models.training_set(newest.training_set_id)
    train = examples(archive, rows, newest.embedder_id, list(newest.class_ids), settings.task, "train")
    if why := why_not_trainable(train.targets, settings.task):
        return dg.MaterializeResult(value=None, metadata={"why": why})
    parts = [_training(archive, train, newest, settings)]
    parts += [_holdout(archive, newest, rows, split) for split in ("validation", "test")]
    wrong = pd.concat([_implausible(part, newest, settings.task) for part in parts], ignore_index=True)
    wrong = wrong.merge(
        rows[["frame_id", "class_id", "annotation_id"]], on=["frame_id", "class_id"], how="left"
    )
    opinions = _opinions(archive, parts[0], newest, rows, settings.task)
    judged = sum(len(part.frame_ids) for part in parts)
    context.log.info(f"{len(wrong)} labels on {judged} frames look wrong to models of other clips")
    serving = archive.models.serving()
    kept = serving.checkpoint_id if serving is not None else ""
    replaced = sorted({*archive.reviews.reviewed(), newest.checkpoint_id} - ({kept} - {newest.checkpoint_id}))
    return dg.MaterializeResult(
        value=Slice(
            {"checkpoint_id": KeyList(tuple(replaced))},
            {"implausible_labels": wrong, "second_opinions": opinions},
            name=newest.checkpoint_id,
        ),
        metadata={
            "checkpoint": newest.checkpoint_id,
            "labelled_frames": judged,
            "implausible_labels": len(wrong),
            "frames_on_which_people_are_divided": int(opinions["divided"].sum()),
        },
    )


def _training(archive: Archive, train: Examples, newest: Checkpoint, settings: Settings) -> Seen:
    """Training frames, each seen by the cross-validation's model without its clip."""
    names = {class_id: str(class_id) for class_id in newest.class_ids}
    around = surroundings(archive, newest.embedder_id, settings)
    fitted = fit_examples(train, names, newest.embedder_id, settings, around)
    probabilities = np.full(train.targets.shape, np.nan, np.float32)
    probabilities[fitted.rows] = fitted.out_of_sample
    return Seen("train", train.keys, train.targets, probabilities, fitted.head.thresholds)


def _holdout(archive: Archive, newest: Checkpoint, rows: pd.DataFrame, split: str) -> Seen:
    head = load_checkpoint(archive, newest)
    found = examples(archive, rows, newest.embedder_id, list(newest.class_ids), head.task, split)
    probabilities = head.probabilities(found.vectors) if len(found.keys) else np.empty(found.targets.shape)
    return Seen(split, found.keys, found.targets, probabilities, head.thresholds)


def _implausible(seen: Seen, newest: Checkpoint, task: Task) -> pd.DataFrame:
    found = implausible_labels(seen.targets, seen.probabilities, task=task)
    class_ids = np.array(newest.class_ids, dtype=np.int64)
    suggested = pd.array(class_ids[found.suggested], dtype="Int64")
    suggested[found.suggested < 0] = pd.NA
    return pd.DataFrame(
        {
            "checkpoint_id": newest.checkpoint_id,
            "frame_id": seen.frame_ids[found.row],
            "class_id": class_ids[found.column],
            "present": seen.targets[found.row, found.column],
            "probability": found.probability,
            "suggested_class_id": suggested,
            "suggested_probability": found.suggested_probability,
            "quality": found.quality,
            "split": seen.split,
        }
    )


def _opinions(
    archive: Archive, seen: Seen, newest: Checkpoint, rows: pd.DataFrame, task: Task
) -> pd.DataFrame:
    """Scores of judged training frames: votes that stand now against what models of other clips make of them."""
    now = standing_now(archive, task)
    tally = Said.of(now.annotations, now.marks, newest.class_ids, now.since).tally()
    training = np.isin(tally.frames, archive.selection.taken()["frame_id"].to_numpy())
    known, probabilities = _probabilities(archive, seen, newest, tally.frames[training])
    at = np.flatnonzero(training)[known]
    frames = JudgedFrames(tally.present[at], tally.judged[at], probabilities)
    scores = score_frames(frames, task)
    class_ids = pd.array(np.array([*newest.class_ids, 0])[scores.column], dtype="Int64")
    class_ids[scores.column < 0] = pd.NA
    right = model_right(_consensus(rows, tally.frames[at], newest), probabilities, seen.thresholds, task)
    table = pd.DataFrame(
        {
            "checkpoint_id": newest.checkpoint_id,
            "frame_id": tally.frames[at],
            "score": scores.score,
            "class_id": class_ids,
            "annotators": frames.judged.max(axis=1, initial=0),
            "divided": ((frames.present > 0) & (frames.present < frames.judged)).any(axis=1).astype(np.int8),
            "model_right": pd.Series(right).astype("Int64"),
            "model_weight": scores.weights.model,
            "annotator_weight": scores.weights.annotator,
        }
    )
    # A frame of which nothing can be asked again may still count for what the model is worth.
    return table.assign(score=table["score"].fillna(1.0))[np.isfinite(scores.score) | np.isfinite(right)]


def _consensus(rows: pd.DataFrame, frame_ids: np.ndarray, newest: Checkpoint) -> np.ndarray:
    """(n, k) what people agree on of the frames (ascending) by the training set's rows: 1, 0, or -1."""
    rows = rows[rows["frame_id"].isin(frame_ids)]
    keys, targets = target_matrix(rows["frame_id"], rows["class_id"], rows["target"], newest.class_ids)
    every = np.full((len(frame_ids), len(newest.class_ids)), -1, np.int8)
    every[np.searchsorted(frame_ids, keys)] = targets
    return every


def _probabilities(
    archive: Archive, seen: Seen, newest: Checkpoint, frame_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the frames (ascending) a model without their clip can judge, and its probabilities of those.

    A frame that taught the model nothing, since people are divided on it or nobody is there, is judged by the model
    itself: it knows neighbours of it, so that it is a little too sure.
    """
    probabilities = np.full((len(frame_ids), len(newest.class_ids)), np.nan, np.float32)
    trained, at, of = np.intersect1d(frame_ids, seen.frame_ids, assume_unique=True, return_indices=True)
    probabilities[at] = seen.probabilities[of]
    left = np.setdiff1d(frame_ids, trained)
    keys, vectors = archive.frames.vectors(newest.embedder_id, left.tolist())
    if len(keys):
        head = load_checkpoint(archive, newest)
        probabilities[np.searchsorted(frame_ids, keys)] = head.probabilities(vectors)
    known = np.isin(frame_ids, np.concatenate([trained, keys]))
    return known, probabilities[known]

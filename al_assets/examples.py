"""Labelled frames with their vectors, read from the archive for training and measuring, and heads fitted to them.

Not here: how a head learns (checkpoints/), or which assets are made of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from al_assets.checkpoints.training_set import answered_rows, target_matrix
from al_assets.keys import Task, video_no_of
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.rows import rows_of

if TYPE_CHECKING:  # these load torch, which the code server must not
    from al_assets.checkpoints.heads import Head
    from al_assets.checkpoints.surroundings import Surroundings
    from al_assets.checkpoints.training import Fitted, TrainingConfig

GATHERED = 512


@dataclass(frozen=True)
class Examples:
    """Labelled frames of a split with their vectors: keys (n,), vectors (n, d), targets (n, k)."""

    keys: np.ndarray
    vectors: np.ndarray
    targets: np.ndarray

    @property
    def groups(self) -> np.ndarray:
        """Video number of each row: what is kept whole in cross-validation and in the bootstrap."""
        return video_no_of(self.keys)

    def take(self, rows: np.ndarray) -> "Examples":
        """Some of the rows."""
        return Examples(self.keys[rows], self.vectors[rows], self.targets[rows])


def class_list(archive: Archive) -> dict[int, str]:
    """Classes in use: class_id -> name."""
    table = archive.labels.classes()
    used = table[(table["active"] == 1) & table["merged_into"].isna()]
    return {int(row.class_id): str(row.name) for row in rows_of(used[["class_id", "name"]])}


def examples(
    archive: Archive, rows: pd.DataFrame, embedder_id: str, class_ids: list[int], task: Task, split: str
) -> Examples:
    """Examples of a split of a training set that have a vector, read through the PyTorch dataset."""
    from al_assets.checkpoints.dataset import ArrayLabels, FrameDataset
    from al_assets.checkpoints.training import gather

    rows = rows[rows["split"] == split]
    keys, targets = target_matrix(rows["frame_id"], rows["class_id"], rows["target"], class_ids)
    usable = answered_rows(targets, task)
    there = archive.frames.having_vectors(embedder_id, keys[usable].tolist())
    usable &= np.isin(keys, there)
    keys, targets = keys[usable], targets[usable]
    if not len(keys):
        return Examples(keys, np.empty((0, archive.frames.dimensions(embedder_id)), np.float32), targets)
    dataset = FrameDataset(archive.vectors(embedder_id), ArrayLabels(keys, targets))
    return Examples(keys, gather(dataset, batch_size=GATHERED, workers=0), targets)


def load_checkpoint(archive: Archive, checkpoint: Checkpoint) -> "Head":
    """A checkpoint's head, its file checked against the hash and the classes in the database."""
    from al_assets.checkpoints.files import load_head

    data = archive.storage.read(checkpoint.uri)
    return load_head(data, sha256=checkpoint.sha256, class_ids=checkpoint.class_ids)


def training_config(settings: Settings) -> "TrainingConfig":
    """How a head is trained, by the settings."""
    from al_assets.checkpoints.training import TrainingConfig

    return TrainingConfig(
        head=settings.training.head,
        l2=settings.training.l2 or None,
        class_weighting=settings.training.balance_classes,
        seed=settings.training.seed,
    )


def surroundings(archive: Archive, embedder_id: str, settings: Settings) -> "Surroundings | None":
    """Frames of the training videos that a head may learn from without labels, if the settings want one to."""
    from al_assets.checkpoints.surroundings import Surroundings

    training = settings.training
    if training.head == "logistic" or not training.unlabelled_frames:
        return None
    drawn = archive.frames.drawn(embedder_id, "train", training.unlabelled_frames, training.seed)
    return Surroundings.of(drawn) if len(drawn) else None


def fit_examples(
    train: Examples,
    names: Mapping[int, str],
    embedder_id: str,
    settings: Settings,
    around: "Surroundings | None",
) -> "Fitted":
    """A head for the classes `names` (class_id -> name), and what models of the other clips make of the examples."""
    from al_assets.checkpoints.training import fit_head

    return fit_head(
        train.vectors,
        train.targets,
        None,
        task=settings.task,
        class_ids=tuple(names),
        class_names=tuple(names.values()),
        embedder_id=embedder_id,
        config=training_config(settings),
        groups=train.groups,
        surroundings=around,
    )

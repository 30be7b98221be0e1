"""Vectors of real handwritten digits: frames of 8 x 16 pixels with none, one or two scans, randomly projected."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits

from al_assets.checkpoints.heads import Head
from al_assets.checkpoints.training import TrainingConfig, fit_head

torch.set_num_threads(1)

CLASS_IDS = tuple(range(1, 11))
CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COMMON_FIRST = 1 / np.arange(1, 11)


@dataclass(frozen=True)
class DigitFrames:
    """vectors (n, 256) float16, targets (n, 10) int8, clips (n,) int64: four near-identical frames a clip."""

    vectors: np.ndarray
    targets: np.ndarray
    clips: np.ndarray

    def __getitem__(self, rows) -> "DigitFrames":
        return DigitFrames(self.vectors[rows], self.targets[rows], self.clips[rows])

    def __len__(self) -> int:
        return len(self.clips)


def digit_frames(clips: int, *, seed: int, per_clip: int = 4, most: int = 2, least: int = 0) -> DigitFrames:
    """Clips of a long-tailed population; each shows between `least` and `most` different digits."""
    rng = np.random.default_rng(seed)
    data = load_digits()
    pixels = np.zeros((clips, per_clip, 8, 16))
    targets = np.zeros((clips, per_clip, 10), np.int8)
    for clip in range(clips):
        shown = rng.choice(
            10, rng.integers(least, most + 1), replace=False, p=COMMON_FIRST / COMMON_FIRST.sum()
        )
        for place, digit in enumerate(shown):
            scan = data.images[rng.choice(np.flatnonzero(data.target == digit))] / 16
            pixels[clip, :, :, 8 * place : 8 * place + 8] = scan
        targets[clip][:, shown] = 1
    pixels += rng.normal(0, 0.03, pixels.shape)
    flat = pixels.reshape(clips * per_clip, -1)
    # One projection for all archives, as one backbone embeds them all.
    projection = np.random.default_rng(0).normal(size=(flat.shape[1], 256)) / 4
    vectors = np.maximum(flat @ projection - 0.2, 0).astype(np.float16)
    return DigitFrames(vectors, targets.reshape(-1, 10), np.repeat(np.arange(clips), per_clip))


def trained_head(frames: DigitFrames, *, task: str = "multi_label", **settings) -> Head:
    """A head trained on such frames."""
    return fit_head(
        frames.vectors,
        frames.targets,
        None,
        task=task,
        class_ids=CLASS_IDS,
        class_names=CLASS_NAMES,
        embedder_id="digits-projection",
        config=TrainingConfig(**settings),
        groups=frames.clips,
    ).head


def macro_f1(head: Head, frames: DigitFrames) -> float:
    """Plain macro-F1 over the classes that the frames show, by loops and counting."""
    p, scores = head.probabilities(frames.vectors), []
    decided = p >= head.thresholds
    if head.task == "single_label":
        decided = p == p.max(axis=1, keepdims=True)
    for said, true in zip(decided.T, frames.targets.T == 1, strict=True):
        if true.any():
            scores.append(2 * (said & true).sum() / (said.sum() + true.sum()))
    return float(np.mean(scores))

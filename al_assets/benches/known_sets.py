"""Small data sets whose answers are known, for benchmarks: scans from a wheel, and what the project renders.

Not here: any measurement.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.simulation.experiment import Experiment

RATE = 2.0
"""Frames a second of rendered clips."""
TAIL = 0.7
"""Of each digit this part of the one before, in the long-tailed set."""
PAIRS = 1_700
WIDTH = 256
Images = npt.NDArray[np.float32]


def digits(count: int | None) -> Experiment:
    """Scikit-learn's digits, or the first `count`; a fifth, drawn once, is the test part."""
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    chosen = slice(0, count)
    targets = np.eye(10, dtype=np.int8)[classes[chosen]]
    return _alone((pixels[chosen] / 16).astype(np.float32), targets, _a_fifth(len(targets)))


def long_tailed_digits() -> Experiment:
    """The same with fewer of each digit than of the one before, down to about four of a hundred of the first."""
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    kept = np.random.default_rng(1).random(len(classes)) < TAIL**classes
    targets = np.eye(10, dtype=np.int8)[classes[kept]]
    return _alone((pixels[kept] / 16).astype(np.float32), targets, _a_fifth(len(targets)))


def digit_pairs(count: int = PAIRS) -> Experiment:
    """Frames with none, one or two of the digits side by side, some common, some rare, seen through random features.

    Multi-label and long-tailed: the first digit is on a third of the frames, the last on one in thirty. A fifth of the
    frames is the test part, made of a fifth of the scans, of which the pool shows none.
    """
    from sklearn.datasets import load_digits

    rng, data = np.random.default_rng(2), load_digits()
    held_out = rng.permutation(len(data.target)) < len(data.target) // 5
    test = rng.permutation(count) < count // 5
    chance = 1 / np.arange(1, 11)
    chance /= chance.sum()
    pixels, targets = np.zeros((count, 8, 16), np.float32), np.zeros((count, 10), np.int8)
    for row in range(count):
        for place, digit in enumerate(rng.choice(10, rng.integers(0, 3), replace=False, p=chance)):
            scans = np.flatnonzero((data.target == digit) & (held_out == test[row]))
            pixels[row, :, 8 * place : 8 * place + 8] = data.images[rng.choice(scans)] / 16
            targets[row, digit] = 1
    pixels += rng.normal(0, 0.03, pixels.shape).astype(np.float32)
    features = pixels.reshape(count, -1) @ rng.normal(size=(128, WIDTH)).astype(np.float32) / 4
    return _alone(np.maximum(features - 0.2, 0), targets, test, "multi_label")


def cells() -> Experiment:
    """Scikit-learn's breast cancer data: 569 images of cells by 30 measures of their nuclei, two classes."""
    from sklearn.datasets import load_breast_cancer

    measures, malignant = load_breast_cancer(return_X_y=True)
    standard = (measures - measures.mean(axis=0)) / measures.std(axis=0)
    return _alone(standard.astype(np.float32), np.eye(2, dtype=np.int8)[malignant], _a_fifth(len(standard)))


def _alone(
    vectors: Images,
    targets: npt.NDArray[np.int8],
    test: npt.NDArray[np.bool_],
    task: Task = "single_label",
) -> Experiment:
    """Each row a clip of its own."""
    return Experiment(embeddings=vectors, targets=targets, groups=np.arange(len(test)), test=test, task=task)


def _a_fifth(count: int) -> npt.NDArray[np.bool_]:
    test = np.zeros(count, dtype=bool)
    test[np.random.default_rng(0).permutation(count)[: count // 5]] = True
    return test


def rendered_archive(clips: int) -> Experiment:
    """Two frames a second of the demo's clips by its backbone; a fifth of the clips is the test part."""
    from al_assets.demo.archive import NAMES, render_archive
    from al_assets.embeddings.backbones import LITE0, load_backbone
    from al_assets.frames.decoding import decode
    from al_assets.frames.sampling import Sampler

    backbone, vectors, targets, groups = load_backbone(LITE0), [], [], []
    with tempfile.TemporaryDirectory() as folder:
        truth = render_archive(Path(folder), clips=clips, real_clips=False).truth
        for number, (path, rows) in enumerate(truth.groupby("path", sort=True)):
            names = rows.set_index("frame_index")["names"]
            frames = list(decode(Path(folder) / str(path), wanted=Sampler(RATE)))
            vectors.append(np.asarray(backbone.embed([frame.image for frame in frames])))
            here = [names[frame.frame_index].split("|") for frame in frames]
            targets.append(np.array([[name in shown for name in NAMES] for shown in here], np.int8))
            groups.append(np.full(len(frames), number))
    held_out = np.random.default_rng(0).permutation(clips)[: clips // 5]
    clip = np.concatenate(groups)
    return Experiment(
        embeddings=np.concatenate(vectors),
        targets=np.concatenate(targets),
        groups=clip,
        test=np.isin(clip, held_out),
        task="multi_label",
    )

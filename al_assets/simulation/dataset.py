"""Embeddings with known labels from an .npz file, checked, as an experiment. No run, no statistics.

Every fault of a file is one DatasetError whose sentence says what to change.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.simulation.experiment import Array, Experiment

TEST_SHARE = 0.2
"""Share of the groups held out where the file has no split and nobody says how many."""
SPLIT_SEED = 0
"""Seed of that draw: the test part stays the same whatever the seeds of the runs."""
LARGEST = 1e15
"""Values up to which squares and their sums stay well inside float32."""
ARRAYS = ("embeddings", "labels", "groups", "split")
Raw = npt.NDArray[Any]


class DatasetError(ValueError):
    """The file cannot be simulated on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """What a file holds.

    embeddings: (n, d) float16 or float32; targets: (n, k) int8 in {0, 1}; groups: (n,) int64; split: (n,) bool, True
    for the test part, or None; class_names: (k,); sha256: of the file.
    """

    embeddings: Array
    targets: npt.NDArray[np.int8]
    groups: npt.NDArray[np.int64]
    grouped: bool
    split: npt.NDArray[np.bool_] | None
    task: Task
    class_names: tuple[str, ...]
    sha256: str

    def experiment(self, test_groups: int | None = None) -> Experiment:
        """The file's own split, or `test_groups` whole groups (a fifth by default) drawn with SPLIT_SEED."""
        if self.split is not None:
            if test_groups is not None:
                raise DatasetError("the file has a split of its own; leave out --test-groups")
            test = self.split
            self._refuse_leaks(test)
        else:
            test = np.isin(self.groups, self._drawn_groups(test_groups))
        return Experiment(
            embeddings=self.embeddings, targets=self.targets, groups=self.groups, test=test, task=self.task
        )

    def test_part(self, test_groups: int | None = None) -> str:
        """How the test part came about, in words."""
        if self.split is not None:
            return "the data's own split"
        groups = len(self._drawn_groups(test_groups))
        return f"{groups} whole groups drawn with seed {SPLIT_SEED}, the same for all seeds of the runs"

    def _drawn_groups(self, count: int | None) -> npt.NDArray[np.int64]:
        groups = np.unique(self.groups)
        if len(groups) < 2:
            raise DatasetError("all rows are of one group, so that none can be held out; give `split`")
        count = max(1, round(TEST_SHARE * len(groups))) if count is None else count
        if not 0 < count < len(groups):
            raise DatasetError(
                f"{count} test groups of {len(groups)} leave nothing to learn from or to measure on;"
                f" hold out between 1 and {len(groups) - 1}"
            )
        return np.random.default_rng(SPLIT_SEED).permutation(groups)[:count]

    def _refuse_leaks(self, test: npt.NDArray[np.bool_]) -> None:
        if not test.any() or test.all():
            raise DatasetError("`split` needs both 0 (pool) and 1 (test); all rows are of one kind")
        leaking = np.flatnonzero(test & np.isin(self.groups, self.groups[~test]))
        if leaking.size:
            raise DatasetError(
                f"the group of row {leaking[0]} is in the test part and in the pool; split by whole groups"
            )


def read_npz(path: Path) -> Dataset:
    """The data set of a file. Raises DatasetError, naming the file."""
    try:
        arrays = _arrays(path)
        with path.open("rb") as file:
            return _dataset(arrays, hashlib.file_digest(file, "sha256").hexdigest())
    except DatasetError as error:
        raise DatasetError(f"{path.name}: {error}") from error.__cause__


def _arrays(path: Path) -> dict[str, Raw]:
    """Its arrays that are asked for; others are not read."""
    if not path.is_file():
        raise DatasetError("there is no such file; write one with numpy.savez")
    try:
        with np.load(path, allow_pickle=False) as file:
            names = list(file.files)
            found = {name: file[name] for name in ARRAYS if name in names}
    except (
        OSError,
        EOFError,
        ValueError,
        AttributeError,
        TypeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        if "Object arrays" in str(error):
            raise DatasetError(
                "an array holds Python objects; save numbers or text (numpy's dtype `<U...`) instead"
            ) from error
        raise DatasetError("is not a readable .npz file; write it with numpy.savez") from error
    for name in ("embeddings", "labels"):
        if name not in found:
            raise DatasetError(f"has no array `{name}`; it has {', '.join(names) or 'none'}")
    return found


def _dataset(arrays: dict[str, Raw], sha256: str) -> Dataset:
    embeddings = _embeddings(arrays["embeddings"])
    rows = len(embeddings)
    for name, array in arrays.items():
        if array.ndim == 0 or len(array) != rows:
            raise DatasetError(
                f"`{name}` has shape {array.shape} beside {rows} embeddings; give one entry a row"
            )
    targets, task, names = _targets(arrays["labels"])
    groups = _groups(arrays["groups"]) if "groups" in arrays else np.arange(rows)
    return Dataset(
        embeddings=embeddings,
        targets=targets,
        groups=groups,
        grouped="groups" in arrays,
        split=_split(arrays["split"]) if "split" in arrays else None,
        task=task,
        class_names=names,
        sha256=sha256,
    )


def _embeddings(array: Raw) -> Array:
    if array.ndim != 2 or 0 in array.shape:
        raise DatasetError(f"`embeddings` has shape {array.shape}; give one vector a row, (n, d)")
    if array.dtype.kind not in "fiu":
        raise DatasetError(f"`embeddings` holds {array.dtype}; give real numbers")
    # float64 beyond float32 becomes infinite, which is then refused.
    with np.errstate(over="ignore"):
        vectors: Array = array if array.dtype in (np.float16, np.float32) else array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise DatasetError(
            f"`embeddings` hold NaN or infinity in {bad.size} rows, first in row {bad[0]}; leave these out"
        )
    large = np.flatnonzero(np.abs(vectors).max(axis=1) > LARGEST)
    if large.size:
        raise DatasetError(
            f"`embeddings` are over {LARGEST:g} in {large.size} rows, first in row {large[0]}, where their squares"
            " overflow; scale them"
        )
    return np.ascontiguousarray(vectors)


def _targets(labels: Raw) -> tuple[npt.NDArray[np.int8], Task, tuple[str, ...]]:
    """((n, k) int8, task, class names): one class a row where labels are (n,), several where they are (n, k)."""
    if labels.ndim == 2 and labels.shape[1]:
        if labels.dtype.kind not in "biuf" or not np.isin(labels, (0, 1)).all():
            raise DatasetError("`labels` of shape (n, k) say which classes a row shows; give 0 and 1 only")
        targets = labels.astype(np.int8)
        if not targets.any():
            raise DatasetError("`labels` hold no 1; at least one row must show a class")
        return targets, "multi_label", tuple(str(number) for number in range(labels.shape[1]))
    if labels.ndim != 1:
        raise DatasetError(f"`labels` has shape {labels.shape}; give (n,) classes, or (n, k) of 0 and 1")
    labels = _whole(labels)
    if labels.dtype.kind not in "iuUSb":
        raise DatasetError(f"`labels` hold {labels.dtype}; give whole numbers or text")
    classes, column = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise DatasetError(f"`labels` say {classes[0]!s} in every row; give at least two classes")
    targets = np.zeros((len(labels), len(classes)), dtype=np.int8)
    targets[np.arange(len(labels)), column] = 1
    return targets, "single_label", tuple(str(name) for name in classes)


def _groups(groups: Raw) -> npt.NDArray[np.int64]:
    groups = _whole(groups)
    if groups.ndim != 1 or groups.dtype.kind not in "iuUSb":
        raise DatasetError(
            f"`groups` hold {groups.dtype} of shape {groups.shape}; give one whole number or text a row"
        )
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _whole(values: Raw) -> Raw:
    """Whole numbers that came as floats as integers; everything else as it is."""
    fits = values.dtype.kind == "f" and (np.abs(values) < 2**53).all() and (values == np.trunc(values)).all()
    return values.astype(np.int64) if fits else values


def _split(split: Raw) -> npt.NDArray[np.bool_]:
    if split.ndim != 1 or split.dtype.kind not in "biuf" or not np.isin(split, (0, 1)).all():
        raise DatasetError("`split` must hold 0 (pool) and 1 (fixed test part) only, one a row")
    return np.asarray(split == 1)

"""What a strategy chooses from and what it answers: the pool of candidate frames, and picks.

Not here: any strategy, and any rule about which frames may be candidates (the caller leaves out labelled,
cannot-tell, queued and hold-out frames; batch_plan.py refuses a pool that still holds one).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]


ROWS = 8192
"""Rows worked on at once where a whole matrix would need copies of itself."""


class PoolError(ValueError):
    """The pool's arrays do not fit together or hold values that no strategy could rank."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear model as arrays: logits of x are `x @ weight.T + bias`; weight (k, d), bias (k,), float32."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Candidate frames of the training split, and what is labelled already.

    frame_ids: (n,) int64, distinct. embeddings: (n, d) finite. probabilities: (n, k) in [0, 1], rows summing
    to 1 for single_label; None while there is no model. labelled_embeddings: (m, d); labelled_targets: (m, k)
    int8, 1 present, 0 absent, -1 not judged; its first columns are the model's classes in the model's order, and there
    may be more or, while classes come and go, fewer.
    What only some strategies need: committee: (members, n, k) probabilities of several models; linear: the model
    itself, as arrays; examples: (e, d) of frames to find more of. groups: (n,) clip of each candidate, None where each
    stands alone. weights: (n,) positive, how many frames a candidate stands for, None for one each.
    Raises PoolError, naming the first frame at fault.
    """

    frame_ids: Ints
    embeddings: Floats
    probabilities: Floats | None
    task: Task
    labelled_embeddings: Floats
    labelled_targets: npt.NDArray[np.int8]
    committee: Floats | None = None
    linear: Linear | None = None
    examples: Floats | None = None
    groups: Ints | None = None
    weights: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Refuse what would otherwise come out as an arbitrary batch: NaN sorts first or last, silently."""
        if self.frame_ids.ndim != 1 or not np.issubdtype(self.frame_ids.dtype, np.integer):
            raise PoolError(
                f"frame_ids must be (n,) integers, got {self.frame_ids.shape} {self.frame_ids.dtype}"
            )
        repeated = self.frame_ids.size - np.unique(self.frame_ids).size
        if repeated:
            raise PoolError(f"frame_ids repeat {repeated} frames; give each candidate once")
        self._check_matrix("embeddings", self.embeddings, len(self))
        expected = (len(self.labelled_targets), self.embeddings.shape[1])
        if len(self.labelled_embeddings) != expected[0] or (
            expected[0] and self.labelled_embeddings.shape != expected
        ):
            raise PoolError(
                f"labelled_embeddings are {self.labelled_embeddings.shape}, expected {expected};"
                " use one embedder for both"
            )
        _check_finite("labelled_embeddings", self.labelled_embeddings, None)
        if self.probabilities is not None:
            self._check_probabilities("probabilities", self.probabilities)
        for member, chances in enumerate(() if self.committee is None else self.committee):
            self._check_probabilities(f"probabilities of committee member {member}", chances)
        self._check_extras()

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self.frame_ids)

    def take(self, positions: npt.NDArray[np.intp]) -> Pool:
        """The pool of the candidates at these positions, in their order."""
        return replace(
            self,
            frame_ids=self.frame_ids[positions],
            embeddings=self.embeddings[positions],
            probabilities=None if self.probabilities is None else self.probabilities[positions],
            committee=None if self.committee is None else self.committee[:, positions],
            groups=None if self.groups is None else self.groups[positions],
            weights=None if self.weights is None else self.weights[positions],
        )

    def _check_extras(self) -> None:
        width = self.embeddings.shape[1]
        for name, column in (("groups", self.groups), ("weights", self.weights)):
            if column is not None and column.shape != (len(self),):
                raise PoolError(f"{name} must be one for each of {len(self)} frames, got {column.shape}")
        if self.weights is not None and not (np.isfinite(self.weights) & (self.weights > 0)).all():
            raise PoolError("weights must be positive and finite: a candidate stands at least for itself")
        if self.examples is not None:
            if self.examples.ndim != 2 or self.examples.shape[1] != width:
                raise PoolError(f"examples must be (e, {width}), got {self.examples.shape}; use one embedder")
            _check_finite("examples", self.examples, None)
        if self.linear is not None and self.linear.weight.shape != (len(self.linear.bias), width):
            raise PoolError(f"the linear model is {self.linear.weight.shape}, expected (k, {width})")

    def _check_matrix(self, name: str, matrix: Floats, rows: int) -> None:
        if matrix.ndim != 2 or len(matrix) != rows:
            raise PoolError(f"{name} must have a row for each of {rows} frames, got {matrix.shape}")
        _check_finite(name, matrix, self.frame_ids)

    def _check_probabilities(self, name: str, probabilities: Floats) -> None:
        self._check_matrix(name, probabilities, len(self))
        if not probabilities.shape[1]:
            raise PoolError(f"{name} have no class; pass None while there is no model")
        tolerance = 1e-3
        wrong = ((probabilities < -tolerance) | (probabilities > 1 + tolerance)).any(axis=1)
        if self.task == "single_label":
            wrong |= np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1) > 10 * tolerance
        if wrong.any():
            frame = self.frame_ids[np.argmax(wrong)]
            raise PoolError(f"{name} of frame {frame} are no {self.task} probabilities")


@dataclass(frozen=True)
class Picks:
    """Positions in the pool in the order of preference, with score and reason of each; note: what holds for all."""

    positions: npt.NDArray[np.intp]
    scores: npt.NDArray[np.float64]
    reasons: list[str]
    note: str = ""


def unit_vectors(vectors: Floats) -> npt.NDArray[np.float32]:
    """Rows at length 1, as float32 (n, d); zero rows stay zero. Scaled first: rows may be subnormal."""
    units = np.empty(vectors.shape, dtype=np.float32)
    for start in range(0, len(vectors), ROWS):
        rows = vectors[start : start + ROWS]
        rows = rows.astype(np.float32 if rows.dtype == np.float16 else rows.dtype)
        scale = np.abs(rows).max(axis=1, initial=0, keepdims=True)
        scaled = (rows / np.where(scale == 0, 1, scale)).astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
        units[start : start + ROWS] = scaled / np.where(lengths == 0, 1, lengths)
    return units


def _check_finite(name: str, matrix: Floats, frame_ids: Ints | None) -> None:
    """A sum is finite only where every summand is, and needs no mask as large as the matrix."""
    with np.errstate(invalid="ignore", over="ignore"):
        wrong = ~np.isfinite(matrix.sum(axis=1, dtype=np.float64))
    if wrong.any():
        row = int(np.argmax(wrong))
        where = f"row {row}" if frame_ids is None else f"frame {frame_ids[row]}"
        raise PoolError(
            f"{name} of {where} hold NaN or infinity; {int(wrong.sum())} rows do, compute them again"
        )

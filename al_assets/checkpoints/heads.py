"""The head: a calibrated linear model on frozen embeddings, as plain arrays. No fitting, no files, no tables.

What a head knows travels with it: its classes in the order of its outputs, the embedder whose vectors it
reads, its calibration and its thresholds, so that a wrong pairing is refused instead of scored.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from al_assets.keys import Task

Array = npt.NDArray[np.float32]


class VectorError(ValueError):
    """Vectors that a head cannot score; `rows` are their positions in the block."""

    def __init__(self, message: str, rows: Sequence[int] = ()) -> None:
        """`rows`: positions of the offending vectors; empty where the whole block does not fit."""
        super().__init__(message)
        self.rows = tuple(rows)


@dataclass(frozen=True, eq=False)
class Head:
    """Linear classifier `((x - mean) / scale) @ weight.T + bias`, divided by `temperature`, per class.

    weight: (k, d); bias, temperature, thresholds: (k,); mean, scale: (d,); all float32. `thresholds` are the
    probabilities at which a multi-label class counts as present (single-label heads decide by the likeliest
    class). `calibration` says in words what the probabilities rest on. Raises ValueError where shapes, signs
    or class lists do not fit.
    """

    task: Task
    class_ids: tuple[int, ...]
    class_names: tuple[str, ...]
    embedder_id: str
    weight: Array
    bias: Array
    mean: Array
    scale: Array
    temperature: Array
    thresholds: Array
    calibration: str = "not calibrated"

    def __post_init__(self) -> None:
        """Refuse what cannot be scored with."""
        classes, dimensions = len(self.class_ids), self.mean.shape[0] if self.mean.ndim == 1 else -1
        if self.task not in ("single_label", "multi_label"):
            raise ValueError(f"unknown task {self.task!r}; use single_label or multi_label")
        if not classes or len(set(self.class_ids)) != classes or len(self.class_names) != classes:
            raise ValueError(f"a head needs distinct class_ids with one name each, got {self.class_ids}")
        wanted = {"weight": (classes, dimensions), "mean": (dimensions,), "scale": (dimensions,)}
        wanted |= {name: (classes,) for name in ("bias", "temperature", "thresholds")}
        for name, shape in wanted.items():
            values = getattr(self, name)
            if values.shape != shape or values.dtype != np.float32:
                raise ValueError(f"{name} must be float32 {shape}, got {values.dtype} {values.shape}")
            if not np.isfinite(values).all():
                raise ValueError(f"{name} holds NaN or infinity; train the head again")
        if (self.scale <= 0).any() or (self.temperature <= 0).any():
            raise ValueError("scale and temperature must be positive; train the head again")

    @property
    def dimensions(self) -> int:
        """Length of the vectors that it reads."""
        return int(self.mean.shape[0])

    def folded(self) -> tuple[Array, Array]:
        """Weight (k, d) and bias (k,), float32: calibrated logits of x are `x @ weight.T + bias`."""
        weight = self.weight.astype(np.float64) / self.scale / self.temperature[:, None]
        bias = self.bias / self.temperature - weight @ self.mean.astype(np.float64)
        return weight.astype(np.float32), bias.astype(np.float32)

    def check_width(self, vectors: npt.NDArray[np.floating]) -> None:
        """Raise VectorError for vectors that are not (n, d)."""
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions:
            raise VectorError(
                f"the head reads {self.dimensions} values of {self.embedder_id}, got {vectors.shape}; "
                "embed these frames with that embedder or train a head for theirs"
            )

    def logits(self, vectors: npt.NDArray[np.floating]) -> Array:
        """Calibrated logits, (n, k) float32, of vectors (n, d) float16 or float32.

        Mean, scale and temperature are folded into the weights, so that a block costs one matrix product.
        Raises VectorError for another width, and naming the rows, for vectors with NaN or infinity.
        """
        self.check_width(vectors)
        weight, bias = self.folded()
        with torch.inference_mode():
            out = torch.addmm(torch.from_numpy(bias), as_float32(vectors), torch.from_numpy(weight).T)
            finite = torch.isfinite(out).all(dim=1)
        if not bool(finite.all()):
            rows = np.flatnonzero(~finite.numpy()).tolist()
            raise VectorError(f"{len(rows)} vectors hold NaN or infinity, first in row {rows[0]}", rows)
        return np.asarray(out.numpy(), dtype=np.float32)

    def probabilities(self, vectors: npt.NDArray[np.floating]) -> Array:
        """Calibrated probabilities, (n, k) float32: rows sum to 1 (single-label) or each class in [0, 1]."""
        return to_probabilities(self.logits(vectors), self.task)


def as_float32(vectors: npt.NDArray[np.floating]) -> torch.Tensor:
    """Tensor (n, d) of float32. torch widens float16 several times faster than numpy does."""
    if not vectors.dtype.isnative:
        vectors = vectors.astype(vectors.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        # Zero-copy columns of Arrow are read-only; nothing here writes to them.
        warnings.filterwarnings("ignore", message=".*not writable.*")
        return torch.from_numpy(np.ascontiguousarray(vectors)).to(torch.float32)


def to_probabilities(logits: Array, task: Task) -> Array:
    """Softmax over classes (single-label) or sigmoid of each class (multi-label), (n, k) float32."""
    tensor = torch.from_numpy(np.ascontiguousarray(logits, dtype=np.float32))
    out = torch.softmax(tensor, dim=1) if task == "single_label" else torch.sigmoid(tensor)
    return np.asarray(out.numpy(), dtype=np.float32)


def align_classes(
    values: npt.NDArray[np.floating], have: Sequence[int], want: Sequence[int], *, fill: float = 0.0
) -> npt.NDArray[np.floating]:
    """Columns (or entries) of `values` in the order of `want`; a class missing from `have` gets `fill`.

    align_classes([[.7, .3]], have=[1, 2], want=[2, 3]) == [[.3, 0.]]: a head that has never heard of a class
    gives it no probability, which is what it is worth on the hold-out. values: (..., len(have)).
    """
    if values.shape[-1] != len(have):
        raise ValueError(f"{values.shape[-1]} columns for {len(have)} classes")
    position = {class_id: column for column, class_id in enumerate(have)}
    out = np.full((*values.shape[:-1], len(want)), fill, dtype=values.dtype)
    for column, class_id in enumerate(want):
        if class_id in position:
            out[..., column] = values[..., position[class_id]]
    return out

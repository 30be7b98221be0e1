"""Vectors become the likeliest classes of each frame, and how sure the model is. No rows, no tables.

A block is taken in pieces whose logits and probabilities stay in the processor's cache. Five passes that each take the
largest logit away are less work than sorting hundreds of classes, and keep the order of equal ones. They are numpy's,
whose `argmax` of float32 uses the processor's vector instructions and takes an eighth of the time of torch's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from al_assets.checkpoints.heads import Head, as_float32

PIECE = 1_024
"""Frames at a time: with 300 classes 1.2 MB of logits, as much again of probabilities."""
TOP = 5


@dataclass(frozen=True)
class Ranked:
    """Of n frames: positions of the likeliest classes in the head and their probabilities, (n, min(k, 5)), likeliest
    first, equal ones in the head's order; margin and entropy as `uncertainty.py` defines them, (n,); and of
    multi-label heads the classes at or over their thresholds, row by row, most confident first."""

    classes: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]
    present_rows: npt.NDArray[np.int64]
    present_classes: npt.NDArray[np.int64]
    present_probabilities: npt.NDArray[np.float32]


def rank(head: Head, vectors: npt.NDArray[np.floating]) -> Ranked | None:
    """What a head makes of vectors (n, d), float16 or float32; None where a logit is NaN or infinite.

    Equal to sorting `head.logits` and to `uncertainty.margin` and `entropy_uncertainty` of `head.probabilities`, up to
    the rounding of float32: the entropy is -log p_1 + sum_c p_c (z_1 - z_c) of logits z, a sum without cancellation.
    """
    weight, bias = (torch.from_numpy(array) for array in head.folded())
    n, width = len(vectors), min(TOP, len(head.class_ids))
    top, ranked = torch.empty((n, width), dtype=torch.int64), torch.empty((n, width))
    margin, entropy = torch.empty(n), torch.empty(n)
    thresholds = torch.from_numpy(np.ascontiguousarray(head.thresholds))
    present: list[tuple[Any, Any, Any]] = []
    with torch.inference_mode():
        for start in range(0, n, PIECE):
            piece = slice(start, start + PIECE)
            logits = torch.addmm(bias, as_float32(vectors[piece]), weight.T)
            if head.task == "single_label":
                p, entropy[piece] = _single_label(logits)
            else:
                p, entropy[piece], margin[piece] = _multi_label(logits)
                present.append(_present(logits, p, thresholds, start))
            _likeliest(logits, top[piece])
            torch.gather(p, 1, top[piece], out=ranked[piece])
        if not bool(torch.isfinite(entropy).all()):
            return None
        if head.task == "single_label":
            margin = ranked[:, 0] - ranked[:, 1] if width > 1 else ranked[:, 0]
    rows, classes, probabilities = (
        np.concatenate(parts) for parts in zip(*present or [_NOTHING], strict=True)
    )
    return Ranked(top.numpy(), ranked.numpy(), margin.numpy(), entropy.numpy(), rows, classes, probabilities)


_NOTHING = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def _single_label(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities, and entropy in nats."""
    p = torch.softmax(logits, dim=1)
    behind = logits.amax(dim=1, keepdim=True) - logits
    first = p.amax(dim=1).clamp_(max=1.0)
    return p, behind.mul_(p).sum(dim=1).sub_(first.log_()).clamp_(min=0.0)


def _multi_label(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Probabilities, the sum of the binary entropies in nats, and the margin of the class nearest to a coin toss."""
    p = torch.sigmoid(logits)
    far = logits.abs()
    rest = torch.exp(-far)
    entropy = torch.log1p(rest).add_(far.mul_(rest.div(1 + rest))).sum(dim=1)
    return p, entropy, (2 * p - 1).abs_().amin(dim=1)


def _present(
    logits: torch.Tensor, p: torch.Tensor, thresholds: torch.Tensor, start: int
) -> tuple[Any, Any, Any]:
    """(rows, classes, probabilities) of classes at or over their thresholds, most confident first by logit: far out,
    probabilities round to 1 and would tie."""
    rows, classes = torch.nonzero(p >= thresholds, as_tuple=True)
    order = np.lexsort((-logits[rows, classes].numpy(), rows.numpy()))
    return start + rows.numpy()[order], classes.numpy()[order], p[rows, classes].numpy()[order]


def _likeliest(logits: torch.Tensor, out: torch.Tensor) -> None:
    """Columns of the largest logits into out (n, width), largest first, the first of equal ones. Eats the logits."""
    left, rows, found = logits.numpy(), np.arange(len(logits)), out.numpy()
    for place in range(out.shape[1]):
        largest = left.argmax(axis=1)
        found[:, place] = largest
        left[rows, largest] = -np.inf

"""How unsure a model is of each frame, from its probabilities. No model, no selection.

Both tasks are read the same way: what is uncertain is the frame's whole answer. In multi-label that is a set
of classes, each present or not, independently of the others given the frame.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task

Floats = npt.NDArray[np.floating]


def least_confidence(probabilities: Floats, task: Task) -> npt.NDArray[np.float32]:
    """1 - probability of the likeliest answer, (n,) in [0, 1] (Lewis and Gale 1994).

    single-label: 1 - max_c p_c. multi-label: 1 - prod_c max(p_c, 1 - p_c), the likeliest set of classes.
    probabilities: (n, k >= 1). Raises ValueError for other shapes and for values that are not in [0, 1].
    """
    p = _checked(probabilities)
    if task == "single_label":
        return _float32(1 - p.max(axis=1))
    # A product of a thousand classes keeps its digits as a sum of logarithms.
    return _float32(-np.expm1(np.log(np.maximum(p, 1 - p)).sum(axis=1)))


def margin(probabilities: Floats, task: Task) -> npt.NDArray[np.float32]:
    """Distance to the nearest other answer, (n,) in [0, 1]; small is uncertain. This is the stored `margin`.

    single-label: p_1 - p_2 of the two likeliest classes (Scheffer et al. 2001), p_1 if there is one class
    only. multi-label: min_c |2 p_c - 1|, the class nearest to a coin toss.
    """
    p = _checked(probabilities)
    if task == "multi_label":
        return _float32(np.abs(2 * p - 1).min(axis=1))
    if p.shape[1] == 1:
        return _float32(p[:, 0])
    top2 = np.partition(p, -2, axis=1)[:, -2:]
    return _float32(top2[:, 1] - top2[:, 0])


def margin_uncertainty(probabilities: Floats, task: Task) -> npt.NDArray[np.float32]:
    """1 - margin, (n,) in [0, 1]; 1 is a tie."""
    return 1 - margin(probabilities, task)


def entropy_uncertainty(probabilities: Floats, task: Task) -> npt.NDArray[np.float32]:
    """Entropy of the answer in nats, (n,) >= 0, with 0 log 0 = 0 (Shannon 1948).

    single-label: -sum_c p_c log p_c, at most log k. multi-label: sum_c of the binary entropies, at most k log
    2.
    """
    p = _checked(probabilities)
    total = _p_log_p(p).sum(axis=1)
    if task == "multi_label":
        total = total + _p_log_p(1 - p).sum(axis=1)
    return _float32(np.maximum(-total, 0))


def _p_log_p(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return p * np.log(np.where(p > 0, p, 1.0))


def _checked(probabilities: Floats) -> npt.NDArray[np.float64]:
    if probabilities.ndim != 2 or probabilities.shape[1] < 1:
        raise ValueError(f"expected (frames, classes >= 1), got {probabilities.shape}")
    p = probabilities.astype(np.float64)
    wrong = ~((p >= 0) & (p <= 1 + 1e-6)).all(axis=1)
    if wrong.any():
        raise ValueError(f"probabilities outside [0, 1] or NaN, first in row {int(wrong.argmax())}")
    return np.minimum(p, 1.0)


def _float32(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return values.astype(np.float32)

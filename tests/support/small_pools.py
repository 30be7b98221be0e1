"""Small pools for tests of strategies, with all that any strategy needs. No assertion belongs here."""

from __future__ import annotations

from typing import Any

import numpy as np

from al_assets.keys import Task
from al_assets.selection.pool import Linear, Pool

FIRST = 16777216


def small_pool(n: int = 40, *, seed: int = 0, classes: int = 4, task: Task, **parts: Any) -> Pool:
    """n frames of 6 values, probabilities without ties, a committee of five, a dozen labels; parts replace these."""
    rng = np.random.default_rng(seed)
    if task == "single_label":
        chances = rng.dirichlet(np.full(classes, 0.7), (6, n))
    else:
        chances = rng.beta(0.6, 0.9, (6, n, classes))
    defaults: dict[str, Any] = {
        "frame_ids": FIRST + rng.permutation(3 * n)[:n].astype(np.int64),
        "embeddings": rng.normal(0.3, 1, (n, 6)).astype(np.float32),
        "probabilities": chances[0].astype(np.float32),
        "committee": chances[1:].astype(np.float32),
        "linear": Linear(
            rng.normal(size=(classes, 6)).astype(np.float32), rng.normal(size=classes).astype(np.float32)
        ),
        "labelled_embeddings": rng.normal(0.3, 1, (12, 6)).astype(np.float32),
        "labelled_targets": rng.integers(0, 2, (12, classes)).astype(np.int8),
    }
    return Pool(task=task, **(defaults | parts))

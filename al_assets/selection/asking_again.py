"""Which judged frames a batch asks about again: divided ones, labels that look wrong, classes that were split.

Where nobody disagrees and nothing looks wrong, a person is not asked twice: without a second annotator the scores
cannot tell a poor model from a poor label. Not here: the scores themselves (review/second_opinions.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from al_assets.keys import Task
from al_assets.review.second_opinions import Trust, score_pool, worth_asking_again
from al_assets.selection.pool import Floats, Ints

COLUMNS = ("frame_id", "score", "annotators", "looks_wrong", "probability", "split_class")


@dataclass(frozen=True)
class Again:
    """Judged frames to ask about again, the most urgent first; all (n,)."""

    frame_ids: Ints
    scores: npt.NDArray[np.float64]
    reasons: list[str]
    urgent: int = 0
    """So many of the first carry no label until someone answers: they are not held to the share of a batch."""

    @classmethod
    def none(cls) -> Again:
        """No frame."""
        return cls(np.empty(0, np.int64), np.empty(0), [])

    def first(self, size: int) -> Again:
        """The most urgent ones."""
        return Again(self.frame_ids[:size], self.scores[:size], self.reasons[:size], min(self.urgent, size))


def choose_again(
    candidates: pd.DataFrame, probabilities: Floats | None, weights: Trust, *, task: Task, size: int
) -> Again:
    """Frames that a batch of `size` would rather ask about again than about an open one.

    candidates: COLUMNS, one row a frame; score: ActiveLab's, NaN where no model can say; looks_wrong: name of the
    class whose label does, with the probability that the class is there, or None; split_class: name of the class that
    it still carries though it was split, or None. probabilities: (n, k) of the model on the open frames, None
    without a model. Frames of split classes come first: they carry no label until someone says which.
    """
    split = candidates["split_class"].notna().to_numpy()
    scores = np.where(split, np.nan, candidates["score"].to_numpy(dtype=np.float64))
    rivals = np.empty(0) if probabilities is None else score_pool(probabilities, weights, task)
    first = np.flatnonzero(split)[np.argsort(candidates["frame_id"].to_numpy()[split], kind="stable")]
    rest = worth_asking_again(scores, rivals, max(0, size - len(first)))
    chosen = np.concatenate([first, rest])
    rows = candidates.iloc[chosen]
    return Again(
        rows["frame_id"].to_numpy(dtype=np.int64),
        rows["score"].to_numpy(dtype=np.float64),
        [_reason(**{str(key): value for key, value in row.items()}) for row in rows.to_dict("records")],
        urgent=len(first),
    )


def _reason(
    *,
    frame_id: int,
    score: float,
    annotators: int,
    looks_wrong: object,
    probability: float,
    split_class: object,
) -> str:
    if isinstance(split_class, str):
        return f"second opinion: its class {split_class} was split"
    told = f"ActiveLab score {score:.3f}"
    if isinstance(looks_wrong, str):
        return f"second opinion: a model of other clips gives {looks_wrong} {probability:.2f}; {told}"
    return f"second opinion: {annotators} annotators are divided; {told}"

"""What is measured of a video for drift: light, sharpness, distance to known videos, and the model's answers.

Arrays in, p-values out. Not here: which videos are compared, over how many the p-values are adjusted, or what drift
leads to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.drift.calibration import Calibration

Floats = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.int64]

FLOORS = {
    "brightness": 0.1,
    "sharpness": 0.15,
    "embedding_distance": 0.1,
    "confidence": 0.15,
    "margin": 0.15,
    "class_mix": 0.03,
}
"""Spreads are not taken for smaller than this: five alike videos would make everything else look odd."""
TWO_SIDED = frozenset({"brightness", "sharpness", "confidence", "margin"})
PRIOR_FRAMES = 5.0
"""Frames of the reference's mix that a video's own is mixed with: that of a short video would be odd by chance."""
DARKEST = 1e-3
PIECE = 1_024
"""Vectors at a time, so that their float32 stay in the processor's cache."""


@dataclass(frozen=True)
class VideoSummary:
    """A video in a few numbers: median log brightness, median log sharpness, mean direction of its vectors (d,)."""

    video_id: str
    frames: int
    brightness: float
    sharpness: float
    direction: npt.NDArray[np.float32]


@dataclass(frozen=True)
class VideoScores:
    """A model's answers on a video: mean confidence and margin in [0, 1], frames by likeliest class."""

    video_id: str
    frames: int
    confidence: float
    margin: float
    class_frames: Mapping[int, int]


@dataclass(frozen=True)
class Space:
    """Directions of videos, each dimension in their standard deviations: mean, spread (d,), unit rows (n, d)."""

    mean: Floats
    spread: Floats
    rows: Floats

    @classmethod
    def of(cls, directions: Floats) -> Space:
        """From mean directions (n, d)."""
        mean, spread = directions.mean(axis=0), directions.std(axis=0) + 1e-4
        rows = (directions - mean) / spread
        return cls(mean, spread, rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))

    def distance(self, direction: Floats) -> float:
        """Log of the cosine distance to the nearest of them.

        The nearest and not the mean of three: a camera that the reference shows once is known. Of 70 rendered clips of
        cameras never seen the nearest tells 70 % at a p-value of 0.005 and the mean of three 4 %, without nights;
        with nights in it neither tells a single one reliably, and the window does.
        """
        own = (direction - self.mean) / self.spread
        likeness = self.rows @ (own / max(float(np.linalg.norm(own)), 1e-12))
        return float(np.log(max(1e-3, 1.0 - float(likeness.max()))))


@dataclass(frozen=True)
class Looks:
    """Pictures of videos to compare with: their directions (n, d), and light, sharpness and distance of each."""

    video_ids: tuple[str, ...]
    directions: npt.NDArray[np.float32]
    space: Space
    values: dict[str, Floats]


@dataclass(frozen=True)
class Answers:
    """A model's answers on videos that it did not learn from: class shares (n, k), and the statistics of each.

    On those that it did learn from it is too sure, and to be less sure of a new one would be no news.
    """

    video_ids: tuple[str, ...]
    class_ids: tuple[int, ...]
    shares: Floats
    values: dict[str, Floats]


@dataclass(frozen=True)
class Reference:
    """What videos are compared with; each reference value is that of a video against the others."""

    looks: Looks
    answers: Answers | None
    calibrations: dict[str, Calibration]


@dataclass(frozen=True)
class DriftStatistic:
    """One statistic of one video: its value, the reference's median, how far out it is drift if alone, its p-value."""

    statistic: str
    value: float
    reference: float
    threshold: float
    p_value: float


def summarise(video_id: str, brightness: Floats, sharpness: Floats, vectors: Floats) -> VideoSummary:
    """A video's summary from its frames: brightness (n,) in [0, 1], sharpness (n,), vectors (m, d), n and m >= 1."""
    if not len(brightness) or not len(vectors):
        raise ValueError(f"{video_id} has no frame to summarise")
    from al_assets.checkpoints.heads import as_float32  # loads torch, which the code server must not

    mean = np.zeros(vectors.shape[1])
    for start in range(0, len(vectors), PIECE):
        rows = as_float32(vectors[start : start + PIECE]).numpy()
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        mean += (1 / np.maximum(lengths, 1e-12)) @ rows / len(vectors)
    return VideoSummary(
        video_id,
        len(brightness),
        float(np.median(np.log(np.maximum(brightness, DARKEST)))),
        float(np.median(np.log(np.maximum(sharpness, DARKEST)))),
        np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32),
    )


def reference(
    summaries: Sequence[VideoSummary], scored: Sequence[VideoScores] = (), *, fewest: int = 2
) -> Reference:
    """What the videos that a model learned from look like, and what it makes of others of their time.

    Raises ValueError for fewer than `fewest` summaries; fewer scored videos are left out.
    """
    if len(summaries) < fewest:
        raise ValueError(f"{len(summaries)} videos are too few for a reference; {fewest} are needed")
    looks = _looks(summaries)
    answers = _answers(scored) if len(scored) >= fewest else None
    values = looks.values | (answers.values if answers else {})
    return Reference(looks, answers, {name: _calibration(name, known) for name, known in values.items()})


def drift(
    summary: VideoSummary, scores: VideoScores | None, against: Reference, level: float = 0.05
) -> list[DriftStatistic]:
    """The video's statistics with their p-values; the model's answers only where there are some on both sides.

    A video of the reference is compared with the others of it. level: the bound on the p-value of a video that is
    compared alone, which `threshold` is the distance for, in the unit of the value (log of brightness, sharpness and
    standardised cosine distance; log odds of confidence and margin; Jensen-Shannon distance of the class mix).
    """
    others = _others(against.looks.video_ids, summary.video_id)
    values = {
        "brightness": summary.brightness,
        "sharpness": summary.sharpness,
        "embedding_distance": _space(against.looks, others).distance(summary.direction),
    }
    groups = {name: (against.looks.values[name], others) for name in values}
    if scores is not None and scores.frames and against.answers is not None:
        others = _others(against.answers.video_ids, scores.video_id)
        own = _answer(scores, against.answers.class_ids, against.answers.shares[others].mean(axis=0))
        groups |= {name: (against.answers.values[name], others) for name in own}
        values |= own
    found = []
    for name, value in values.items():
        known, kept = groups[name]
        whole = isinstance(kept, slice)
        by = against.calibrations[name] if whole else _calibration(name, known[kept])
        reach = by.bound(level / len(values))
        found.append(DriftStatistic(name, float(value), by.centre, reach, by.p_value(float(value))))
    return found


def _looks(summaries: Sequence[VideoSummary]) -> Looks:
    directions = np.stack([summary.direction for summary in summaries])
    apart = [
        Space.of(np.delete(directions, place, axis=0)).distance(row) for place, row in enumerate(directions)
    ]
    values: dict[str, Floats] = {
        "brightness": np.array([summary.brightness for summary in summaries]),
        "sharpness": np.array([summary.sharpness for summary in summaries]),
        "embedding_distance": np.array(apart),
    }
    ids = tuple(summary.video_id for summary in summaries)
    return Looks(ids, directions, Space.of(directions), values)


def _space(looks: Looks, kept: slice | Numbers) -> Space:
    return looks.space if isinstance(kept, slice) else Space.of(looks.directions[kept])


def _answers(scored: Sequence[VideoScores]) -> Answers:
    class_ids = tuple(sorted({class_id for scores in scored for class_id in scores.class_frames}))
    counts = np.array([[s.class_frames.get(c, 0) for c in class_ids] for s in scored], dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    total = shares.sum(axis=0)
    rows = [
        _answer(scores, class_ids, (total - own) / (len(scored) - 1))
        for scores, own in zip(scored, shares, strict=True)
    ]
    values: dict[str, Floats] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Answers(tuple(scores.video_id for scores in scored), class_ids, shares, values)


def _answer(scores: VideoScores, class_ids: Sequence[int], mix: Floats) -> dict[str, float]:
    """Statistics of one video's answers against the mix (k,) of others; a class that they lack has no share there."""
    strange = sorted(set(scores.class_frames) - set(class_ids))
    expected = np.concatenate([mix, np.zeros(len(strange))])
    counts = np.array([scores.class_frames.get(c, 0) for c in (*class_ids, *strange)], dtype=np.float64)
    own = counts + PRIOR_FRAMES * expected
    return {
        "confidence": _log_odds(scores.confidence),
        "margin": _log_odds(scores.margin),
        "class_mix": jensen_shannon(own / max(own.sum(), 1e-12), expected),
    }


def _calibration(name: str, known: Floats) -> Calibration:
    return Calibration.of(known, FLOORS[name], two_sided=name in TWO_SIDED)


def _others(video_ids: Sequence[str], own: str) -> slice | Numbers:
    """Places of the videos but one's own; all of them as a slice, which copies nothing."""
    if own not in video_ids:
        return slice(None)
    return np.flatnonzero(np.array(video_ids) != own)


def jensen_shannon(one: Floats, other: Floats) -> float:
    """Jensen-Shannon distance of two distributions (k,), in [0, 1] (Endres and Schindelin 2003)."""
    middle = (one + other) / 2
    found = 0.0
    for part in (one, other):
        held = part > 0
        found += float((part[held] * np.log2(part[held] / middle[held])).sum()) / 2
    return float(np.sqrt(max(found, 0.0)))


def _log_odds(share: float) -> float:
    kept = min(max(share, 1e-4), 1 - 1e-4)
    return float(np.log(kept / (1 - kept)))

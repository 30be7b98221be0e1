"""A cheap statistic of drift: one video against the videos a model learned from. Arrays in, verdicts out.

Robust throughout (medians and median absolute deviations): a few odd videos among the reference must not widen the
spread until nothing is odd any more. Not here: which videos are compared, or what drift leads to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

BOUND = 4.0
"""Robust standard deviations from the reference's median beyond which a video counts as adrift.

Set on two rendered archives of other seeds and other backgrounds ("coast", seeds 7 and 8) than the demo's, with
references of 6 to 18 videos, up to two of them dark: ordinary clips reached 3.2 in light, 2.4 in sharpness and, 99 of
100 times, 3.6 in distance (4.9 from a reference of six); dark clips began at 4.6 in light. Then frozen, and tried on
the demo archive.
"""
SMALLEST_SPREAD = {"brightness": 0.1, "sharpness": 0.15, "embedding_distance": 0.03}
"""Spreads are not taken for smaller than this: five alike videos would make everything else look odd."""
NEIGHBOURS = 3
MAD_TO_DEVIATION = 1.4826
"""Turns a median absolute deviation into a standard deviation of a normal distribution (Hampel 1974)."""
DARKEST = 1e-3


@dataclass(frozen=True)
class VideoSummary:
    """A video in a few numbers: median log brightness, median log sharpness, mean direction of its vectors (d,)."""

    video_id: str
    frames: int
    brightness: float
    sharpness: float
    direction: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Reference:
    """Videos to compare with: their directions (n, d), and median and spread of each statistic over them."""

    video_ids: tuple[str, ...]
    directions: npt.NDArray[np.float32]
    centre: dict[str, float]
    spread: dict[str, float]


@dataclass(frozen=True)
class DriftStatistic:
    """One statistic of one video: its value, the reference's median, and how far from it counts as drift."""

    statistic: str
    value: float
    reference: float
    threshold: float
    drifted: bool


def summarise(video_id: str, brightness: Floats, sharpness: Floats, vectors: Floats) -> VideoSummary:
    """A video's summary from its frames: brightness (n,) in [0, 1], sharpness (n,), vectors (m, d), n and m >= 1."""
    if not len(brightness) or not len(vectors):
        raise ValueError(f"{video_id} has no frame to summarise")
    rows = vectors.astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return VideoSummary(
        video_id,
        len(brightness),
        float(np.median(np.log(np.maximum(brightness, DARKEST)))),
        float(np.median(np.log(np.maximum(sharpness, DARKEST)))),
        _unit(rows.mean(axis=0)),
    )


def reference(summaries: Sequence[VideoSummary]) -> Reference:
    """What the videos that a model learned from look like. Raises ValueError for fewer than NEIGHBOURS + 1."""
    if len(summaries) <= NEIGHBOURS:
        raise ValueError(f"{len(summaries)} videos are too few for a reference; {NEIGHBOURS + 1} are needed")
    ids = tuple(summary.video_id for summary in summaries)
    directions = np.stack([summary.direction for summary in summaries])
    values = {
        "brightness": np.array([summary.brightness for summary in summaries]),
        "sharpness": np.array([summary.sharpness for summary in summaries]),
        "embedding_distance": np.array([_distance(s, ids, directions) for s in summaries]),
    }
    centre = {name: float(np.median(column)) for name, column in values.items()}
    spread = {
        name: max(SMALLEST_SPREAD[name], MAD_TO_DEVIATION * float(np.median(np.abs(column - centre[name]))))
        for name, column in values.items()
    }
    return Reference(ids, directions, centre, spread)


def drift(summary: VideoSummary, against: Reference) -> list[DriftStatistic]:
    """The video's statistics: light and sharpness to both sides, distance to its nearest reference videos to one.

    A video of the reference is compared with the others of it. Thresholds are BOUND spreads from the median, in
    the unit of the value (log for brightness and sharpness, cosine distance for vectors).
    """
    values = {
        "brightness": summary.brightness,
        "sharpness": summary.sharpness,
        "embedding_distance": _distance(summary, against.video_ids, against.directions),
    }
    found = []
    for name, value in values.items():
        reach = BOUND * against.spread[name]
        away = value - against.centre[name]
        drifted = away > reach if name == "embedding_distance" else abs(away) > reach
        found.append(DriftStatistic(name, value, against.centre[name], reach, bool(drifted)))
    return found


def _distance(summary: VideoSummary, ids: Sequence[str], directions: Floats) -> float:
    """Mean cosine distance to the NEIGHBOURS nearest reference videos, itself left out."""
    others = np.array([video_id != summary.video_id for video_id in ids])
    distances = 1.0 - directions[others] @ summary.direction
    return float(np.sort(distances)[:NEIGHBOURS].mean())


def _unit(vector: Floats) -> npt.NDArray[np.float32]:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)

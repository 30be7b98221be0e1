"""The dimensions by which an archive is sliced, from site to class, and what a slice is called.

Arithmetic and names only. What a model is worth on a slice is `checkpoints/slices.py`, places for one in a batch
`selection/quotas.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DIMENSIONS = ("site", "camera", "season", "hour", "light", "class")
SEASONS = ("December to February", "March to May", "June to August", "September to November")
"""By month, since a table of sites does not tell the hemisphere."""
HOURS = tuple(f"{start:02}:00 to {start + 3:02}:00" for start in range(0, 24, 3))
"""Of the time that is stored, which is UTC."""
LIGHTS = ("dark", "medium", "bright")
DARK, BRIGHT = 0.25, 0.5
"""Mean luminance below which a frame is dark and from which it is bright. Fixed, so that a slice of one checkpoint is
the slice of the next."""
KNOWN: Mapping[str, tuple[str, ...]] = {"season": SEASONS, "hour": HOURS, "light": LIGHTS}
"""Dimensions whose slices are known before any video is."""

Names = npt.NDArray[np.object_]


@dataclass(frozen=True, kw_only=True)
class FrameFacts:
    """What frames (n,) are sliced by: site and camera as text or None, recorded_at as datetime64 (NaT where not
    known), pts_ms from the start of the video, brightness in [0, 1]."""

    site: Names
    camera: Names
    recorded_at: npt.NDArray[np.datetime64]
    pts_ms: npt.NDArray[np.int64]
    brightness: npt.NDArray[np.float64]


def slice_names(facts: FrameFacts) -> dict[str, Names]:
    """Dimension -> (n,) slice of each frame, None where it is not known; all dimensions but class.

    A frame of 05:59:59 and 2,000 ms is of "06:00 to 09:00".
    """
    moments = facts.recorded_at.astype("datetime64[ms]") + facts.pts_ms.astype("timedelta64[ms]")
    known = ~np.isnat(moments)
    moments = np.where(known, moments, np.datetime64(0, "ms"))
    months = moments.astype("datetime64[M]").astype(np.int64) % 12
    hours = (moments - moments.astype("datetime64[D]")) // np.timedelta64(3, "h")
    lights = np.digitize(facts.brightness, (DARK, BRIGHT))
    return {
        "site": facts.site,
        "camera": facts.camera,
        "season": _picked(SEASONS, (months + 1) % 12 // 3, known),
        "hour": _picked(HOURS, hours.astype(np.int64), known),
        "light": _picked(LIGHTS, lights, np.ones(len(lights), dtype=bool)),
    }


def _picked(names: tuple[str, ...], which: npt.NDArray[np.integer], known: npt.NDArray[np.bool_]) -> Names:
    picked: Names = np.array(names, dtype=object)[which]
    picked[~known] = None
    return picked


def slice_of(text: str) -> tuple[str, str]:
    """Dimension and slice of "dimension:slice", as settings name one. Raises ValueError, saying what is allowed."""
    dimension, separator, name = text.partition(":")
    dimension, name = dimension.strip(), name.strip()
    if not separator or not name:
        raise ValueError(f'"{text}" names no slice; write "dimension:name", e.g. "site:north"')
    if dimension not in DIMENSIONS:
        raise ValueError(f'"{dimension}" is no dimension; choose one of {", ".join(DIMENSIONS)}')
    if dimension in KNOWN and name not in KNOWN[dimension]:
        raise ValueError(f'"{name}" is no {dimension}; choose one of {", ".join(KNOWN[dimension])}')
    return dimension, name

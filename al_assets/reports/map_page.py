"""The map of the archive as one HTML page that works offline: values in, text out. No file is read but its own parts.

Numbers are packed as typed arrays in base64, so that hundreds of thousands of points open in a second. The page may run
its own script and nothing else, whatever a class is called: a policy in its head names the script by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from al_assets.reports.plots import COLOURS

PAGE_POINTS = 200_000
"""Points on the page at most: some 6 MB, and a drawing that keeps up with the mouse."""
NOBODY, NO_CLASS = 65_534, 65_535
"""Classes of frames that show nobody by people's word, and of frames that no model has seen."""
COLOURED = len(COLOURS)
LABELLED, STILL = 1, 2
LEVELS = 65_535
MOST_PICTURES = 20_000
_HERE = Path(__file__).parent


@dataclass(frozen=True, eq=False)
class MapPoints:
    """The frames on the map, one row each; all arrays are (n,) unless said otherwise.

    xy: (n, 2). class_no: place in the list of class names, NOBODY or NO_CLASS. confidence: in [0, 1], NaN where there
    is none. labelled, still: bool. video: place in the list of videos. frame_index, pts_ms: of the frame.
    """

    xy: np.ndarray
    class_no: np.ndarray
    confidence: np.ndarray
    labelled: np.ndarray
    still: np.ndarray
    video: np.ndarray
    frame_index: np.ndarray
    pts_ms: np.ndarray

    def __len__(self) -> int:
        """Number of points."""
        return len(self.xy)

    def rows(self, which: np.ndarray) -> MapPoints:
        """Some of the points, by their places."""
        return MapPoints(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


@dataclass(frozen=True)
class MapVideo:
    """A video on the map. path: under videos/ in storage; kind: video or images."""

    video_id: str
    video_no: int
    path: str
    kind: str


@dataclass(frozen=True)
class Thumbnails:
    """Small pictures in one JPEG, row by row: cell is (width, height) of each, points the places they belong to."""

    sheet: bytes = b""
    cell: tuple[int, int] = (96, 72)
    columns: int = 1
    points: tuple[int, ...] = ()


def map_page(
    points: MapPoints,
    classes: Sequence[str],
    videos: Sequence[MapVideo],
    *,
    summary: str,
    has_model: bool,
    unsure_below: float,
    thumbnails: Thumbnails | None = None,
    pictures: Mapping[int, str] | None = None,
) -> str:
    """The page. Beyond PAGE_POINTS it shows an even sample, judged frames always among it, and says so.

    pictures: place of a point -> path under the storage root of its file, for stills of folders. The page lies in
    reports/ and finds stills and videos beside that folder.
    """
    thumbnails, pictures = thumbnails or Thumbnails(), dict(pictures or {})
    which = page_sample(points.labelled)
    if len(which) < len(points):
        summary += (
            f" The page shows {len(which):,} of the {len(points):,} points; the view embedding_map has all."
        )
        place = {int(old): new for new, old in enumerate(which)}
        pictures = {place[old]: path for old, path in pictures.items() if old in place}
        thumbnails = _without_missing(thumbnails, place)
        points = points.rows(which)
    points, names = by_count(points, classes, unsure_below)
    data = {
        **_packed(points),
        "classes": names,
        "videos": [[video.video_id, video.video_no, video.path, video.kind] for video in videos],
        "colours": COLOURS,
        "unsure": round(unsure_below * 255),
        "model": has_model,
        "thumbs": {
            "sheet": f"data:image/jpeg;base64,{base64.b64encode(thumbnails.sheet).decode()}",
            "cell": thumbnails.cell,
            "columns": thumbnails.columns,
            "points": thumbnails.points,
        },
        "pictures": sorted(pictures.items())[:MOST_PICTURES],
    }
    return _html(summary, data)


def page_sample(labelled: np.ndarray) -> np.ndarray:
    """Places of the points that the page shows, ascending: the judged ones, and of the others every so many-th."""
    if len(labelled) <= PAGE_POINTS:
        return np.arange(len(labelled))
    judged = np.flatnonzero(labelled)[:PAGE_POINTS]
    others = np.flatnonzero(~labelled)
    room = min(PAGE_POINTS - len(judged), len(others))
    taken = others[np.linspace(0, len(others) - 1, room).astype(np.int64)] if room else others[:0]
    return np.sort(np.concatenate([judged, np.unique(taken)]))


def by_count(points: MapPoints, classes: Sequence[str], unsure_below: float) -> tuple[MapPoints, list[str]]:
    """Classes in the order of how many points are coloured as theirs, as the page counts on; the rest come last."""
    known = points.class_no < NOBODY
    coloured = known & (points.labelled | (np.nan_to_num(points.confidence) >= unsure_below))
    counts = np.bincount(points.class_no[coloured].astype(np.int64), minlength=len(classes))
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(classes), dtype=np.int64)
    place[order] = np.arange(len(classes))
    renamed = points.class_no.astype(np.int64).copy()
    renamed[known] = place[renamed[known]]
    columns = {field.name: getattr(points, field.name) for field in fields(points)}
    return MapPoints(**{**columns, "class_no": renamed}), [classes[old] for old in order]


def _packed(points: MapPoints) -> dict[str, str]:
    """The arrays as the page reads them: little-endian, base64."""
    low = points.xy.min(axis=0) if len(points) else np.zeros(2)
    span = max(float((points.xy.max(axis=0) - low).max()), 1e-9) if len(points) else 1.0
    middle = low + (points.xy.max(axis=0) - low) / 2 if len(points) else low
    # One scale for both axes: the map must not be stretched.
    levels = np.round((points.xy - middle) / span * (LEVELS - 1) + LEVELS / 2).clip(0, LEVELS)
    confidence = np.nan_to_num(points.confidence.astype(np.float64)) * 255
    flags = LABELLED * points.labelled.astype(np.uint8) + STILL * points.still.astype(np.uint8)
    arrays = {
        "x": levels[:, 0].astype("<u2"),
        # Up is where y grows; on a canvas it grows downwards.
        "y": (LEVELS - levels[:, 1]).astype("<u2"),
        "class": points.class_no.astype("<u2"),
        "confidence": np.round(confidence).clip(0, 255).astype(np.uint8),
        "flags": flags.astype(np.uint8),
        "video": points.video.astype("<u4"),
        "index": points.frame_index.astype("<u4"),
        "time": points.pts_ms.clip(0, 2**32 - 1).astype("<u4"),
    }
    return {name: base64.b64encode(array.tobytes()).decode() for name, array in arrays.items()}


def _without_missing(thumbnails: Thumbnails, place: Mapping[int, int]) -> Thumbnails:
    """The sheet with its cells renumbered; a cell whose point is not shown belongs to no point."""
    points = tuple(place.get(old, -1) for old in thumbnails.points)
    return Thumbnails(thumbnails.sheet, thumbnails.cell, thumbnails.columns, points)


def _html(summary: str, data: Mapping[str, Any]) -> str:
    style, script = (_HERE / "map_page.css").read_text("utf-8"), (_HERE / "map_page.js").read_text("utf-8")
    allowed = {kind: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
               for kind, text in (("style", style), ("script", script))}  # fmt: skip
    policy = (
        f"default-src 'none'; script-src 'sha256-{allowed['script']}'; style-src 'sha256-{allowed['style']}'; "
        "img-src 'self' data: file:; base-uri 'none'; form-action 'none'"
    )
    # Whatever a class is called, it must not end the element that it stands in.
    packed = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    body = (_HERE / "map_page.html").read_text("utf-8").replace("{{summary}}", escape(summary))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Map of the archive</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>\n'
        f'<body>\n{body}<script type="application/json" id="map-data">{packed}</script>\n'
        f"<script>{script}</script>\n</body></html>\n"
    )

"""What the map's page shows of each frame: the rows of the view, which have stills, and small pictures of some.

Not here: the page itself (reports/map_page.py), or where points lie.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from al_assets.embeddings.assets import pixels_of
from al_assets.keys import frame_id, video_no_of
from al_assets.reports.map_page import NO_CLASS, NOBODY, MapPoints, MapVideo, Thumbnails, by_count, map_page
from al_assets.reports.map_svg import map_svg
from al_assets.reports.thumbnails import CELL, COLUMNS, contact_sheet, spread_over
from al_assets.settings import Settings
from resources.archive import Archive
from resources.pixels import STILLS, VIDEOS

STILL = re.compile(rf"{STILLS}/([^/]+)/(\d+)\.jpg")


def page_of(archive: Archive, settings: Settings) -> tuple[str, str, dict[str, Any]]:
    """The page of the newest map, a small picture of it (SVG), and what to say of it."""
    shown, newest = archive.maps.shown(), archive.maps.newest()
    serving = archive.models.serving()
    known = archive.videos.get(shown["video_id"].unique())
    places = {video.video_id: place for place, video in enumerate(known)}
    names = sorted(shown["class_name"].dropna().unique())
    keys = shown["frame_id"].to_numpy()
    images = archive.maps.image_paths(keys.tolist()) if any(v.kind == "images" for v in known) else {}
    points = MapPoints(
        xy=shown[["x", "y"]].to_numpy(np.float64),
        class_no=class_numbers(shown, names),
        confidence=shown["confidence"].to_numpy(np.float64),
        labelled=shown["labelled"].to_numpy() == 1,
        still=np.isin(keys, stills(archive, {v.video_id: v.video_no for v in known})),
        video=shown["video_id"].map(places).to_numpy(np.int64),
        frame_index=shown["frame_index"].to_numpy(np.int64),
        pts_ms=shown["pts_ms"].to_numpy(np.int64),
    )
    thumbnails = thumbnails_of(archive, settings, points, keys)
    summary = _summary(len(points), newest["of_frames"] if newest else 0, points.labelled.sum())
    text = map_page(
        points,
        names,
        [MapVideo(v.video_id, v.video_no, v.path, v.kind) for v in known],
        summary=summary,
        has_model=serving is not None,
        unsure_below=settings.map.unsure_below,
        thumbnails=thumbnails,
        pictures={
            place: f"{VIDEOS}/{images[int(key)]}" for place, key in enumerate(keys) if int(key) in images
        },
    )
    told: dict[str, Any] = {
        "points": len(points),
        "classes": len(names),
        "thumbnails": len(thumbnails.points),
    }
    unsure = settings.map.unsure_below
    ranked, _ = by_count(points, names, unsure)
    sure = ranked.labelled | (np.nan_to_num(ranked.confidence) >= unsure)
    svg = map_svg(points.xy, np.where(sure & (ranked.class_no < NOBODY), ranked.class_no, -1).tolist())
    return text, svg, {**told, "stills": int(points.still.sum())}


def class_numbers(shown: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Place of each row's class among the names; NOBODY where people saw nobody, NO_CLASS where no model looked."""
    number = {name: place for place, name in enumerate(names)}
    nothing = np.where(shown["labelled"] == 1, NOBODY, NO_CLASS)
    found = shown["class_name"].map(number).to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isnan(found), nothing, found).astype(np.int64)


def stills(archive: Archive, numbers: dict[str, int]) -> np.ndarray:
    """Frames of these videos that have a still in `stills/`: (n,) int64."""
    found = (STILL.fullmatch(file.path) for file in archive.storage.list(f"{STILLS}/"))
    keys = [frame_id(numbers[m[1]], int(m[2])) for m in found if m is not None and m[1] in numbers]
    return np.array(keys, dtype=np.int64)


def thumbnails_of(archive: Archive, settings: Settings, points: MapPoints, keys: np.ndarray) -> Thumbnails:
    """Small pictures of frames spread over the map, rather of those that have a still; unreadable ones are left out."""
    places = spread_over(points.xy, points.still | points.labelled, settings.map.thumbnails)
    pixels = pixels_of(archive)
    found: dict[int, np.ndarray] = {}
    for number in np.unique(video_no_of(keys[places])):
        wanted = [int(place) for place in places if video_no_of(int(keys[place])) == number]
        try:
            images = pixels.images([int(keys[place]) for place in wanted])
        except (LookupError, OSError):
            continue  # a video that is gone or damaged is said elsewhere; the map goes without its pictures
        found.update(zip(wanted, images, strict=True))
    ordered = sorted(found)
    return Thumbnails(contact_sheet([found[place] for place in ordered]), CELL, COLUMNS, tuple(ordered))


def _summary(points: int, frames: int, judged: int) -> str:
    share = "all" if points >= frames else "a sample, spread over videos and classes,"
    return (
        f"{points:,} frames, {share} of {frames:,}; {judged:,} of them judged by people. Frames that look alike lie "
        "together; distances over the whole map mean little."
    )

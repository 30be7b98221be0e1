"""Which videos of a backfill come first, as the owner says. Pure: a table of videos in, their ranks out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import fmean
from typing import Protocol

from al_assets.sensor_settings import Order


class Dated(Protocol):
    """A video with the time of its recording and its place."""

    @property
    def video_id(self) -> str:
        """The video."""

    @property
    def moment(self) -> datetime:
        """When it was recorded, else registered."""

    @property
    def site(self) -> str | None:
        """Its site, if known."""

    @property
    def camera(self) -> str | None:
        """Its camera, if known."""


def ranks(order: Order, videos: Sequence[Dated], drift: Mapping[str, float]) -> dict[str, int]:
    """Place of each video, 0 for the first; empty for `oldest`, which is the order of the keys themselves.

    videos: in order of registration. drift: share of its statistics by which a video drifts, where it was compared.
    By `most_drifted` a video that was not compared (one that is not ingested has nothing to compare) counts as the
    mean of its site, else of its camera; those of which nothing is known come last. Equals are newest first.
    """
    if order == "oldest":
        return {}
    expected = _expected(videos, drift) if order == "most_drifted" else {}
    numbered = sorted(
        range(len(videos)),
        key=lambda i: (expected.get(videos[i].video_id, -1.0), videos[i].moment, i),
        reverse=True,
    )
    return {videos[i].video_id: rank for rank, i in enumerate(numbered)}


def _expected(videos: Sequence[Dated], drift: Mapping[str, float]) -> dict[str, float]:
    """Drift of each video: its own, else its site's, else its camera's; without any it is left out."""
    by_site: dict[str | None, list[float]] = defaultdict(list)
    by_camera: dict[str | None, list[float]] = defaultdict(list)
    for video in videos:
        if video.video_id in drift:
            by_site[video.site].append(drift[video.video_id])
            by_camera[video.camera].append(drift[video.video_id])
    sites = {site: fmean(shares) for site, shares in by_site.items() if site is not None}
    cameras = {camera: fmean(shares) for camera, shares in by_camera.items() if camera is not None}
    found = {}
    for video in videos:
        share = drift.get(video.video_id, sites.get(video.site or "", cameras.get(video.camera or "")))
        if share is not None:
            found[video.video_id] = share
    return found

"""Which sampled frame is meant by a video's path or file name and a place in it: the nearest one. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.database import Database
from resources.queries.videos import LIVE
from resources.tables import frames, videos

ALONE = 12
"""How far from a video's only sampled frame a place may lie, frames or milliseconds."""


class Place(NamedTuple):
    """A place in a video: number of the frame in the source from 0, else milliseconds from the start."""

    video: str
    frame_index: int | None
    pts_ms: int | None


class Nearest(NamedTuple):
    """The sampled frame nearest to a place. offset_ms: from that frame to the place, milliseconds."""

    frame_id: int
    offset_ms: int


@dataclass(frozen=True)
class _Sampled:
    """Sampled frames of one video in order: (n,) keys, frame indices and times."""

    keys: np.ndarray
    indices: np.ndarray
    times: np.ndarray

    @cached_property
    def index_step(self) -> float:
        """Frames of the source from one sampled frame to the next."""
        return _step(self.indices)

    @cached_property
    def time_step(self) -> float:
        """Milliseconds from one sampled frame to the next."""
        return _step(self.times)

    def nearest(self, place: Place) -> Nearest | str:
        """The frame nearest to the place, at most half a sampling step away; else why not."""
        axis = self.times if place.frame_index is None else self.indices
        step = self.time_step if place.frame_index is None else self.index_step
        wanted = place.pts_ms if place.frame_index is None else place.frame_index
        assert wanted is not None
        at = int(np.searchsorted(axis, wanted))
        near = min((n for n in (at - 1, at) if 0 <= n < len(axis)), key=lambda n: abs(int(axis[n]) - wanted))
        if abs(int(axis[near]) - wanted) > step / 2:
            spelled = f"{wanted} ms" if place.frame_index is None else f"frame {wanted}"
            return (
                f"no sampled frame of {place.video!r} lies near {spelled}; its nearest is {int(axis[near])}"
            )
        return Nearest(int(self.keys[near]), self._offset(place, near, wanted))

    def _offset(self, place: Place, near: int, wanted: int) -> int:
        if place.frame_index is None:
            return wanted - int(self.times[near])
        # Between two frames whose numbers and times are known, time goes with the number.
        if len(self.indices) < 2 or self.indices[-1] == self.indices[0]:
            return 0
        pace = (self.times[-1] - self.times[0]) / (self.indices[-1] - self.indices[0])
        return round(float(pace) * (wanted - int(self.indices[near])))


def _step(axis: np.ndarray) -> float:
    return float(np.median(np.diff(axis))) if len(axis) > 1 else 2.0 * ALONE


def find_places(database: Database, places: Iterable[Place]) -> dict[Place, Nearest | str]:
    """The frame of each place, or a readable reason why there is none. One statement a video."""
    wanted = set(places)
    if not wanted:
        return {}
    with database.read() as connection:
        known = connection.execute(
            sa.select(videos.c.path, videos.c.video_no, videos.c.video_id).where(
                videos.c.kind == "video", videos.c.status.in_(LIVE)
            )
        ).all()
        register = _Register(known)
        numbers = {name: register.find(name) for name in {place.video for place in wanted}}
        sampled = {
            number: _sampled(connection, number)
            for number in set(numbers.values())
            if isinstance(number, int)
        }
    results: dict[Place, Nearest | str] = {}
    for place in wanted:
        number = numbers[place.video]
        if isinstance(number, str):
            results[place] = number
        elif not len(sampled[number].keys):
            results[place] = f"the video {place.video!r} has no sampled frame yet"
        else:
            results[place] = sampled[number].nearest(place)
    return results


class _Register:
    """Videos by path, and by what labelling tools keep of a path: its end, or the file's name."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._by_path: dict[str, int] = {}
        self._by_name: dict[str, list[tuple[str, int]]] = {}
        for path, number, video_id in rows:
            self._by_path[path] = number
            self._by_path.setdefault(video_id, number)
            self._by_name.setdefault(PurePosixPath(path).name, []).append((path, number))

    def find(self, name: str) -> int | str:
        """video_no of a path, or why there is none."""
        text = name.strip().replace("\\", "/").lstrip("/")
        if text in self._by_path:
            return self._by_path[text]
        named = self._by_name.get(PurePosixPath(text).name, [])
        # Tools put a mount point before a path, or cut off its beginning.
        ends = [(path, n) for path, n in named if text.endswith(f"/{path}") or path.endswith(f"/{text}")]
        chosen = ends or (named if "/" not in text else [])
        if len(chosen) == 1:
            return chosen[0][1]
        if chosen:
            return f"{len(chosen)} videos are named {PurePosixPath(text).name!r}; give the path under videos/"
        return f"no video {name!r} in the archive"


def _sampled(connection: sa.Connection, number: int) -> _Sampled:
    first, last = frame_range(number)
    query = sa.select(frames.c.frame_id, frames.c.frame_index, frames.c.pts_ms)
    rows = connection.execute(
        query.where(frames.c.frame_id.between(first, last)).order_by(frames.c.frame_id)
    ).all()
    columns = np.array([tuple(row) for row in rows], np.int64).reshape(-1, 3)
    return _Sampled(columns[:, 0], columns[:, 1], columns[:, 2])

"""The frames that a model doubts most, in the order of their margin. No strategy.

No index holds margins: they arrive in no order, so that each would be written to a page of its own, which took longer
than all the rest of a rescoring (sql/PHYSICAL_DESIGN.md). A bound that a sample of videos gives lets one pass over the
version find the few frames below it; which of those are open is decided beside the database.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO, frame_range
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.mining import Restriction
from resources.queries.open_frames import held
from resources.queries.videos import READABLE
from resources.tables import frame_scores, frames, video_coverage, videos

FIRST_PAGE, GROWTH = 200_000, 8
"""Frames of the first page at least, and how many times as many the next ones reach: each is a pass, so few is best."""
PICKS = 8
"""Frames of the first page for each one asked for: most lie too close to another, or in hold-out videos."""
SAMPLED_VIDEOS, SAMPLED_FRAMES = 64, 2_000
_MARGIN = sa.cast(frame_scores.c.margin, sa.Double)
# SQLite keeps a margin as it came, in eight bytes: read in four, it would not find its own row again.


@dataclass
class Apart:
    """Frames that lie far enough from those of their video that came before them."""

    gap_ms: int
    times: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def admits(self, frame_id: int, pts_ms: int) -> bool:
        """Whether it does; if so, it counts from now on."""
        if not self.gap_ms:
            return True
        times = self.times[frame_id // FRAMES_PER_VIDEO]
        at = bisect.bisect_left(times, pts_ms)
        if any(abs(pts_ms - other) < self.gap_ms for other in times[max(0, at - 1) : at + 1]):
            return False
        times.insert(at, pts_ms)
        return True


def least_certain(
    database: Database, checkpoint_id: str, limit: int, *, only: Restriction, minimum_gap_ms: int = 0
) -> np.ndarray:
    """Open training frames with the smallest margin, that first: (n <= limit,) int64.

    minimum_gap_ms: within a video, frames closer in time than this to one that came before are passed over.
    """
    clips = database.fetch(
        sa.select(sa.cast(videos.c.video_no, sa.BigInteger).label("video_no"))
        .where(
            videos.c.split == "train",
            videos.c.status.in_(READABLE),
            *Restriction(sites=only.sites).conditions(),
        )
        .order_by(videos.c.video_no)
    )["video_no"].to_numpy()
    known = held()
    taken = np.sort(database.fetch(sa.select(known.c.frame_id))["frame_id"].to_numpy())
    found: list[int] = []
    apart = Apart(minimum_gap_ms)
    for page in _pages(database, checkpoint_id, max(FIRST_PAGE, PICKS * limit)):
        keys = page[_among(page // FRAMES_PER_VIDEO, clips) & ~_among(page, taken)]
        for part in in_chunks(keys.tolist()):
            if len(found) >= limit:
                return np.array(found[:limit], dtype=np.int64)
            times = _times(database, part, only)
            found += [key for key in part if key in times and apart.admits(key, times[key])]
    return np.array(found[:limit], dtype=np.int64)


def band_query(checkpoint_id: str, low: float | None, high: float | None) -> sa.Select[tuple[int, float]]:
    """Frames with a margin from `low` on and below `high`; None is no bound. One pass over the version's key range."""
    query = sa.select(frame_scores.c.frame_id, _MARGIN.label("margin")).where(
        frame_scores.c.checkpoint_id == checkpoint_id
    )
    for bound, compared in ((low, _MARGIN.__ge__), (high, _MARGIN.__lt__)):
        if bound is not None:
            query = query.where(compared(sa.literal(bound, sa.Double)))
    return query


def _pages(database: Database, checkpoint_id: str, rows: int) -> Iterator[np.ndarray]:
    """All frames with a score, by rising margin and then by key, each once: about `rows` first, then more and more."""
    low = None
    for high in (*_bounds(database, checkpoint_id, rows), None):
        table = database.fetch(band_query(checkpoint_id, low, high))
        keys, margins = table["frame_id"].to_numpy(), table["margin"].to_numpy()
        yield keys[np.lexsort((keys, margins))]
        low = high


def _bounds(database: Database, checkpoint_id: str, rows: int) -> list[float]:
    """Margins, ascending, below which about `rows`, 8 and 64 times as many frames lie, as a sample of videos tells.

    None where the whole version is no more than one such page.
    """
    covered = (
        sa.select(sa.cast(videos.c.video_no, sa.BigInteger).label("video_no"), video_coverage.c.frames)
        .join(video_coverage, video_coverage.c.video_id == videos.c.video_id)
        .where(video_coverage.c.asset == "predictions", video_coverage.c.version == checkpoint_id)
        .order_by(videos.c.video_no)
    )
    known = database.fetch(covered)
    frames_in_all = int(known["frames"].to_numpy().sum())
    if frames_in_all <= rows:
        return []
    numbers = known["video_no"].to_numpy()
    drawn = numbers[np.unique(np.linspace(0, len(numbers) - 1, SAMPLED_VIDEOS).astype(int))]
    of_video = sa.select(_MARGIN.label("margin")).where(frame_scores.c.checkpoint_id == checkpoint_id)
    parts = [
        database.fetch(
            of_video.where(frame_scores.c.frame_id.between(*frame_range(int(number)))).limit(SAMPLED_FRAMES)
        )["margin"].to_numpy()
        for number in drawn
    ]
    shares = [share for share in (rows * GROWTH**n / frames_in_all for n in range(3)) if share < 1]
    found = np.concatenate(parts)
    return np.unique(np.quantile(found, shares)).tolist() if len(found) and shares else []


def _times(database: Database, keys: Sequence[int], only: Restriction) -> dict[int, int]:
    """Times of those of the frames that are no repeats and that the restriction lets pass."""
    query = (
        sa.select(frames.c.frame_id, frames.c.pts_ms)
        .join(videos, videos.c.video_id == frames.c.video_id)
        .where(frames.c.frame_id.in_(keys), frames.c.duplicate_of.is_(None), *only.conditions())
    )
    table = database.fetch(query)
    return dict(zip(table["frame_id"].to_pylist(), table["pts_ms"].to_pylist(), strict=True))


def _among(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Which of the values are in an ascending array: (n,) bool, without a copy of either."""
    if not len(ascending):
        return np.zeros(len(values), dtype=bool)
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[at] == values)

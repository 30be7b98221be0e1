"""The frames that a model doubts most, read from the index in the order of their margin. No strategy.

Which of them are open is decided beside the database, page by page: the index alone is read for frames that are
judged, in a batch or of a hold-out video, so that a hundred thousand of those in front cost next to nothing.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.mining import Restriction
from resources.queries.open_frames import held
from resources.queries.videos import READABLE
from resources.tables import frame_scores, frames, videos

FIRST_PAGE, LARGEST_PAGE = 2_000, 262_144
"""Rows of the index read at once; pages double, since one that held little foretells the next."""
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
    for page in _pages(database, checkpoint_id, max(FIRST_PAGE, 2 * limit)):
        keys = page[_among(page // FRAMES_PER_VIDEO, clips) & ~_among(page, taken)]
        for part in in_chunks(keys.tolist()):
            if len(found) >= limit:
                return np.array(found[:limit], dtype=np.int64)
            times = _times(database, part, only)
            found += [key for key in part if key in times and apart.admits(key, times[key])]
    return np.array(found[:limit], dtype=np.int64)


def page_query(checkpoint_id: str, rows: int, margin: float | None) -> sa.Select[tuple[int, float]]:
    """Rows from a margin on, or from the first. Reads ix_frame_scores_checkpoint_id_margin alone, in its order."""
    query = (
        sa.select(frame_scores.c.frame_id, _MARGIN.label("margin"))
        .where(frame_scores.c.checkpoint_id == checkpoint_id)
        .order_by(frame_scores.c.margin, frame_scores.c.frame_id)
        .limit(rows)
    )
    return query if margin is None else query.where(frame_scores.c.margin >= sa.literal(margin, sa.Double))


def _pages(database: Database, checkpoint_id: str, rows: int) -> Iterator[np.ndarray]:
    """All frames with a score, by rising margin, each once, some at a time."""
    margin, last = None, -1
    while True:
        table = database.fetch(page_query(checkpoint_id, rows, margin))
        keys, margins = table["frame_id"].to_numpy(), table["margin"].to_numpy()
        yield keys[(margins != margin) | (keys > last)]
        if len(keys) < rows:
            return
        # A page of one margin that ended where it began could not go on; a larger one gets past.
        margin, last = float(margins[-1]), int(keys[-1])
        ties = int((margins == margin).sum())
        rows = max(min(2 * rows, LARGEST_PAGE), 2 * ties)


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

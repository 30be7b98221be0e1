"""Leaves out picks that say little beyond what is picked, queued or labelled already, and says why.

Both time and similarity are needed: neighbours in a clip look alike, and so do visits days apart. Not here:
any preference between frames.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from al_assets.selection.pool import Floats, Ints, PoolError, unit_vectors

Rule = Literal["clip", "site", "gap", "cosine"]

BLOCK = 1024
RECORDED = 1_000
"""Preferences passed over that are kept one by one; `left_out` counts them all."""
ROUNDING = 1e-5
"""Cosines are computed in float32; a cap of 1 must still catch identical frames."""


@dataclass(frozen=True, kw_only=True)
class RedundancyRule:
    """What counts as redundant.

    minimum_gap_ms: within a clip, frames closer in time than this to a taken one (0: no rule). per_clip, per_site: most
    frames of one clip and of one site in one batch (None: no cap). cosine: cosine similarity at or above this to a
    taken frame, of any clip (None: no rule). collapse: whether neighbours in a clip that are so alike are one candidate
    before the choice (collapse.py); `admit` does not look at it.
    """

    minimum_gap_ms: int = 0
    per_clip: int | None = None
    per_site: int | None = None
    cosine: float | None = None
    collapse: bool = False

    def __post_init__(self) -> None:
        """Refuse values that would leave out everything or mean nothing."""
        if self.minimum_gap_ms < 0:
            raise ValueError(f"minimum_gap_ms {self.minimum_gap_ms} must be 0 or more")
        for name, cap in (("per_clip", self.per_clip), ("per_site", self.per_site)):
            if cap is not None and cap < 1:
                raise ValueError(f"{name} {cap} must be 1 or more, or None for no cap")
        if self.cosine is not None and not 0 < self.cosine <= 1:
            raise ValueError(f"cosine {self.cosine} must be in (0, 1], or None for no rule")
        if self.collapse and self.cosine is None:
            raise ValueError("collapse needs a cosine from which frames are alike")


NO_RULE = RedundancyRule()


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Frames with what the rule looks at: ids, clips and times (n,), embeddings (n, d)."""

    frame_ids: Ints
    video_no: Ints
    pts_ms: Ints
    embeddings: Floats

    def __post_init__(self) -> None:
        """Refuse arrays of different lengths."""
        lengths = {len(self.frame_ids), len(self.video_no), len(self.pts_ms), len(self.embeddings)}
        if len(lengths) != 1 or self.embeddings.ndim != 2:
            raise PoolError(f"frame_ids, video_no, pts_ms and embeddings differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frame_ids)

    def take(self, positions: npt.NDArray[np.intp]) -> Frames:
        """The frames at these positions."""
        return Frames(
            frame_ids=self.frame_ids[positions],
            video_no=self.video_no[positions],
            pts_ms=self.pts_ms[positions],
            embeddings=self.embeddings[positions],
        )

    def joined(self, other: Frames) -> Frames:
        """These frames and then the others; either may be empty, of whatever width."""
        if not len(self) or not len(other):
            return self if len(self) else other
        return Frames(
            frame_ids=np.concatenate([self.frame_ids, other.frame_ids]),
            video_no=np.concatenate([self.video_no, other.video_no]),
            pts_ms=np.concatenate([self.pts_ms, other.pts_ms]),
            embeddings=np.concatenate([self.embeddings, other.embeddings]),
        )


@dataclass(frozen=True)
class Refused:
    """A preference passed over: its position, its place in the order of preference from 1, the rule and why.

    admitted: how many had been admitted before it, which tells what it was compared with.
    """

    position: int
    place: int
    rule: Rule
    reason: str
    admitted: int


@dataclass(frozen=True)
class Admitted:
    """Positions that passed, each with a reason, and how many were passed over, by reason."""

    positions: npt.NDArray[np.intp]
    reasons: list[str]
    left_out: Mapping[str, int] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()


def admit(
    preferences: npt.NDArray[np.intp],
    candidates: Frames,
    taken: Frames,
    rule: RedundancyRule,
    budget: int,
    *,
    in_batch: Ints | None = None,
    sites: Mapping[int, str] | None = None,
) -> Admitted:
    """The first `budget` preferences that are not redundant with what is taken or admitted before them.

    preferences: positions in candidates, best first. taken: frames picked, queued or labelled earlier.
    in_batch: video_no of frames that the batch holds already; per_clip and per_site count those and what is
    admitted here, not earlier batches, or a long-lived clip would close for ever. sites: of clips, by video_no;
    clips of unknown site have no site's cap. Never relaxes the rule: fewer than `budget` come back where candidates
    run out, and left_out says why.
    """
    ledger = _Ledger(candidates, taken, rule, in_batch, sites or {})
    admitted: list[int] = []
    reasons: list[str] = []
    left_out: Counter[str] = Counter()
    refused: list[Refused] = []
    for start in range(0, len(preferences), BLOCK):
        block = preferences[start : start + BLOCK]
        similarity = ledger.similarity(block)
        for row, position in enumerate(block.tolist()):
            if len(admitted) >= budget:
                return Admitted(np.array(admitted, dtype=np.intp), reasons, left_out, tuple(refused))
            problem = ledger.problem(position, similarity.nearest[row])
            if problem is not None:
                left_out[problem[1]] += 1
                if len(refused) < RECORDED:
                    refused.append(Refused(position, start + row + 1, *problem, len(admitted)))
                continue
            reasons.append(ledger.clearance(position, similarity.nearest[row]))
            admitted.append(position)
            ledger.add(position)
            similarity.admit(row)
    return Admitted(np.array(admitted, dtype=np.intp), reasons, left_out, tuple(refused))


@dataclass
class _Similarity:
    """Largest cosine of each row of a block to anything taken, kept up as rows of the block are admitted."""

    vectors: npt.NDArray[np.float32]
    nearest: npt.NDArray[np.float32]

    def admit(self, row: int) -> None:
        if len(self.vectors):
            np.maximum(self.nearest, self.vectors @ self.vectors[row], out=self.nearest)


class _Ledger:
    """What is taken so far: times by clip, counts by clip and by site in this batch, unit vectors."""

    def __init__(
        self,
        candidates: Frames,
        taken: Frames,
        rule: RedundancyRule,
        in_batch: Ints | None,
        sites: Mapping[int, str],
    ) -> None:
        self.rule = rule
        self.clips = candidates.video_no.tolist()
        self.times = candidates.pts_ms.tolist()
        self.embeddings = candidates.embeddings
        self.vectors = [with_blank(taken.embeddings)] if rule.cosine is not None and len(taken) else []
        self.fresh: list[int] = []
        self.sites = sites
        self.in_clip: Counter[int] = Counter() if in_batch is None else Counter(in_batch.tolist())
        self.in_site: Counter[str] = Counter()
        for clip, count in self.in_clip.items():
            if clip in sites:
                self.in_site[sites[clip]] += count
        self.by_clip: defaultdict[int, list[int]] = defaultdict(list)
        for clip, time in sorted(zip(taken.video_no.tolist(), taken.pts_ms.tolist(), strict=True)):
            self.by_clip[clip].append(time)

    def similarity(self, block: npt.NDArray[np.intp]) -> _Similarity:
        nearest = np.full(len(block), -1, dtype=np.float32)
        if self.rule.cosine is None:
            return _Similarity(np.empty((0, 0), dtype=np.float32), nearest)
        vectors = with_blank(self.embeddings[block])
        if self.fresh:
            self.vectors.append(with_blank(self.embeddings[self.fresh]))
            self.fresh = []
        for taken in self.vectors:
            for start in range(0, len(taken), 8 * BLOCK):
                np.maximum(nearest, (vectors @ taken[start : start + 8 * BLOCK].T).max(axis=1), out=nearest)
        return _Similarity(vectors, nearest)

    def gap(self, position: int) -> int | None:
        """Milliseconds to the nearest taken frame of the clip."""
        times, time = self.by_clip.get(self.clips[position], []), self.times[position]
        at = bisect.bisect_left(times, time)
        return min((abs(time - other) for other in times[max(0, at - 1) : at + 1]), default=None)

    def problem(self, position: int, cosine: Any) -> tuple[Rule, str] | None:
        gap, rule = self.gap(position), self.rule
        if rule.per_clip is not None and self.in_clip[self.clips[position]] >= rule.per_clip:
            return "clip", f"its clip has {rule.per_clip} frames in the batch"
        if (
            rule.per_site is not None
            and self.in_site[self.sites.get(self.clips[position], "")] >= rule.per_site
        ):
            return "site", f"its site has {rule.per_site} frames in the batch"
        if gap is not None and gap < rule.minimum_gap_ms:
            return "gap", f"less than {rule.minimum_gap_ms} ms from a taken frame of its clip"
        if rule.cosine is not None and cosine >= rule.cosine - ROUNDING:
            return "cosine", f"cosine of {rule.cosine:g} or more to a taken frame"
        return None

    def clearance(self, position: int, cosine: Any) -> str:
        gap = self.gap(position)
        parts = [
            "first of its clip" if gap is None else f"{gap / 1000:.1f} s from the nearest taken of its clip"
        ]
        if self.rule.cosine is not None and cosine > -1:
            parts.append(f"cosine {min(float(cosine), 1.0):.2f} to the most similar")
        return ", ".join(parts)

    def add(self, position: int) -> None:
        clip = self.clips[position]
        self.in_clip[clip] += 1
        if clip in self.sites:
            self.in_site[self.sites[clip]] += 1
        bisect.insort(self.by_clip[clip], self.times[position])
        self.fresh.append(position)


def with_blank(embeddings: Floats) -> npt.NDArray[np.float32]:
    """Unit vectors (n, d + 1): in the one more dimension lie all zero vectors, since black frames are alike too."""
    vectors = unit_vectors(embeddings)
    blank = ~vectors.any(axis=1, keepdims=True)
    return np.concatenate([vectors, blank.astype(np.float32)], axis=1)

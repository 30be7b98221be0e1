"""What the rule of redundancy left out, frame by frame: its place, its score, why, and beside which taken frame.

Worked out after the choice, so that the choice itself stays as fast as it is. Not here: the rule (redundancy.py), and
the rows that are written (assets.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from al_assets.selection.redundancy import RECORDED, Admitted, Frames, Refused, with_blank

BLOCK = 8192
SCHEMA = pa.schema(
    [
        ("frame_id", pa.int64()),
        ("place", pa.int32()),
        ("score", pa.float64()),
        ("rule", pa.string()),
        ("reason", pa.string()),
        ("beside_frame_id", pa.int64()),
    ]
)


@dataclass(frozen=True)
class PassedOver:
    """A frame that a strategy wanted and the rule left out; beside_frame_id: the taken frame it is too close to, if
    it is one frame and not a cap that stood in its way."""

    frame_id: int
    place: int
    score: float
    rule: str
    reason: str
    beside_frame_id: int | None


def passed_over(
    admitted: Admitted, candidates: Frames, taken: Frames, scores: npt.NDArray[np.float64]
) -> tuple[PassedOver, ...]:
    """Of each refused preference: the nearest in time, or the most alike, of what was taken or admitted before it.

    candidates and taken: as given to `admit`. scores: (n,) of the preferences, in their order.
    """
    chosen = candidates.take(admitted.positions)
    beside = _nearest_in_time(admitted.refused, candidates, taken, chosen)
    beside |= _most_alike(admitted.refused, candidates, taken, chosen)
    return tuple(
        PassedOver(
            frame_id=int(candidates.frame_ids[each.position]),
            place=each.place,
            score=float(scores[each.place - 1]),
            rule=each.rule,
            reason=each.reason,
            beside_frame_id=beside.get(each.position),
        )
        for each in admitted.refused
    )


def as_table(records: Iterable[PassedOver]) -> pa.Table:
    """Rows of SCHEMA in the order of place, at most RECORDED; a frame that several choices passed over counts once."""
    first: dict[int, PassedOver] = {}
    for record in records:
        first.setdefault(record.frame_id, record)
    kept = sorted(first.values(), key=lambda record: (record.place, record.frame_id))[:RECORDED]
    return pa.Table.from_pylist([vars(record) for record in kept], schema=SCHEMA)


def _nearest_in_time(
    refused: Iterable[Refused], candidates: Frames, taken: Frames, chosen: Frames
) -> dict[int, int]:
    """position -> frame_id of the nearest frame of its clip, of those refused by the gap."""
    wanted = [each for each in refused if each.rule == "gap"]
    clips, times = taken.video_no, taken.pts_ms
    found = {}
    for each in wanted:
        clip, time = candidates.video_no[each.position], candidates.pts_ms[each.position]
        known = np.flatnonzero(clips == clip)
        fresh = np.flatnonzero(chosen.video_no[: each.admitted] == clip)
        keys = np.concatenate([taken.frame_ids[known], chosen.frame_ids[fresh]])
        gaps = np.abs(np.concatenate([times[known], chosen.pts_ms[fresh]]) - time)
        found[each.position] = int(keys[gaps.argmin()])
    return found


def _most_alike(
    refused: Iterable[Refused], candidates: Frames, taken: Frames, chosen: Frames
) -> dict[int, int]:
    """position -> frame_id of the frame of largest cosine, of those refused by the cosine."""
    wanted = [each for each in refused if each.rule == "cosine"]
    if not wanted:
        return {}
    vectors = with_blank(candidates.embeddings[[each.position for each in wanted]])
    best, keys = np.full(len(wanted), -2, dtype=np.float32), np.zeros(len(wanted), dtype=np.int64)
    before = np.array([each.admitted for each in wanted])
    for frames, fresh in ((taken, False), (chosen, True)):
        for start in range(0, len(frames), BLOCK):
            products = vectors @ with_blank(frames.embeddings[start : start + BLOCK]).T
            if fresh:
                products[np.arange(start, start + products.shape[1]) >= before[:, None]] = -2
            at = products.argmax(axis=1)
            value = products[np.arange(len(wanted)), at]
            keys = np.where(value > best, frames.frame_ids[start + at], keys)
            best = np.maximum(best, value)
    return {each.position: int(key) for each, key in zip(wanted, keys, strict=True)}

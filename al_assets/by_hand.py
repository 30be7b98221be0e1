"""A batch of exactly the frames that a person chose: which of them may go out, and why the others may not.

Not here: the list itself (selection/hand_picked.py), or the rows that a batch becomes (selection/assets.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from al_assets.frame_names import UnknownFrameError
from al_assets.selection.batch_plan import BatchPlan
from al_assets.selection.hand_picked import HandPickedError, plan_by_hand, read_frame_list, why_not
from resources.archive import Archive


@dataclass(frozen=True)
class Picked:
    """Frames that may go out, in the order of the list, and (frame as the list has it, reason) of the others."""

    frame_ids: tuple[int, ...]
    refused: tuple[tuple[str, str], ...]


def pick(archive: Archive, text: str) -> Picked:
    """What a list of frames (CSV) asks for. Raises HandPickedError for a list that is none, UnknownFrameError for
    a list with frames that the archive does not have: then it is another archive's."""
    names, references = read_frame_list(text)
    found = archive.lookup.resolve(references)
    lost = [f"{name}: {key}" for name, key in zip(names, found, strict=True) if not isinstance(key, int)]
    if lost:
        raise UnknownFrameError(
            f"{len(lost)} of {len(found)} frames are not in this archive, first {lost[0]}; correct the file"
        )
    by_key = {key: name for name, key in zip(names, found, strict=True) if isinstance(key, int)}
    reasons = _reasons(archive, list(by_key))
    refused = tuple((by_key[key], reason) for key, reason in reasons.items())
    return Picked(tuple(key for key in by_key if key not in reasons), refused)


def by_hand_plan(archive: Archive, frame_ids: Sequence[int]) -> BatchPlan:
    """The batch of these frames. Raises HandPickedError where one of them may not go out."""
    reasons = _reasons(archive, frame_ids)
    if reasons:
        key, reason = next(iter(reasons.items()))
        raise HandPickedError(
            f"{len(reasons)} of {len(frame_ids)} frames cannot go out, first {key}: {reason}"
        )
    return plan_by_hand(frame_ids)


def _reasons(archive: Archive, frame_ids: Sequence[int]) -> dict[int, str]:
    """frame_id -> why it may not go out, of those that may not."""
    standing = archive.maps.standing(frame_ids)
    found = {row.frame_id: why_not(row.split, row.readable, row.judged, row.queued) for row in standing}
    return {key: reason for key in frame_ids if (reason := found.get(key, "it is no frame of this archive"))}

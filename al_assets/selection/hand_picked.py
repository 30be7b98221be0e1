"""A batch that a person picked frame by frame: its list, who may be in it, and its plan. No strategy, no rows read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pyarrow as pa

from al_assets.labels.formats.records import FrameReference
from al_assets.selection.batch_plan import SELECTION_SCHEMA, ArmSizes, BatchPlan
from al_assets.selection.passed_over import SCHEMA

BY_HAND = "by_hand"
REASON = "chosen by hand"
MOST = 5_000
"""Frames in one list: more is no batch but an archive."""


class HandPickedError(ValueError):
    """A list of frames cannot become a batch; the message says why and what to do."""


def read_frame_list(text: str) -> tuple[list[str], list[FrameReference]]:
    """Frames of a CSV list as it names them, and as references: frame_id, or video_id with frame_index, or image.

    Raises HandPickedError for a list without such columns, without rows, or with more than MOST.
    """
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    columns = set(rows[0]) if rows else set()
    if not columns & {"frame_id", "image"} and not {"video_id", "frame_index"} <= columns:
        raise HandPickedError(
            "the list has no frames; its header must be frame_id, or video_id,frame_index, or image, with a row a frame"
        )
    if len(rows) > MOST:
        raise HandPickedError(f"{len(rows)} frames are more than a batch may have ({MOST}); send fewer")
    found = [_reference(number, row) for number, row in enumerate(rows, 2)]
    return [name for name, _ in found], [reference for _, reference in found]


def decoded(data: bytes) -> str:
    """The text of a list. Raises HandPickedError for one that is not UTF-8, as spreadsheets may save it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HandPickedError("the list is not UTF-8; save it as CSV UTF-8 and try again") from error


def why_not(split: str, readable: bool, judged: bool, queued: bool) -> str:
    """Why a frame may not be sent to people by hand; empty where it may."""
    if not readable:
        return "its video is no longer part of the archive"
    if split != "train":
        # Frames that somebody chose say nothing of the archive at large, and the hold-out must.
        return f"its video is kept for measuring ({split}); hand-picked frames would bend the measure"
    if judged:
        return "people have judged it already"
    return "it is in a batch already" if queued else ""


def plan_by_hand(frame_ids: Sequence[int]) -> BatchPlan:
    """The batch of these frames, in their order: the strategy's arm, without a chance of having been drawn."""
    count = len(frame_ids)
    columns = {
        "rank": list(range(1, count + 1)),
        "frame_id": list(frame_ids),
        "score": [None] * count,
        "arm": ["strategy"] * count,
        "propensity": [None] * count,
        "reason": [REASON] * count,
    }
    rows = pa.table({field.name: pa.array(columns[field.name], field.type) for field in SELECTION_SCHEMA})
    sizes = ArmSizes(strategy=count, random=0, evaluation=0)
    return BatchPlan(rows, sizes, {}, (f"{count} frames chosen by hand",), SCHEMA.empty_table())


def _reference(number: int, row: dict[str, str | None]) -> tuple[str, FrameReference]:
    cell = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str | None)}
    try:
        if cell.get("frame_id"):
            return cell["frame_id"], FrameReference(frame_id=int(cell["frame_id"]))
        if cell.get("video_id") and cell.get("frame_index"):
            name = f"{cell['video_id']}/{cell['frame_index']}"
            return name, FrameReference(video_id=cell["video_id"], frame_index=int(cell["frame_index"]))
    except ValueError as error:
        raise HandPickedError(
            f"row {number}: frame_id and frame_index are whole numbers; correct it"
        ) from error
    if cell.get("image"):
        return cell["image"], FrameReference(image=cell["image"])
    raise HandPickedError(f"row {number} names no frame; correct the file")

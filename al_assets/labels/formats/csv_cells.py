"""What the cells of one line of a label export as CSV say. Not here: lines, headers, and lines that are one answer.

A cell that a spreadsheet would run as a formula may stand behind an apostrophe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from al_assets.labels.formats.records import UNANSWERED, UNKNOWN_ANNOTATOR, Box, FrameReference, Mark
from al_assets.labels.formats.values import fraction_box, frame_reference, moment, real_number
from al_assets.names import CANNOT_TELL, BrokenValueError, clean_name, is_reserved, shown

JUDGED = "judged_classes"
FORMULA = "^'*[=+@\\t\\r-]"
"""Text that a spreadsheet would run, or that has been kept from it; our own files put an apostrophe before it."""
SIDES = ("x", "y", "width", "height")
_SHIELDED = re.compile("^'" + FORMULA.removeprefix("^"))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file, with what it says or what is wrong with it."""

    position: int
    raw: str
    frame: FrameReference | None = None
    annotator: str = UNKNOWN_ANNOTATOR
    annotated_at: datetime | None = None
    mark: Mark | None = None
    judged: tuple[str, ...] | None = None
    problem: str | None = None

    @property
    def group(self) -> tuple[object, ...]:
        """Equal for the rows of one answer."""
        frame = self.frame
        if frame is None:
            return ("row", self.position)
        if frame.frame_id is not None:
            return ("frame_id", frame.frame_id, self.annotator)
        if frame.video_id is not None and frame.frame_index is not None:
            return ("video_id", frame.video_id, frame.frame_index, self.annotator)
        return ("image", frame.image, self.annotator)


def row_of(fields: Mapping[str, str], cells: list[str], width: int, position: int, raw: str) -> Row | None:
    """What a line says; None where it is blank or not answered. width: of the header."""
    if fields.get("label", "").strip() == UNANSWERED or not any(cell.strip() for cell in cells):
        return None
    return _row(fields, position, raw, len(cells) - width)


def fields_of(columns: list[str], cells: list[str]) -> dict[str, str]:
    """The cells of a line by their columns."""
    return dict(zip(columns, map(_unshielded, cells), strict=False))


def _row(cells: Mapping[str, str], position: int, raw: str, surplus: int) -> Row:
    try:
        if surplus:
            raise BrokenValueError(
                f"the row has {abs(surplus)} cells {'more' if surplus > 0 else 'fewer'} than the header"
            )
        frame = frame_reference(
            {name: cells.get(name, "").strip() for name in ("frame_id", "video_id", "frame_index", "image")}
        )
        annotator = cells.get("annotator", "").strip()
        annotator = clean_name(annotator, "annotator") if annotator else UNKNOWN_ANNOTATOR
    except BrokenValueError as error:
        return Row(position, raw, problem=str(error))
    try:
        annotated_at = moment(cells.get("annotated_at"), "annotated_at")
        return Row(position, raw, frame, annotator, annotated_at, mark(cells), _judged(cells))
    except BrokenValueError as error:
        return Row(position, raw, frame, annotator, problem=str(error))


def mark(cells: Mapping[str, str]) -> Mark | None:
    """The row's class; None for nobody."""
    sides = [cells.get(side, "").strip() for side in SIDES]
    box: Box | None = None
    if any(sides):
        x, y, width, height = (real_number(value, side) for side, value in zip(SIDES, sides, strict=True))
        box = fraction_box(x, y, width, height)
    label = cells["label"].strip()
    if label:
        return Mark(CANNOT_TELL if label == "?" else clean_name(label, "label"), box)
    if box is not None:
        raise BrokenValueError("the row has a box and no label")
    return None


def _judged(cells: Mapping[str, str]) -> tuple[str, ...] | None:
    """Names of the classes that were judged; None for all."""
    text = cells.get(JUDGED, "").strip()
    if not text:
        return None
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list):
        raise BrokenValueError(f'{JUDGED} {shown(text)} is not a JSON list of names such as ["zero", "one"]')
    cleaned = tuple(clean_name(name, JUDGED) for name in names)
    if reserved := next(filter(is_reserved, cleaned), None):
        raise BrokenValueError(f"{JUDGED} names {shown(reserved)}, which is an answer and no class")
    return cleaned


def _unshielded(cell: str) -> str:
    return cell[1:] if _SHIELDED.match(cell) else cell

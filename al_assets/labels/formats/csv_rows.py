"""Label exports as CSV with a header, one class a row.

`frame_id`, or `video_id` with `frame_index`, or `image` names the frame; `label` the class (several rows for
several classes, empty for nobody, `?` for cannot tell, `(unanswered)` for not looked at); optional
`annotator`, `annotated_at`, `x`, `y`, `width`, `height` as fractions of the frame, and `judged_classes` (a JSON
list of names; empty for all classes). Other columns are ignored. A cell that a spreadsheet would run as a formula
may stand behind an apostrophe. Not here: looking classes or frames up, or writing such files.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from al_assets.labels.formats.records import (
    UNANSWERED,
    UNKNOWN_ANNOTATOR,
    Box,
    BrokenRecord,
    ExportUnreadableError,
    FrameReference,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import (
    decode_text,
    fraction_box,
    frame_reference,
    judgement,
    moment,
    real_number,
    storable,
)
from al_assets.names import CANNOT_TELL, BrokenValueError, clean_name, is_reserved, shown

NAME = "csv"
JUDGED = "judged_classes"
FORMULA = "^'*[=+@\\t\\r-]"
"""Text that a spreadsheet would run, or that has been kept from it; our own files put an apostrophe before it."""
BLANK = "\r\n\ufeff"
_DELIMITERS = ",;\t"
SIDES = ("x", "y", "width", "height")
_SHIELDED = re.compile("^'" + FORMULA.removeprefix("^"))
_HALF = "the export is half-written: {}; write it again whole, ending with a line break, and replace the file"


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


def recognises(head: str) -> bool:
    """Whether the first line is a header with a `label` column and one that names frames."""
    header = _header(head.lstrip(BLANK))
    try:
        columns = columns_of(next(csv.reader([header], delimiter=delimiter_of(header))))
    except csv.Error:
        return False
    return "label" in columns and not {"frame_id", "video_id", "image"}.isdisjoint(columns)


def read(stream: BinaryIO) -> Iterator[Record]:
    """Records of an export. The rows of one frame and annotator make one annotation, wherever they stand.

    A broken row breaks the others of its annotation too: half of an answer would misread the person. The
    latest `annotated_at` among the rows counts. Raises ExportUnreadableError before the first record.
    """
    return read_text(decode_text(stream.read()).lstrip(BLANK))


def read_text(text: str) -> Iterator[Record]:
    """Records of an export's text, which begins with the header."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in _rows(text):
        groups.setdefault(row.group, []).append(row)
    return (record for rows in groups.values() for record in annotation(rows))


class _Lines:
    """The lines of a text, remembering those that the current record has consumed."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.consumed: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.consumed.append(line)
        return line

    def take(self) -> str:
        raw = "".join(self.consumed).rstrip("\r\n")
        self.consumed = []
        return storable(raw)


def _header(text: str) -> str:
    """The first line, cut where the csv module cuts: str.splitlines would cut at form feeds too."""
    return io.StringIO(text, newline="").readline()


def delimiter_of(header: str) -> str:
    """The character between the cells."""
    return max(_DELIMITERS, key=header.count)


def columns_of(cells: list[str]) -> list[str]:
    """Names of the columns."""
    return [cell.strip().casefold() for cell in cells]


def _rows(text: str) -> list[Row]:
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter_of(_header(text)), strict=True)
    try:
        columns = columns_of(next(reader))
    except csv.Error as error:
        raise ExportUnreadableError(_HALF.format(f"its header cannot be read ({error})")) from error
    check_header(columns)
    lines.take()
    rows: list[Row] = []
    labels: list[str] = []
    cells = columns
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if "after" not in str(error):  # an open quote or an endless field: no later row can be trusted
                raise ExportUnreadableError(
                    _HALF.format(f"row {len(rows) + 1} has no end ({error})")
                ) from error
            rows.append(Row(len(rows) + 1, lines.take(), problem="a quoted cell is followed by more text"))
            continue
        fields = fields_of(columns, cells)
        labels.append(fields.get("label", "").strip())
        row = row_of(fields, cells, len(columns), len(rows) + 1, lines.take())
        rows += [row] if row else []
    if labels and text[-1] not in "\r\n":
        _check_last(columns, cells, labels)
    return rows


def check_header(columns: list[str]) -> None:
    """Raises ExportUnreadableError where a needed column is missing, or one is there twice."""
    named = [column for column in columns if column]
    doubled = sorted({column for column in named if named.count(column) > 1})
    if doubled:
        raise ExportUnreadableError(
            f"the header names {', '.join(map(shown, doubled))} twice; keep one of each"
        )
    if "label" not in columns:
        raise ExportUnreadableError("the header has no `label` column; add it")
    if not {"frame_id", "image"} & set(columns) and not {"video_id", "frame_index"} <= set(columns):
        raise ExportUnreadableError(
            "no column names the frame; add frame_id, or video_id with frame_index, or image"
        )


def _check_last(columns: list[str], cells: list[str], labels: list[str]) -> None:
    """Refuse a last line that lacks its line break and may be cut off.

    Some spreadsheets never write that break, so a line that is evidently whole passes. A cut hides in the
    last cell only: a label that is empty (it would say "nobody") or that no earlier row uses is taken for
    half of one.
    """
    if len(cells) < len(columns):
        raise ExportUnreadableError(_HALF.format("its last line stops short"))
    if columns[-1] == "label" and (not labels[-1] or labels[-1] not in labels[:-1]):
        raise ExportUnreadableError(_HALF.format("its last line may be cut off within the label"))


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


def annotation(rows: list[Row]) -> Iterator[Record]:
    """The answer that its rows make, or each of them broken."""
    problem = next((row for row in rows if row.problem), None)
    try:
        frame = rows[0].frame
        if problem is not None or frame is None:
            raise BrokenValueError(f"row {problem.position if problem else '?'} of the same answer is broken")
        marks = [row.mark for row in rows if row.mark is not None]
        if marks and len(marks) < len(rows):
            raise BrokenValueError(
                "the answer contradicts itself: an empty label (nobody) stands beside a label"
            )
        listed = {row.judged for row in rows if row.judged is not None}
        if len(listed) > 1:
            raise BrokenValueError(f"the rows of the answer list different {JUDGED}; write the same in each")
        outcome, kept = judgement(marks)
    except BrokenValueError as error:
        for row in rows:
            yield BrokenRecord(row.position, row.problem or str(error), row.raw)
        return
    times = [row.annotated_at for row in rows if row.annotated_at is not None]
    yield ParsedAnnotation(
        positions=tuple(row.position for row in rows),
        frame=frame,
        annotator=rows[0].annotator,
        annotated_at=max(times, default=None),
        outcome=outcome,
        marks=kept,
        judged=next(iter(listed), None),
        raw="\n".join(row.raw for row in rows),
    )

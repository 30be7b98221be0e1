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
from collections.abc import Iterator
from typing import BinaryIO

from al_assets.labels.formats.csv_cells import JUDGED, Row, fields_of, row_of
from al_assets.labels.formats.records import (
    BrokenRecord,
    ExportUnreadableError,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import (
    decode_text,
    judgement,
    storable,
)
from al_assets.names import BrokenValueError, shown

NAME = "csv"
BLANK = "\r\n\ufeff"
_DELIMITERS = ",;\t"
_HALF = "the export is half-written: {}; write it again whole, ending with a line break, and replace the file"


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

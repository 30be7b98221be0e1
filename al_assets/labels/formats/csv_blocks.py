"""CSV exports of any size: plain rows by the block, every other by `csv_rows`, in the same order with the same result.

Plain is a row that names its frame by frame_id alone, has one label and no box, needs no quotes, and is the only one
of its answer. Not here: what a row means, which csv_cells knows. Held are the text and five numbers a row.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from al_assets.labels.formats import csv_cells, csv_rows
from al_assets.labels.formats.csv_cells import Row
from al_assets.labels.formats.plain import BLOCK, NO_MOMENT, Numbers, PlainBlock, Saying, microseconds
from al_assets.labels.formats.records import UNANSWERED, UNKNOWN_ANNOTATOR, Record
from al_assets.labels.formats.values import decode_text, judgement, moment, storable
from al_assets.names import BrokenValueError, clean_name

WINDOW = 1 << 20
"""Characters looked at together."""
LONGEST_LINE = 100_000
"""Characters; the csv module refuses a cell of 131,072, and says so best itself."""
_OTHER_FRAMES = {"video_id", "frame_index", "image"}
_ODD, _SKIPPED = -1, -2


def read(stream: BinaryIO) -> Iterator[Record | PlainBlock]:
    """Records of an export as `csv_rows.read` gives them, with a block wherever BLOCK of them in a row are plain.

    Raises ExportUnreadableError before the first record.
    """
    whole = decode_text(stream.read()).lstrip(csv_rows.BLANK)
    text = whole.replace("\r\n", "\n") if "\r" in whole else whole
    header, _, _ = text.partition("\n")
    delimiter = csv_rows.delimiter_of(header)
    columns = csv_rows.columns_of(header.split(delimiter))
    simple = text.endswith("\n") and len(header) <= LONGEST_LINE and not any(mark in text for mark in '"\r\0')
    if simple and "frame_id" in columns and not _OTHER_FRAMES & {*columns}:
        csv_rows.check_header(columns)
        rows = _Rows(text, columns, delimiter)
        if rows.scan(len(header) + 1):
            return rows.records()
    return csv_rows.read_text(whole)


class _Rows:
    """Where the rows of a text lie, and what the plain ones say."""

    def __init__(self, text: str, columns: list[str], delimiter: str) -> None:
        self._text, self._columns, self._delimiter = text, columns, delimiter
        self._frame, self._label = columns.index("frame_id"), columns.index("label")
        self._when = columns.index("annotated_at") if "annotated_at" in columns else None
        self._who = columns.index("annotator") if "annotator" in columns else None
        self._blank = [columns.index(n) for n in (*csv_cells.SIDES, csv_cells.JUDGED) if n in columns]
        self._starts, self._frames, self._moments, self._codes, self._people = (array("q") for _ in range(5))
        self._sayings: list[Saying] = []
        self._known: dict[tuple[str, str], int] = {}
        self._persons: dict[str, int] = {}

    def scan(self, at: int) -> bool:
        """Look at every row once; False where the csv module must judge the text."""
        text = self._text
        while at < len(text):
            end = text.rfind("\n", at, at + WINDOW)
            lines = text[at:end].split("\n") if end >= at else [text]
            if max(map(len, lines)) > LONGEST_LINE:
                return False
            for line in lines:
                self._take(line, at)
                at += len(line) + 1
        return True

    def _take(self, line: str, at: int) -> None:
        cells = line.split(self._delimiter)
        code, when = self._plain(line, cells)
        if code >= 0:
            frame, person = int(cells[self._frame]), self._person(self._sayings[code].annotator)
        elif code == _SKIPPED:
            return
        else:
            row = self._row(line, 0)
            if row is None:
                return
            # A row without a frame is an answer of its own.
            frame = row.frame.frame_id if row.frame and row.frame.frame_id is not None else -1
            person = self._person(row.annotator) if frame >= 0 else len(self._starts)
        self._starts.append(at)
        self._frames.append(frame)
        self._people.append(person)
        self._moments.append(when)
        self._codes.append(code)

    def _plain(self, line: str, cells: list[str]) -> tuple[int, int]:
        """Code of what the row says, and its moment. _ODD: it is not plain. _SKIPPED: it is not answered."""
        if len(cells) != len(self._columns) or "'" in line or any([cells[place] for place in self._blank]):
            return _ODD, 0
        frame = cells[self._frame]
        if not (frame.isdigit() and frame.isascii() and len(frame) < 19):
            return _ODD, 0
        words = (cells[self._label], "" if self._who is None else cells[self._who])
        code = self._known.get(words)
        if code is None:
            code = self._known[words] = self._learned(*words)
        if code < 0 or self._when is None or not cells[self._when]:
            return code, NO_MOMENT
        try:
            return code, microseconds(moment(cells[self._when], "annotated_at"))
        except BrokenValueError:
            return _ODD, 0

    def _learned(self, label: str, annotator: str) -> int:
        if label.strip() == UNANSWERED:
            return _SKIPPED
        try:
            mark = csv_cells.mark({"label": label})
            outcome, marks = judgement([] if mark is None else [mark])
            who = clean_name(annotator.strip(), "annotator") if annotator.strip() else UNKNOWN_ANNOTATOR
        except BrokenValueError:
            return _ODD
        self._sayings.append(Saying(who, outcome, marks))
        return len(self._sayings) - 1

    def _person(self, annotator: str) -> int:
        return self._persons.setdefault(annotator, len(self._persons))

    def _row(self, line: str, position: int) -> Row | None:
        cells = line.split(self._delimiter)
        fields = csv_cells.fields_of(self._columns, cells)
        return csv_cells.row_of(fields, cells, len(self._columns), position, storable(line))

    def records(self) -> Iterator[Record | PlainBlock]:
        """Answers in the order of their first rows."""
        if not self._starts:
            return
        codes = _numbers(self._codes)
        order, first, last = _answers(_numbers(self._frames), _numbers(self._people))
        heads = order[first]
        plain = (last - first == 1) & (codes[heads] >= 0)
        done = 0
        while done < len(heads):
            if plain[done : done + BLOCK].all():
                yield self._block(heads[done : done + BLOCK])
                done += BLOCK
                continue
            # As many records as a block has, so that what follows is cut as if all came one by one.
            given = 0
            while (given % BLOCK or not given) and done < len(heads):
                rows = [self._row_at(place) for place in order[first[done] : last[done]].tolist()]
                for record in csv_rows.annotation(rows):
                    yield record
                    given += 1
                done += 1

    def _row_at(self, place: int) -> Row:
        row = self._row(self._line(place), place + 1)
        if row is None:  # the first look would have left it out
            raise AssertionError(f"row {place + 1} says nothing")
        return row

    def _line(self, place: int) -> str:
        start = self._starts[place]
        return self._text[start : self._text.index("\n", start)]

    def _block(self, places: Numbers) -> PlainBlock:
        return PlainBlock(
            positions=places + 1,
            frame_ids=_numbers(self._frames)[places],
            moments=_numbers(self._moments)[places],
            codes=_numbers(self._codes)[places],
            sayings=self._sayings,
            raw=lambda place: storable(self._line(int(places[place]))),
        )


def _numbers(column: array[int]) -> Numbers:
    return np.frombuffer(column, np.int64)


def _answers(frames: Numbers, people: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Rows sorted by answer, and where in that order each answer begins and ends; answers by their first rows."""
    order = np.lexsort((people, frames))
    frame, person = frames[order], people[order]
    begins = np.flatnonzero(np.concatenate([[True], (frame[1:] != frame[:-1]) | (person[1:] != person[:-1])]))
    ends = np.append(begins[1:], len(order))
    by_head = np.argsort(order[begins])
    return order, begins[by_head], ends[by_head]

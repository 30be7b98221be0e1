"""Whatever arrives: every record ends in exactly one place, and what was said once is not said again."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from al_assets.labels.annotations import AnnotationRow, resolve
from al_assets.labels.class_book import ClassBook
from al_assets.labels.formats import FORMATS, detect, read_export
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, FrameReference, Record

settings.register_profile(
    "labels", deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("labels")

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TEXT = st.text(st.characters(codec=None, exclude_categories=[]), max_size=12)
SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    TEXT,
    st.sampled_from(["zero", "?", "nobody", "16777216", "2026-11-01T10:00:00Z", "1e999", "-0", "NaN"]),
)
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)


def sometimes(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what the tool writes; now and then anything."""
    return st.integers(0, 9).flatmap(lambda die: JSON if die == 0 else right)


def record_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with these fields, each of which may be missing or wrong."""
    optional = {name: sometimes(value) for name, value in fields.items()}
    return sometimes(st.fixed_dictionaries({}, optional=optional))


VALUE = record_of(
    choices=st.lists(sometimes(st.sampled_from(["zero", "one", "nobody", "?"])), max_size=3),
    rectanglelabels=st.lists(sometimes(st.just("zero")), max_size=2),
    x=st.floats(0, 100),
    y=st.floats(0, 100),
    width=st.floats(0, 50),
    height=st.floats(0, 50),
    rotation=st.sampled_from([0, 0, 45, -90]),
)
RESULT = record_of(
    type=st.sampled_from(["choices", "rectanglelabels", "textarea"]),
    value=VALUE,
    original_width=st.just(640),
    original_height=st.just(480),
)
ANNOTATION = record_of(
    id=st.integers(1, 5),
    result=st.lists(RESULT, max_size=3),
    was_cancelled=st.booleans(),
    completed_by=st.integers(1, 3),
    updated_at=st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat()),
)
DATA = record_of(frame_id=st.integers(16777216, 16777219), image=st.just("a.jpg"))
TASKS = st.lists(record_of(data=DATA, annotations=st.lists(ANNOTATION, max_size=3)), max_size=5)
CELL = st.one_of(st.sampled_from(["16777216", "16777217", "zero", "one", "", "?", "anna", "0.5"]), TEXT)
ROWS = st.lists(st.lists(CELL, max_size=9), max_size=8)
HEADER = ["frame_id", "label", "annotator", "annotated_at", "x", "y", "width", "height"]


class Frames:
    """Knows the frames of one clip."""

    def resolve(self, references: Sequence[FrameReference]) -> list[int | str]:
        known = {16777216, 16777217, 16777218}
        return [r.frame_id if r.frame_id in known and r.frame_id else "no such frame" for r in references]


class Ledger:
    """Remembers the content of one earlier import."""

    def __init__(self, rows: Sequence[AnnotationRow]) -> None:
        self.keys = {row.content_key for row in rows}

    def find(self, content_keys: Sequence[str]) -> dict[str, bool]:
        return {key: True for key in content_keys if key in self.keys}


def positions(record: Record) -> tuple[int, ...]:
    return (record.position,) if isinstance(record, BrokenRecord) else record.positions


def check(data: bytes, format: str) -> None:
    """The law of an import: imported + rejected = seen, each position once, a repeat adds nothing."""
    records = list(read_export(io.BytesIO(data), format))
    used = sorted(position for record in records for position in positions(record))
    assert used == list(range(1, len(used) + 1))
    for reject_unknown in (False, True):
        _check_import(records, len(used), reject_unknown=reject_unknown)


def _check_import(records: list[Record], seen: int, *, reject_unknown: bool) -> None:
    options: dict[str, Any] = {
        "imported_at": NOW,
        "unknown_classes": "reject" if reject_unknown else "create",
    }
    book = ClassBook.of([(1, "zero", ["cero"])])
    parts = list(resolve(records, Frames(), book, export_id=1, block=2, **options))
    assert sum(part.seen for part in parts) == seen
    for part in parts:
        assert part.imported + len(part.rejects) == part.seen
    rows = [row for part in parts for row in part.annotations]
    rejected = Counter(reject.position for part in parts for reject in part.rejects)
    assert max(rejected.values(), default=1) == 1
    assert not {row.position for row in rows} & set(rejected)
    for part in parts:
        for reject in part.rejects:
            json.dumps([reject.reason, reject.record]).encode()
            (reject.reason + reject.record).encode("utf-8")
            assert "\x00" not in reject.reason + reject.record
            assert 0 < len(reject.reason) < 1000
        for row in part.annotations:
            (row.annotator + (row.source_id or "")).encode("utf-8")
        for name in part.new_classes:
            assert name.strip() == name != ""
    last = parts[-1].classes if parts else book
    again = list(resolve(records, Frames(), last, export_id=2, ledger=Ledger(rows), **options))
    assert [row for part in again for row in part.annotations] == []
    assert sum(part.imported for part in again) == sum(part.imported for part in parts)


@given(TASKS)
def test_every_label_studio_record_is_imported_or_rejected(tasks: list[Any]) -> None:
    check(json.dumps(tasks).encode(), "label_studio")


@given(st.lists(JSON, max_size=5))
def test_any_json_list_is_imported_or_rejected(tasks: list[Any]) -> None:
    check(json.dumps(tasks).encode(), "label_studio")


def csv_text(rows: list[list[str]], end: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(HEADER)
    writer.writerows(rows)
    return text.getvalue()


@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_every_csv_row_is_imported_or_rejected(rows: list[list[str]], end: str, encoding: str) -> None:
    check(csv_text(rows, end).encode(encoding, errors="replace"), "csv")


@given(st.lists(st.sampled_from(["16777216", "x", ",", '"', '""', "\n", "\r", " ", "zero", "?", "\t", ";"])))
def test_csv_of_any_quoting_is_read_or_refused_as_a_whole(parts: list[str]) -> None:
    try:
        check(("frame_id,label\n" + "".join(parts) + "\n").encode(), "csv")
    except ExportUnreadableError as error:
        assert str(error).startswith("the ")  # noqa: PT017


@given(st.binary(max_size=200), st.sampled_from([None, *FORMATS]))
def test_any_bytes_are_read_or_refused_as_a_whole(data: bytes, format: str | None) -> None:
    try:
        check(data, format or detect(data))
    except ExportUnreadableError as error:
        assert str(error)  # noqa: PT017


@given(TASKS.filter(bool), st.data())
def test_a_label_studio_export_cut_anywhere_yields_nothing(tasks: list[Any], data: st.DataObject) -> None:
    whole = json.dumps(tasks).encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ExportUnreadableError):
        read_export(io.BytesIO(whole[:cut]), "label_studio")


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["zero", "one", ""])),
        min_size=1,
        unique_by=lambda row: row[0],
    ),
    st.data(),
)
def test_a_csv_cut_anywhere_never_says_what_the_whole_does_not(
    rows: list[tuple[int, str]], data: st.DataObject
) -> None:
    whole = csv_text(
        [[str(16777216 + frame), label, "anna", "", "", "", "", ""] for frame, label in rows], "\n"
    )
    short = "frame_id,label\n" + "".join(f"{16777216 + frame},{label}\n" for frame, label in rows)
    text = data.draw(st.sampled_from([whole, short]))
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    said = {(row.frame.frame_id, mark.name) for row in read(text) for mark in row.marks}
    try:
        part = read(cut)
    except ExportUnreadableError:
        return
    assert {(row.frame.frame_id, mark.name) for row in part for mark in row.marks} <= said


def read(text: str) -> list[Any]:
    return [
        record
        for record in read_export(io.BytesIO(text.encode()), "csv")
        if not isinstance(record, BrokenRecord)
    ]

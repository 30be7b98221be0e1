"""CSV exports: what people's spreadsheets really write, and damage done to it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from al_assets.labels.formats import UnknownFormatError, detect, read_export
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, Mark, ParsedAnnotation

FULL = "frame_id,label,annotator,annotated_at,x,y,width,height\n"


def read(text: str, encoding: str = "utf-8") -> list[Any]:
    return list(read_export(io.BytesIO(text.encode(encoding))))


def reasons(text: str) -> list[str]:
    records = read(text)
    assert all(isinstance(record, BrokenRecord) for record in records)
    return [record.reason for record in records]


def test_rows_of_one_frame_and_annotator_make_one_annotation() -> None:
    first, second, third = read("frame_id,label,annotator\n7,zero,anna\n7,one,ben\n8,one,anna\n7,one,anna\n")
    assert (first.positions, first.marks) == ((1, 4), (Mark("zero", None), Mark("one", None)))
    assert (second.positions, second.annotator) == ((2,), "ben")
    assert (third.positions, third.frame.frame_id) == ((3,), 8)
    assert first.raw == "7,zero,anna\n7,one,anna"


def test_an_empty_label_is_nobody_and_a_question_mark_cannot_tell() -> None:
    assert [record.outcome for record in read("frame_id,label\n7,\n8,?\n9,nobody\n")] == [
        "nobody",
        "cannot_tell",
        "nobody",
    ]


def test_an_unanswered_task_is_no_record() -> None:
    assert [record.positions for record in read("frame_id,label\n7,(unanswered)\n8,zero\n")] == [(1,)]


def test_duplicate_rows_are_counted_and_marked_once() -> None:
    (record,) = read("frame_id,label\n7,zero\n7,zero\n7,zero\n")
    assert (record.positions, record.marks) == ((1, 2, 3), (Mark("zero", None),))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_spreadsheet_dialect_reads_alike(encoding: str, end: str, delimiter: str) -> None:
    text = 'Frame_ID,Label,annotator\n7,"Füchsin, jung",anna\n\n8.0,狐,ben\n,,\n'
    text = text.replace('"Füchsin, jung"', "Füchsin").replace(",", delimiter).replace("\n", end)
    first, second = read(text, encoding)
    assert (first.marks[0].name, second.marks[0].name, second.frame.frame_id) == ("Füchsin", "狐", 8)


def test_a_quoted_cell_may_hold_delimiters_and_line_breaks() -> None:
    records = read('frame_id,label,note\n7,"a, b","two\nlines"\n8,c,\n')
    assert [record.marks[0].name for record in records] == ["a, b", "c"]
    assert records[0].raw == '7,"a, b","two\nlines"'


def test_boxes_and_times_are_read() -> None:
    (record,) = read(
        FULL + "7,zero,anna,2026-11-01T10:00:00Z,0.1,0.2,0.3,0.4\n7,one,anna,2026-11-01T11:00:00Z,,,,\n"
    )
    assert record.marks == (Mark("zero", pytest.approx((0.1, 0.2, 0.3, 0.4))), Mark("one", None))
    assert record.annotated_at == datetime(2026, 11, 1, 11, tzinfo=UTC)


def test_a_frame_may_be_named_by_video_or_by_image() -> None:
    (by_video,) = read("video_id,frame_index,label\nclip-1,3,zero\n")
    (by_image,) = read("image,label\nstills/a b.jpg,zero\n")
    assert (by_video.frame.video_id, by_video.frame.frame_index) == ("clip-1", 3)
    assert by_image.frame.image == "stills/a b.jpg"


def test_a_frame_id_that_a_spreadsheet_rounded_gives_way_to_video_and_index() -> None:
    (record,) = read("frame_id,video_id,frame_index,label\n1.67772E+11,clip-1,3,zero\n")
    assert (record.frame.frame_id, record.frame.frame_index) == (None, 3)


def test_a_broken_row_breaks_its_whole_answer_and_no_other() -> None:
    records = read(FULL + "7,zero,anna,,,,,\n7,one,anna,,5,5,5,5\n8,one,anna,,,,,\n7,one,ben,,,,,\n")
    assert [(type(record).__name__, getattr(record, "position", 0)) for record in records] == [
        ("BrokenRecord", 1),
        ("BrokenRecord", 2),
        ("ParsedAnnotation", 0),
        ("ParsedAnnotation", 0),
    ]
    assert records[0].reason == "row 2 of the same answer is broken"
    assert "fractions of the frame, not pixels" in records[1].reason


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("x,zero,,,,,,\n", "whole number"),
        (",zero,,,,,,\n", "names no frame"),
        ("99999999999999999999,zero,,,,,,\n", "not in"),
        ("1e400,zero,,,,,,\n", "whole number"),
        ("\u0667,zero,,,,,,\n", "whole number"),
        ("7,zero,,,,,\n", "fewer than the header"),
        ("7,zero,,,,,,,\n", "more than the header"),
        ("7,zero,,monday,,,,\n", "ISO 8601"),
        ("7,zero,,,0.1,,,\n", "not a finite number"),
        ("7,zero,,,nan,0,1,1\n", "not a finite number"),
        ("7,zero,,,1e999,0,1,1\n", "not a finite number"),
        ("7,,,,0,0,1,1\n", "box and no label"),
        ("7,ze\x00ro,,,,,,\n", "control or invisible characters"),
        (f"7,{'x' * 201},,,,,,\n", "longer than 200"),
        (f"7,{chr(0x1F98A) * 101},,,,,,\n", "longer than 200"),  # SQL Server counts a fox as two
        ("7,ze\u202ero,,,,,,\n", "invisible characters"),
        (f"7,zero,{'x' * 201},,,,,\n", "longer than 200"),
        ('7,"ze"ro,,,,,,\n', "quoted cell"),
    ],
)
def test_a_row_that_cannot_be_understood_is_broken_with_its_reason(rows: str, why: str) -> None:
    (reason,) = reasons(FULL + rows)
    assert why in reason


def test_an_answer_that_contradicts_itself_is_broken_in_all_its_rows() -> None:
    assert len(reasons("frame_id,label\n7,zero\n7,\n")) == 2
    assert len(reasons("frame_id,label\n7,zero\n7,?\n")) == 2


@pytest.mark.parametrize(
    "name", ["'; DROP TABLE labels; --", "../../etc/passwd", "<script>", "=cmd()", "🦊", "%s{0}"]
)
def test_a_hostile_name_is_only_a_name(name: str) -> None:
    (record,) = read(f'frame_id,label\n7,"{name}"\n')
    assert record.marks == (Mark(name, None),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("\ufeff \r\n", "empty"),
        ("frame_id,label,annotator\n7,zero,anna\n8,ze", "stops short"),
        ("frame_id,label\n7,zero\n8", "stops short"),
        ("frame_id,label\n7,zero\n8,ze", "cut off within the label"),
        ("frame_id,label\n7,zero\n8,", "cut off within the label"),
        ('frame_id,label\n7,"zero\n8,one\n', "has no end"),
        ("frame_id,label,label\n7,zero,one\n", "twice"),
        ("video_id,label\nclip-1,zero\n", "no column names the frame"),
        ("frame_id,label\n7," + "x" * 200_000 + "\n", "has no end"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_unreadable_as_a_whole(text: str, why: str) -> None:
    with pytest.raises(ExportUnreadableError, match=why):
        read_export(io.BytesIO(text.encode()))


def test_a_last_line_that_is_evidently_whole_needs_no_line_break() -> None:
    assert len(read("frame_id,label\n7,zero\n8,zero")) == 2
    assert len(read("frame_id,label,annotator\n7,zero,anna\n8,one,anna")) == 2


def test_a_header_alone_is_an_export_without_records() -> None:
    assert read("frame_id,label\n") == []
    assert read("frame_id,label") == []


def test_formats_are_told_apart_by_content() -> None:
    assert detect(b'\xef\xbb\xbf \n[{"id": 1}]') == "label_studio"
    assert detect(b"[]") == "label_studio"
    assert detect(b"frame_id;label\n") == "csv"
    for other in (
        b"<html/>",
        b'{"pictures": []}',
        b"\x89PNG\r\n",
        b"a,b\n1,2\n",
        b"PK\x03\x04",
    ):
        with pytest.raises(UnknownFormatError, match="none of the formats label_studio, "):
            detect(other)
    with pytest.raises(UnknownFormatError, match="'xml'; choose one of label_studio, "):
        read_export(io.BytesIO(b"[]"), "xml")


def test_every_position_of_a_long_file_is_used_once() -> None:
    rows = "".join(
        f"{number % 97},{'zero' if number % 3 else 'bad' + chr(1)},a{number % 5}\n" for number in range(3000)
    )
    used = []
    for record in read("frame_id,label,annotator\n" + rows):
        used += list(record.positions) if isinstance(record, ParsedAnnotation) else [record.position]
    assert sorted(used) == list(range(1, 3001))

"""Label Studio exports: files that release 1.23.2 wrote (in exports/), and damage done to such."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from al_assets.labels.formats import read_export
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, Mark, ParsedAnnotation

EXPORTS = Path(__file__).parent / "exports"
CHOICE = {"type": "choices", "value": {"choices": ["zero"]}}


def read(tasks: Any) -> list[Any]:
    return list(read_export(io.BytesIO(json.dumps(tasks).encode())))


def annotated(*results: Any, **fields: Any) -> list[Any]:
    annotation = {"id": 5, "result": list(results), "was_cancelled": False, "completed_by": 1, **fields}
    return read([{"id": 1, "data": {"frame_id": 16777216}, "annotations": [annotation]}])


def reason(*results: Any, **fields: Any) -> str:
    (record,) = annotated(*results, **fields)
    assert isinstance(record, BrokenRecord)
    return record.reason


def test_a_real_export_is_read_whole() -> None:
    with (EXPORTS / "label_studio.json").open("rb") as stream:
        records = list(read_export(stream))
    assert all(isinstance(record, ParsedAnnotation) for record in records)
    assert [
        (record.frame.frame_id - 16777216, record.outcome, [mark.name for mark in record.marks])
        for record in records
    ] == [
        (0, "labelled", ["zero"]),
        (1, "labelled", ["zero", "one"]),
        (2, "nobody", []),
        (3, "cannot_tell", []),
        (4, "cannot_tell", []),  # skipped: was_cancelled
        (5, "labelled", ['se"ven & <b>', "Füchsin é 狐"]),
        (5, "labelled", ["one"]),  # a second annotation of the same task
        (6, "nobody", []),  # an empty result
    ]
    assert records[0].source_id == "ls:1"
    assert records[0].annotator == "1"
    assert records[0].annotated_at == datetime(2026, 11, 21, 10, 12, 26, 306344, tzinfo=UTC)
    assert records[0].frame.video_id == "clip-1"


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_real_export_cut_off_anywhere_is_unreadable_as_a_whole(share: float) -> None:
    data = (EXPORTS / "label_studio.json").read_bytes()
    with pytest.raises(ExportUnreadableError, match=r"half-written|empty|none of the formats"):
        read_export(io.BytesIO(data[: int(len(data) * share)]), "label_studio" if share > 0.1 else None)


def test_two_exports_in_one_file_are_unreadable() -> None:
    with pytest.raises(ExportUnreadableError, match="more text after the list"):
        read_export(io.BytesIO(b"[{}]\n[{}]"), "label_studio")


def test_a_file_of_another_encoding_is_unreadable() -> None:
    with pytest.raises(ExportUnreadableError, match="save it as UTF-8"):
        read_export(io.BytesIO('[{"id": "Füchsin"}]'.encode("latin-1")))


def test_lists_nested_beyond_reason_are_unreadable() -> None:
    with pytest.raises(ExportUnreadableError, match="too deeply"):
        read_export(io.BytesIO(b"[" * 100_000 + b"]" * 100_000), "label_studio")


def test_a_byte_order_mark_and_utf_16_are_read() -> None:
    text = (EXPORTS / "label_studio.json").read_text(encoding="utf-8")
    assert len(list(read_export(io.BytesIO(text.encode("utf-8-sig"))))) == 8
    assert len(list(read_export(io.BytesIO(text.encode("utf-16"))))) == 8


def test_a_number_of_ten_thousand_digits_breaks_its_record_only() -> None:
    data = '[{"id": 1, "data": {"frame_id": %s}, "annotations": [{}]}, {"id": 2, "annotations": 3}]' % (
        "9" * 10_000
    )
    first, second = read_export(io.BytesIO(data.encode()))
    assert isinstance(first, BrokenRecord)
    assert isinstance(second, BrokenRecord)


def test_a_task_that_nobody_answered_is_no_record() -> None:
    assert (
        read([{"id": 1, "data": {"frame_id": 1}, "annotations": [], "predictions": [{"result": [CHOICE]}]}])
        == []
    )


def test_a_task_without_a_list_of_annotations_says_what_to_do() -> None:
    tasks = b'[{"id": 1, "frame_id": 16777216, "answer": "zero", "annotation_id": 3}]'
    (record,) = read_export(io.BytesIO(tasks), "label_studio")
    assert isinstance(record, BrokenRecord)
    assert record.reason == "the task has no list of annotations; export as JSON, not as JSON-MIN"
    assert '"annotation_id": 3' in record.raw


def test_boxes_in_percent_become_fractions() -> None:
    value = {"x": 25, "y": 50, "width": 50, "height": 25, "rotation": 0, "rectanglelabels": ["zero"]}
    (record,) = annotated({"type": "rectanglelabels", "value": value})
    assert record.marks == (Mark("zero", (0.25, 0.5, 0.5, 0.25)),)


def test_a_box_turned_by_a_right_angle_becomes_its_upright_envelope() -> None:
    # 20 % of 640 is 128 pixels wide, 10 % of 480 is 48 high: turned clockwise about its top left corner it
    # reaches 48 pixels to the left and 128 down.
    value = {"x": 50, "y": 50, "width": 20, "height": 10, "rotation": 90, "rectanglelabels": ["one"]}
    result = {"type": "rectanglelabels", "original_width": 640, "original_height": 480, "value": value}
    (record,) = annotated(result)
    assert record.marks[0].box == pytest.approx((0.5 - 48 / 640, 0.5, 48 / 640, 128 / 480))


def test_a_turned_box_in_a_frame_of_no_possible_size_is_broken() -> None:
    value = {"x": 50, "y": 50, "width": 20, "height": 10, "rotation": 30, "rectanglelabels": ["one"]}
    result = {"type": "rectanglelabels", "original_width": 1e308, "original_height": 1e-308, "value": value}
    assert "original_width" in reason(result)


def test_a_choice_for_a_region_carries_the_region() -> None:
    value = {"x": 0, "y": 0, "width": 50, "height": 50, "choices": ["calf"]}
    (record,) = annotated({"type": "rectangle", "value": {}}, {"type": "choices", "value": value})
    assert record.marks == (Mark("calf", (0, 0, 0.5, 0.5)),)


@pytest.mark.parametrize("name", ["?", "cannot tell", "Cannot Tell", "cannot_tell"])
def test_cannot_tell_is_an_outcome_and_no_class(name: str) -> None:
    (record,) = annotated({"type": "choices", "value": {"choices": [name]}})
    assert (record.outcome, record.marks) == ("cannot_tell", ())


def test_notes_beside_the_answer_are_no_classes() -> None:
    (record,) = annotated(CHOICE, {"type": "textarea", "value": {"text": ["asleep"]}})
    assert record.marks == (Mark("zero", None),)


@pytest.mark.parametrize(
    ("completed_by", "annotator"),
    [
        (7, "7"),
        ({"id": 7, "email": "anna@example.org"}, "anna@example.org"),
        ({"id": 7}, "7"),
        (None, "unknown"),
    ],
)
def test_the_annotator_is_never_null(completed_by: Any, annotator: str) -> None:
    (record,) = annotated(CHOICE, completed_by=completed_by)
    assert record.annotator == annotator


def test_without_updated_at_the_time_of_creation_counts() -> None:
    (record,) = annotated(CHOICE, created_at="2026-11-01T12:00:00+02:00")
    assert record.annotated_at == datetime(2026, 11, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"choices": ["zero", "nobody"]}, "contradicts itself"),
        ({"choices": ["zero", "?"]}, "contradicts itself"),
        ({"choices": ["ze\u0000ro"]}, "control or invisible characters"),
        ({"choices": ["\ud800"]}, "control or invisible characters"),
        ({"choices": ["x" * 201]}, "longer than 200"),
        ({"choices": [" "]}, "class is empty"),
        ({"choices": [3]}, "not a name"),
        ({"choices": [["a", "b"]]}, "not a name"),
        ({"choices": "zero"}, "not a list of names"),
        ([], "not a list of names"),
    ],
)
def test_a_choice_that_says_nothing_clear_is_broken_with_its_reason(value: Any, why: str) -> None:
    assert why in reason({"type": "choices", "value": value})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"x": float("nan")}, "not a finite number"),
        ({"x": float("inf")}, "not a finite number"),
        ({"x": "left"}, "not a finite number"),
        ({"x": None}, "not a finite number"),
        ({"width": 0}, "is empty"),
        ({"width": -5}, "is empty"),
        ({"x": 90}, "leaves the frame"),
        ({"y": -10}, "leaves the frame"),
        ({"rotation": 30}, "original_width"),
        ({"rotation": 30, "width": 1e308, "height": 1e308}, "leaves the frame"),
    ],
)
def test_a_box_that_cannot_be_is_broken(changed: dict[str, Any], why: str) -> None:
    value = {
        "x": 10,
        "y": 10,
        "width": 50,
        "height": 50,
        "rotation": 0,
        "rectanglelabels": ["zero"],
        **changed,
    }
    assert why in reason({"type": "rectanglelabels", "value": value})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"result": None}, "not a list"),
        ({"result": [1]}, "not a result"),
        ({"result": [{"type": "brushlabels"}]}, "'brushlabels' are not supported"),
        ({"result": [{}]}, "None are not supported"),
        ({"was_cancelled": "no"}, "not true or false"),
        ({"id": [1]}, "annotation id"),
        ({"id": True}, "annotation id"),
        ({"completed_by": [1]}, "completed_by"),
        ({"updated_at": "yesterday"}, "ISO 8601"),
        ({"updated_at": 1700000000}, "ISO 8601"),
        ({"updated_at": "0001-01-01T00:00:00+14:00"}, "ISO 8601"),
    ],
)
def test_a_field_of_a_wrong_type_breaks_its_annotation(fields: dict[str, Any], why: str) -> None:
    assert why in reason(**fields)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "not an object"),
        ({}, "names no frame"),
        ({"video_id": "clip-1"}, "names no frame"),
        ({"frame_id": -1}, "not in"),
        ({"frame_id": 2**63}, "not in"),
        ({"frame_id": 1.5}, "whole number"),
        ({"frame_id": True}, "whole number"),
        ({"frame_id": {"a": 1}}, "whole number"),
        ({"frame_id": "1.67772E+11"}, "a spreadsheet may have rounded it"),
        ({"video_id": "clip-1", "frame_index": 2**24}, "not in"),
        ({"image": ["a.jpg"]}, "not a path"),
        ({"image": "a\u0000.jpg"}, "not a path"),
    ],
)
def test_a_task_that_names_no_frame_breaks_its_annotations(data: Any, why: str) -> None:
    (record,) = read([{"id": 1, "data": data, "annotations": [{"id": 1, "result": [CHOICE]}]}])
    assert isinstance(record, BrokenRecord)
    assert why in record.reason


def test_what_is_kept_of_a_broken_record_can_be_stored_anywhere() -> None:
    (record,) = annotated({"type": "choices", "value": {"choices": ["a\u0000b\ud800"]}})
    assert "\x00" not in record.raw
    assert record.raw.encode("utf-8")


def test_a_reason_stays_short_whatever_the_record_holds() -> None:
    data = [{letter * 50: ["\U000fa63d" * 90] * 9 for letter in "abcdef"}] * 9
    (record,) = read([{"id": 1, "data": data, "annotations": [{"id": 1, "result": []}]}])
    assert "is not an object" in record.reason
    assert len(record.reason) < 250

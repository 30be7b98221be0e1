"""Label Studio's JSON-MIN as its converter writes it (in exports/), and damage done to such."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from al_assets.labels.formats import azure_ml, coco, csv_rows, label_studio, label_studio_min
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, Mark
from support.mutated_exports import check, mutated_bytes, mutated_json

EXPORTS = Path(__file__).parent / "exports"
FILE = EXPORTS / "label_studio_min.json"
BESIDE = {"annotator": 1, "annotation_id": 5, "created_at": "2026-11-01T12:00:00Z", "updated_at": None}


def read(*items: Any) -> list[Any]:
    return list(label_studio_min.read(io.BytesIO(json.dumps(items).encode())))


def answered(**answers: Any) -> dict[str, Any]:
    """A record in the converter's order: data, id, answers, annotator."""
    return {"frame_id": 16777216, "site": "wood", "id": 1, **answers, **BESIDE}


def test_an_export_is_read_whole_and_a_task_without_an_answer_is_no_record() -> None:
    with FILE.open("rb") as stream:
        records: list[Any] = list(label_studio_min.read(stream))
    assert [
        (record.frame.frame_id - 16777216, record.outcome, record.marks, record.annotator)
        for record in records
    ] == [
        (0, "labelled", (Mark("zero", None),), "1"),
        (1, "labelled", (Mark("zero", None), Mark("Füchsin é 狐", None)), "anna@example.org"),
        (3, "nobody", (), "1"),
        (4, "labelled", (Mark("zero", (0.25, 0.5, 0.5, 0.25)),), "2"),
    ]
    assert records[0].annotated_at == datetime(2026, 11, 21, 10, 12, 26, 306344, tzinfo=UTC)
    assert [record.positions for record in records] == [(1,), (2,), (3,), (4,)]


def test_an_annotation_has_the_same_source_id_as_in_the_full_export() -> None:
    with FILE.open("rb") as flat, (EXPORTS / "label_studio.json").open("rb") as full:
        (first, *_), (same, *_) = label_studio_min.read(flat), label_studio.read(full)
    assert not isinstance(first, BrokenRecord)
    assert not isinstance(same, BrokenRecord)
    assert (first.source_id, first.frame.frame_id, first.annotated_at) == (
        same.source_id,
        same.frame.frame_id,
        same.annotated_at,
    )


def test_several_choices_and_regions_come_in_lists() -> None:
    region = {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["calf"]}
    (record,) = read(answered(species=["zero", {"choices": ["one", "two"]}], box=[region]))
    assert record.marks == (
        Mark("zero", None),
        Mark("one", None),
        Mark("two", None),
        Mark("calf", (0, 0, 0.5, 0.5)),
    )


def test_notes_and_grades_beside_our_choices_are_no_classes() -> None:
    (record,) = read(
        answered(answer="zero", note="asleep", notes=[{"text": ["a", "b"]}], stars=[{"rating": 3}])
    )
    assert record.marks == (Mark("zero", None),)


def test_a_note_on_a_frame_without_a_choice_is_no_class_where_others_have_one() -> None:
    _, record = read(answered(answer="zero"), answered(note="asleep"))
    assert (record.outcome, record.marks) == ("nobody", ())


def test_text_of_two_controls_is_refused_where_none_is_ours() -> None:
    first, second = read(answered(species="zero"), answered(note="asleep"))
    assert "does not say which of 'note', 'species' holds the class" in first.reason
    assert isinstance(second, BrokenRecord)


def test_data_before_the_tasks_id_is_no_answer() -> None:
    (record,) = read({"answer_of_the_model": "one", **answered(answer="zero")})
    assert record.marks == (Mark("zero", None),)


def test_records_in_another_order_are_read_only_where_the_answer_bears_our_name() -> None:
    ordered = {key: value for key, value in sorted(answered(answer="zero").items())}
    foreign = {key: value for key, value in sorted(answered(species="zero").items())}
    first, second = read(ordered, foreign)
    assert first.marks == (Mark("zero", None),)
    assert "not in Label Studio's order" in second.reason


def test_a_file_in_which_no_answer_can_be_seen_is_refused() -> None:
    with pytest.raises(ExportUnreadableError, match="export as JSON"):
        read(answered(), answered())


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (3, "no answer of a JSON-MIN export"),
        ({"id": 1, "frame_id": 1, "answer": "zero"}, "neither annotation_id nor annotator"),
        (answered(answer=[3]), "neither a choice nor a region"),
        (answered(answer=[["zero"]]), "neither a choice nor a region"),
        (answered(answer=["zero", "nobody"]), "contradicts itself"),
        (answered(answer={"choices": "zero"}), "not a list of names"),
        (answered(answer="zero", mask=[{"format": "rle", "brushlabels": ["a"]}]), "'brushlabels' are not"),
        (answered(answer="zero", what=[{"a": 1}]), "'unknown' are not supported"),
        ({**answered(answer="zero"), "frame_id": None}, "names no frame"),
        ({**answered(answer="zero"), "updated_at": "yesterday"}, "ISO 8601"),
        ({**answered(answer="zero"), "annotation_id": [1]}, "annotation id"),
    ],
)
def test_a_record_that_says_nothing_clear_is_broken(item: Any, why: str) -> None:
    _, record = read(answered(answer="zero"), item)
    assert isinstance(record, BrokenRecord)
    assert why in record.reason


def test_the_flat_export_is_recognised_by_no_other_format_nor_the_full_one_as_flat() -> None:
    head = FILE.read_text("utf-8")
    full = (EXPORTS / "label_studio.json").read_text("utf-8")
    for cut in (len(head), 700):
        assert label_studio_min.recognises(head[:cut])
        assert not any(f.recognises(head[:cut]) for f in (azure_ml, coco, csv_rows, label_studio))
    for cut in (len(full), 700):
        assert label_studio.recognises(full[:cut])
        assert not any(f.recognises(full[:cut]) for f in (azure_ml, coco, csv_rows, label_studio_min))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_an_export_cut_off_anywhere_is_unreadable_as_a_whole(share: float) -> None:
    data = FILE.read_bytes()
    with pytest.raises(ExportUnreadableError, match="half-written"):
        label_studio_min.read(io.BytesIO(data[: int(len(data) * share)]))


@given(mutated_json(json.loads(FILE.read_bytes())))
def test_every_record_of_a_mutated_file_ends_in_one_place(data: bytes) -> None:
    check(label_studio_min.read, data)


@given(mutated_bytes(FILE.read_bytes()))
def test_a_damaged_file_is_read_or_refused_as_a_whole(data: bytes) -> None:
    check(label_studio_min.read, data)

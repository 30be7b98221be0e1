"""COCO files as tools write them (in exports/), as we write them, and damage done to such."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.exports.coco_file import CocoFile
from al_assets.exports.rows import ANNOTATIONS, PREDICTIONS
from al_assets.exports.snapshot import Snapshot
from al_assets.labels.formats import azure_ml, coco, csv_rows, label_studio, label_studio_min
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, FrameReference, Mark
from support.mutated_exports import check, mutated_bytes, mutated_json

EXPORTS = Path(__file__).parent / "exports"
CVAT = json.loads((EXPORTS / "coco_cvat.json").read_bytes())
LVIS = json.loads((EXPORTS / "coco_lvis.json").read_bytes())
FRAME = 16777216
OTHERS = (azure_ml, csv_rows, label_studio, label_studio_min)


def read(content: Any) -> list[Any]:
    return list(coco.read(io.BytesIO(json.dumps(content).encode())))


def read_file(name: str) -> list[Any]:
    with (EXPORTS / name).open("rb") as stream:
        records = coco.read(stream)
    return list(records)  # the file may be closed by then


def one(image: dict[str, Any] | None = None, *annotations: dict[str, Any], **top: Any) -> Any:
    """The record of one image of 100 by 100 pixels."""
    images = [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 100, **(image or {})}]
    drawn = [{"id": 1, "image_id": 1, "category_id": 1, **annotation} for annotation in annotations]
    categories = [{"id": 1, "name": "zero"}, {"id": 2, "name": "one"}]
    return read({"images": images, "annotations": drawn, "categories": categories, **top})[0]


def reason(*arguments: Any, **top: Any) -> str:
    record = one(*arguments, **top)
    assert isinstance(record, BrokenRecord)
    return record.reason


def test_a_detection_file_is_one_judgement_an_image_with_boxes_as_fractions() -> None:
    first, second, third = read_file("coco_cvat.json")
    assert first.frame == FrameReference(image="camera 1/img_0001.jpg")
    assert first.marks == (Mark("zero", (0.25, 0.5, 0.5, 0.25)), Mark("Füchsin 狐", (0, 0, 0.1, 0.1)))
    assert (first.annotator, first.source_id, first.judged) == ("unknown", None, None)
    assert (second.outcome, second.marks) == ("nobody", ())
    # 100 by 50 pixels about (320, 240), turned upright by CVAT's 90 degrees.
    assert third.marks[0].box == pytest.approx((295 / 640, 190 / 480, 50 / 640, 100 / 480))


def test_camera_traps_judge_whole_images_and_their_category_empty_is_nobody() -> None:
    first, second = read_file("coco_camera_traps.json")
    assert (first.frame.image, first.marks) == ("S1/IMG_0001.JPG", (Mark("red fox", None),))
    assert (second.outcome, second.marks) == ("nobody", ())


def test_a_class_named_empty_of_another_id_is_a_class() -> None:
    record = one(None, {}, categories=[{"id": 1, "name": "empty"}])
    assert record.marks == (Mark("empty", None),)


def test_lvis_judges_what_it_lists_and_nothing_else() -> None:
    first, second, third = read_file("coco_lvis.json")
    assert (len(first.marks), first.judged) == (2, ("ox", "owl"))
    assert (second.outcome, second.judged) == ("nobody", ("ox", "owl"))
    assert "no class was judged" in third.reason


def test_azure_writes_fractions_and_addresses() -> None:
    first, second = read_file("coco_azure_ml.json")
    assert first.frame.image == "camera-1/img_0001.jpg"
    assert first.marks == (Mark("zero", (0.25, 0.5, 0.5, 0.25)),)
    assert second.frame.image == "UI/2026-05-07/camera-1/img_0002.jpg"
    assert second.marks == (Mark("one", (0.5, 0.5, 0.5, 0.5)),)


def test_boxes_are_in_pixels_as_soon_as_one_reaches_beyond_the_first() -> None:
    record = one(None, {"bbox": [0, 0, 1, 1]}, {"bbox": [0, 0, 50, 50]})
    assert [mark.box for mark in record.marks] == [(0, 0, 0.01, 0.01), (0, 0, 0.5, 0.5)]


def test_a_frame_of_a_listed_video_goes_by_its_number_and_never_by_frame_id_as_key() -> None:
    videos = [{"id": 4, "name": "site/clip.mp4"}]
    record = one({"video_id": 4, "frame_id": 25, "file_name": "clip/000025.jpg"}, videos=videos)
    assert record.frame == FrameReference(video_path="site/clip.mp4", frame_index=25, image="clip/000025.jpg")
    assert "whole number" in reason({"video_id": 4, "frame_number": "x"}, videos=videos)


def row(schema: pa.Schema, **values: Any) -> dict[str, Any]:
    plain = {
        "frame_id": FRAME,
        "video_id": "clip-1",
        "video_path": "é 1.mp4",
        "frame_index": 0,
        "pts_ms": 0,
        "width": 640,
        "height": 480,
        "agreement": 1.0,
        "annotators": 1,
        "annotation_id": 1,
        "checkpoint_id": "m",
    }
    return {field.name: {**plain, **values}.get(field.name) for field in schema}


def exported(schema: pa.Schema, kind: Any, *rows: dict[str, Any]) -> bytes:
    """What `al export` writes of these rows."""
    snapshot = Snapshot(
        kind=kind,
        content_hash="h",
        rows=len(rows),
        frames=1,
        classes={1: "zero", 2: "one"},
        filters={},
        materialization_id=3,
        as_of=datetime(2026, 5, 1, 12),
    )
    sink = io.BytesIO()
    with CocoFile(
        sink, io.BytesIO(), snapshot, lambda video, index: f"stills/{video}/{index:08}.jpg"
    ) as file:
        file.add(pa.RecordBatch.from_pylist([row(schema, **values) for values in rows], schema=schema))
    return sink.getvalue()


def test_our_own_export_comes_back_with_what_was_judged_absent() -> None:
    box = {"box_x": 0.25, "box_y": 0.5, "box_width": 0.001, "box_height": 0.002}
    data = exported(
        ANNOTATIONS,
        "annotations",
        {"class_id": 1, "present": True, **box},
        {"class_id": 2, "present": False},
        {"frame_id": FRAME + 5, "frame_index": 5, "class_id": 2, "present": False},
        {"frame_id": 2 * FRAME, "video_id": "v2", "image_path": "cam/é.png", "class_id": 2, "present": True},
    )
    assert coco.recognises(data.decode())
    first, second, third = coco.read(io.BytesIO(data))
    assert first.frame == FrameReference(video_id="clip-1", frame_index=0)
    assert first.marks[0].box == pytest.approx((0.25, 0.5, 0.001, 0.002))
    assert (first.outcome, first.judged, first.annotator) == ("labelled", ("zero", "one"), "consensus")
    assert (second.frame.frame_index, second.outcome, second.judged) == (5, "nobody", ("one",))
    # In another archive the same still may have another number.
    assert third.frame == FrameReference(image="videos/cam/é.png")
    assert third.marks == (Mark("one", None),)


def test_our_predictions_are_refused_even_where_no_model_saw_anything() -> None:
    seen = exported(PREDICTIONS, "predictions", {"class_id": 1, "confidence": 0.5})
    blank = exported(PREDICTIONS, "predictions", {})
    stripped = json.dumps({**json.loads(seen), "info": {}}).encode()
    for data in (seen, blank, stripped):
        with pytest.raises(ExportUnreadableError, match="predictions of our own models"):
            coco.read(io.BytesIO(data))


def test_another_models_score_breaks_its_image() -> None:
    assert "a model made it" in reason(None, {"score": 0.9})


@pytest.mark.parametrize("missing", ["images", "annotations", "categories"])
def test_a_file_without_one_of_its_lists_is_refused(missing: str) -> None:
    for content in ({key: CVAT[key] for key in CVAT if key != missing}, {**CVAT, missing: {}}):
        with pytest.raises(ExportUnreadableError, match=f"no list of `{missing}`"):
            read(content)


def test_a_list_named_twice_is_refused() -> None:
    text = json.dumps(CVAT)
    with pytest.raises(ExportUnreadableError, match="`images` twice"):
        coco.read(io.BytesIO((text[:-1] + ', "images": []}').encode()))


def test_an_annotation_of_no_image_is_kept_as_broken_after_the_images() -> None:
    records = read({**CVAT, "annotations": [{"image_id": 9, "category_id": 1}, {"category_id": 1}, 3]})
    assert [record.position for record in records if isinstance(record, BrokenRecord)] == [4, 5, 6]
    assert '"image_id": 9' in records[3].raw


def test_images_and_annotations_may_write_an_id_as_text_and_as_number() -> None:
    assert one({"id": "1"}, {"image_id": 1.0}).marks == (Mark("zero", None),)


def test_two_images_of_one_id_are_both_broken() -> None:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]
    records = read({**CVAT, "images": images, "annotations": [{"image_id": 1, "category_id": 1}]})
    assert ["same id" in record.reason for record in records] == [True, True]


def test_an_annotator_whom_all_annotations_name_is_kept() -> None:
    assert one(None, {"annotator": "anna@example.org"}, {"annotator": "anna@example.org"}).annotator == (
        "anna@example.org"
    )
    assert one(None, {"annotator": "anna"}, {"annotator": "ben"}).annotator == "unknown"


@pytest.mark.parametrize(
    ("image", "annotation", "why"),
    [
        ({"id": None}, {}, "no id"),
        ({"file_name": None}, {}, "names no frame"),
        ({"file_name": ["a.jpg"]}, {}, "not a path"),
        ({}, {"category_id": 3}, "no name among the categories"),
        ({}, {"category_id": None}, "no name among the categories"),
        ({"width": None}, {"bbox": [1, 1, 9, 9]}, "need the image's width"),
        ({"height": 0}, {"bbox": [1, 1, 9, 9]}, "need the image's width"),
        ({}, {"bbox": [1, 1, 9]}, "not a list of x, y, width and height"),
        ({}, {"bbox": [1, 1, 9, float("nan")]}, "not a finite number"),
        ({}, {"bbox": [1, 1, 9, 0]}, "is empty"),
        ({}, {"bbox": [90, 1, 50, 9]}, "leaves the frame"),
        ({"neg_category_ids": 1}, {}, "is not a list"),
        ({"neg_category_ids": [9]}, {}, "no name among the categories"),
        ({"neg_category_ids": [1]}, {}, "present and absent"),
    ],
)
def test_an_image_that_says_nothing_clear_is_broken(image: Any, annotation: Any, why: str) -> None:
    assert why in reason(image, annotation)


def test_a_turned_box_without_size_or_place_is_broken() -> None:
    for box in ([9, 9, 9, 0], [9, 9, 1e308, 1e308], [-1e308, 9, 9, 9]):
        assert "leaves the frame" in reason(None, {"bbox": box, "attributes": {"rotation": 30}})


def test_a_category_of_two_names_breaks_the_images_that_use_it() -> None:
    categories = [{"id": 1, "name": "zero"}, {"id": 1, "name": "one"}, {"id": 1, "name": "two"}]
    assert "two names" in reason(None, {}, categories=categories)


def test_a_box_turned_by_text_is_broken() -> None:
    assert "rotation" in reason(None, {"bbox": [9, 9, 9, 9], "attributes": {"rotation": "x"}})


def test_coco_is_recognised_in_whatever_order_and_by_no_other_format() -> None:
    for file in EXPORTS.glob("coco*.json"):
        head = file.read_text("utf-8")
        assert coco.recognises(head[:400])
        assert not any(other.recognises(head) for other in OTHERS)
    for name in ("images", "annotations", "categories"):
        assert coco.recognises(json.dumps({name: LVIS[name]})[:200])


def test_other_json_is_not_recognised() -> None:
    results = '[{"image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "score": 0.5}]'
    for head in (results, '{"id": 1, "annotations": [{"result": []}]}', '{"images": 3}', "{}", "", "{"):
        assert not coco.recognises(head)
    assert not label_studio.recognises(results)


@given(st.one_of(mutated_json(CVAT), mutated_json(LVIS)))
def test_every_image_of_a_mutated_file_ends_in_one_place(data: bytes) -> None:
    check(coco.read, data)
    coco.recognises(data.decode("utf-8", errors="ignore"))


@given(mutated_bytes((EXPORTS / "coco_lvis.json").read_bytes()))
def test_a_damaged_file_is_read_or_refused_as_a_whole(data: bytes) -> None:
    check(coco.read, data)


@given(st.integers(1, len(json.dumps(CVAT)) - 1))
def test_a_file_cut_anywhere_yields_nothing(cut: int) -> None:
    with pytest.raises(ExportUnreadableError):
        coco.read(io.BytesIO(json.dumps(CVAT).encode()[:cut]))

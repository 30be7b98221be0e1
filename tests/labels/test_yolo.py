"""YOLO data sets as Ultralytics, CVAT and darknet lay them out (in exports/), and damage done to such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from al_assets.labels.formats import UnknownFormatError, detect, yolo
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError
from support.mutated_exports import check
from support.mutated_texts import mutated_files
from support.zips import bundle, files_of

EXPORTS = Path(__file__).parent / "exports"
ULTRALYTICS = files_of(EXPORTS / "yolo_ultralytics")
DARKNET = files_of(EXPORTS / "yolo_darknet")


def read(files: dict[str, Any]) -> list[Any]:
    assert yolo.recognises_bundle(list(files))
    return list(yolo.read_bundle(bundle(files)))


def label(line: str, **more: str) -> Any:
    (record,) = read({"classes.txt": "zero\none\n", "a.txt": line, **more})
    return record


def image(files: dict[str, Any]) -> str:
    (record,) = read({"classes.txt": "zero\n", **files})
    return str(record.frame.image)


def test_a_data_set_of_ultralytics_is_read_whole() -> None:
    assert [(r.frame.image, r.outcome, [mark.name for mark in r.marks]) for r in read(ULTRALYTICS)] == [
        ("site-a/0001.png", "labelled", ["zero", "no"]),
        ("site-a/0002.png", "nobody", []),
        ("site-a/0003.png", "labelled", ["Füchsin é 狐"]),
    ]


def test_a_data_set_of_darknet_is_read_whole() -> None:
    assert [(r.frame.image, [mark.name for mark in r.marks]) for r in read(DARKNET)] == [
        ("0001.jpg", ["one"]),
        ("0002.jpg", []),
    ]


def test_centres_become_corners_and_polygons_their_envelope() -> None:
    first, _, third = read(ULTRALYTICS)
    assert first.marks[0].box == pytest.approx((0.1, 0.1, 0.4, 0.4))
    assert third.marks[0].box == pytest.approx((0.1, 0.1, 0.4, 0.4))


def test_a_confidence_is_not_read_and_corners_of_a_turned_box_become_its_envelope() -> None:
    assert label("0 0.3 0.3 0.4 0.4 0.87").marks[0].box == pytest.approx((0.1, 0.1, 0.4, 0.4))
    assert label("0 0.1 0.3 0.3 0.1 0.5 0.3 0.3 0.5").marks[0].box == pytest.approx((0.1, 0.1, 0.4, 0.4))


@pytest.mark.parametrize(
    "names",
    [
        "names: [zero, 'one']",
        "names:\n- zero\n- one",
        "names: {0: zero, 1: one}",
        "names:\n  1: one\n  0: zero\nnc: 2",
    ],
)
def test_classes_are_read_from_each_form_of_data_yaml(names: str) -> None:
    (record,) = read({"data.yaml": names, "labels/a.txt": "1 0.5 0.5 0.1 0.1"})
    assert record.marks[0].name == "one"


def test_a_class_may_have_a_name_that_yaml_takes_for_a_value() -> None:
    (record,) = read(
        {"data.yaml": "names: [no, 1.0, 2024-01-01]", "labels/a.txt": "0 0.5 0.5 0.1 0.1\n2 0.5 0.5 1 1"}
    )
    assert [mark.name for mark in record.marks] == ["no", "2024-01-01"]


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"labels/train/x/a.txt": ""}, "x/a.jpg"),
        ({"train/labels/x/a.txt": "", "train/images/x/a.png": b""}, "x/a.png"),
        ({"x/a.txt": "", "x/a.JPG": b""}, "x/a.JPG"),
        ({"obj_train_data/x/a.txt": "", "train.txt": "data/obj_train_data/x/a.webp\n"}, "x/a.webp"),
        ({"labels/train/a.txt": "", "train.txt": "/content/set/images/train/a.png\n"}, "a.png"),
        ({"site-a/labels/a.txt": "", "site-b/images/a.png": b"", "site-a/images/a.jpg": b""}, "site-a/a.jpg"),
    ],
)
def test_the_image_of_a_label_file_is_found_in_each_layout(files: dict[str, Any], path: str) -> None:
    assert image(files) == path


def test_a_folder_around_the_whole_data_set_is_no_part_of_the_paths() -> None:
    (record,) = read({"my set/classes.txt": "zero", "my set/labels/a.txt": ""})
    assert record.frame.image == "a.jpg"


def test_lists_and_notes_beside_the_labels_are_no_records() -> None:
    files = {
        "classes.txt": "zero",
        "a.txt": "",
        "train.txt": "a.jpg",
        "README.dataset.txt": "hello",
        "notes.txt": "x",
    }
    assert len(read(files)) == 1


def test_two_label_files_about_one_image_are_broken() -> None:
    files = {"classes.txt": "zero", "labels/train/a.txt": "", "labels/val/a.txt": "0 0.5 0.5 0.1 0.1"}
    assert all("2 label files are about 'a'" in record.reason for record in read(files))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2 0.5 0.5 0.1 0.1", "class 2 is not in the list of 2 classes"),
        ("zero 0.5 0.5 0.1 0.1", "the class 'zero' is not a whole number"),
        ("-1 0.5 0.5 0.1 0.1", "the class"),
        ("0 0.5 0.5 0.1", "neither a box nor a polygon"),
        ("0 " + "0.5 " * 7, "neither a box nor a polygon"),
        ("0", "neither a box nor a polygon"),
        ("0 0.5 0.5 nan 0.1", "not a finite number"),
        ("0 0.5 0.5 1e999 0.1", "not a finite number"),
        ("0 0.5 0.5 0 0.1", "is empty"),
        ("0 320 240 64 48", "not pixels"),
    ],
)
def test_a_line_that_says_nothing_clear_breaks_its_file(line: str, why: str) -> None:
    record = label(f"0 0.3 0.3 0.4 0.4\n{line}\n")
    assert isinstance(record, BrokenRecord)
    assert why in record.reason
    assert line in record.raw


def test_points_of_a_pose_are_refused() -> None:
    files = {
        "data.yaml": "names: [zero]\nkpt_shape: [2, 2]",
        "labels/a.txt": "0 0.5 0.5 0.1 0.1 0.5 0.5 0.6 0.6",
    }
    assert "points of a pose" in read(files)[0].reason


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"data.yaml": "names: [zero"}, "is not YAML"),
        ({"data.yaml": "[" * 5000}, "is not YAML"),
        ({"data.yaml": "train: x"}, "lists no classes"),
        ({"data.yaml": "names: {x: zero}"}, "class number 'x'"),
        ({"data.yaml": "names: [[zero]]"}, "is not text"),
        ({"data.yaml": "names: [zero]\n" + "#" * 300_000}, "too large"),
        ({"data.yaml": "names: [zero]", "classes.txt": "one"}, "list different classes"),
        ({"classes.txt": "zero\n\x00"}, "control or invisible"),
        ({"classes.txt": ""}, "is empty"),
        ({"classes.txt": b"\xff\xfe\x00"}, "half-written"),
    ],
)
def test_without_a_clear_list_of_classes_the_zip_is_unreadable(files: dict[str, Any], why: str) -> None:
    with pytest.raises(ExportUnreadableError, match=why):
        yolo.read_bundle(bundle({**files, "a.txt": ""}))


@pytest.mark.parametrize(
    "names",
    [
        ["classes.txt"],
        ["a.txt"],
        ["labelmap.txt", "Annotations/a.xml"],
        ["conf.yaml", "a.txt", "b.csv"],
        ["datapackage.json", "media.csv"],
        [],
    ],
)
def test_zips_of_other_formats_are_not_taken(names: list[str]) -> None:
    assert not yolo.recognises_bundle(names)


def test_a_label_file_alone_is_refused() -> None:
    with pytest.raises(UnknownFormatError):
        detect(b"0 0.5 0.5 0.1 0.1\n")


@pytest.mark.parametrize("valid", [ULTRALYTICS, DARKNET], ids=["ultralytics", "darknet"])
def test_every_label_file_of_a_damaged_zip_is_imported_or_rejected(valid: dict[str, bytes]) -> None:
    @settings(deadline=None)
    @given(mutated_files(valid))
    def holds(files: dict[str, bytes]) -> None:
        check(lambda _: yolo.read_bundle(bundle(files)), b"")

    holds()

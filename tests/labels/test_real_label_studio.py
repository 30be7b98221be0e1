"""Exports that Label Studio 1.23.2 wrote of two projects of ours, in every form that it offers, read in full.

Two people answered: choices (one task twice, one corrected, "nobody", "cannot tell", one skipped, a ground truth,
suggestions of a model), and boxes (one task twice, one turned by a right angle, one empty, one skipped).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from al_assets.labels.formats import open_export
from al_assets.labels.formats.records import ExportUnreadableError, ParsedAnnotation
from support.imports import FRAMES, Imports
from support.small_archives import empty_archive

EXPORTS = Path(__file__).parent / "exports"
ZERO = ("zero", (0.25, 0.5, 0.5, 0.25))
ONE = ("one", (0.0, 0.0, 0.1, 0.1))
TURNED = ("one", (0.25, 0.4, 0.15, 0.2667))
"""A square of a fifth of a 4:3 image, turned by 90 degrees about its corner."""


def path(name: str) -> Path:
    return EXPORTS / f"real_label_studio_{name}"


def read(name: str) -> tuple[str, list[ParsedAnnotation]]:
    with path(name).open("rb") as stream:
        format, records = open_export(stream)
        found = list(records)
    assert all(isinstance(record, ParsedAnnotation) for record in found)
    return format, [record for record in found if isinstance(record, ParsedAnnotation)]


def names(record: ParsedAnnotation) -> tuple[str, ...]:
    return tuple(mark.name for mark in record.marks)


def boxes(record: ParsedAnnotation) -> list[tuple[str, Any]]:
    return [(m.name, tuple(round(side, 4) for side in m.box) if m.box else None) for m in record.marks]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Imports]:
    archive = Imports(empty_archive(tmp_path))
    yield archive
    archive.archive.database.close()


def test_choices_are_read_with_what_was_skipped_and_by_whom() -> None:
    format, records = read("choices.json")
    assert format == "label_studio"
    assert [(r.frame.frame_id, r.annotator, r.outcome, names(r)) for r in records] == [
        (FRAMES[0], "7", "labelled", ("zero",)),
        (FRAMES[0], "8", "labelled", ("one", "Füchsin é 狐")),
        (FRAMES[1], "7", "labelled", ("one",)),  # corrected: it was another class at first
        (FRAMES[2], "7", "nobody", ()),
        (FRAMES[3], "8", "cannot_tell", ()),
        (FRAMES[4], "7", "cannot_tell", ()),  # skipped
    ]


def test_the_flat_export_says_the_same_but_for_what_was_skipped() -> None:
    _, full = read("choices.json")
    format, flat = read("choices_min.json")
    assert format == "label_studio_min"
    said = {
        (r.source_id, r.frame.frame_id, r.annotator, r.annotated_at, r.outcome, names(r)) for r in full[:5]
    }
    assert {
        (r.source_id, r.frame.frame_id, r.annotator, r.annotated_at, r.outcome, names(r)) for r in flat
    } == said


@pytest.mark.parametrize("name", ["boxes.json", "boxes_min.json"])
def test_boxes_are_read_as_fractions_of_the_frame(name: str) -> None:
    _, records = read(name)
    found = {(r.frame.frame_id, r.annotator): boxes(r) for r in records if r.outcome == "labelled"}
    assert found == {
        (FRAMES[0], "7"): [ZERO, ONE],
        (FRAMES[0], "8"): [("zero", (0.26, 0.5, 0.49, 0.25))],
        (FRAMES[1], "7"): [TURNED],
    }


@pytest.mark.parametrize(
    ("name", "format", "turned"),
    [
        # Label Studio writes the turned box's corners here,
        ("boxes_yolo_obb.zip", "yolo", TURNED[1]),
        # the box before it was turned here,
        ("boxes_yolo.zip", "yolo", (0.4, 0.4, 0.2, 0.2)),
        ("boxes_voc.zip", "pascal_voc", (0.4, 0.4, 0.2, 0.2)),
        # and one turned as if the image were square here.
        ("boxes_coco.zip", "coco", (0.2, 0.4, 0.2, 0.2)),
    ],
)
def test_the_forms_that_only_have_boxes_are_read_and_find_their_frames(
    archive: Imports, name: str, format: str, turned: tuple[float, ...]
) -> None:
    found, records = read(name)
    assert found == format
    shown = {mark for record in records for mark in boxes(record)}
    assert {ZERO, ONE, ("one", turned)} <= shown
    archive.drop(f"label_exports/{name}", path(name).read_bytes())
    archive.learn()
    assert {0, 1} <= archive.labels().keys() <= {0, 1, 2}
    assert archive.labels()[1] == {"one"}
    assert archive.ledger() == [("imported", len(records), 0)]


@pytest.mark.parametrize("name", ["choices_coco.zip", "choices_yolo.zip"])
def test_a_form_that_loses_choices_is_refused_and_never_read_as_nobody(name: str) -> None:
    with pytest.raises(ExportUnreadableError, match=r"leaves choices out of its .* export; export as JSON"):
        read(name)


@pytest.mark.parametrize("name", ["choices.csv", "boxes.csv"])
def test_label_studios_own_table_is_refused_with_what_to_export(name: str) -> None:
    with pytest.raises(ExportUnreadableError, match="none of the formats label_studio"):
        read(name)


def test_every_record_of_the_full_export_becomes_an_annotation(archive: Imports) -> None:
    archive.drop("label_exports/choices.json", path("choices.json").read_bytes())
    archive.learn()
    assert archive.ledger() == [("imported", 6, 0)]
    assert archive.labels()[1] == {"one"}
    assert archive.labels()[2] == set()

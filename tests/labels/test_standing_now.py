"""What counts now: split classes leave open which part is meant, and single_label takes one answer a person."""

from __future__ import annotations

import pytest

from al_assets.keys import frame_id
from al_assets.labels.assets import class_book, current_labels
from al_assets.settings import parse_settings
from resources.archive import Archive
from resources.database import Database
from resources.storage import Storage
from support.archive_rows import NOW, ArchiveRows

FRAME = frame_id(1, 0)


@pytest.fixture
def archive(database: Database, local_storage: Storage) -> Archive:
    rows = ArchiveRows(database)
    rows.classes("zero", "one", "two")
    rows.video(1, [0, 400])
    rows.export(1)
    return Archive(database=database, storage=local_storage)


def said(archive: Archive, task: str) -> dict[int, int]:
    """class_id -> present, of the first frame."""
    rows = current_labels(archive, parse_settings({"task": task})).to_pylist()
    return {row["class_id"]: row["present"] for row in rows if row["frame_id"] == FRAME}


def split_zero(archive: Archive) -> None:
    archive.classes.split("zero", ["nought", "oh"], NOW)


@pytest.mark.parametrize("judged_through", [3, 9])
def test_who_named_a_split_class_has_not_judged_its_parts(archive: Archive, judged_through: int) -> None:
    rows = ArchiveRows(archive.database)
    rows.annotation(1 << 32, FRAME, "anna", "labelled", 1, 2, judged_through=judged_through)
    split_zero(archive)
    assert said(archive, "multi_label") == {2: 1, 3: 0}


def test_parts_of_parts_are_open_too(archive: Archive) -> None:
    ArchiveRows(archive.database).annotation(1 << 32, FRAME, "anna", "labelled", 1)
    split_zero(archive)
    archive.classes.split("oh", ["oh one", "oh two"], NOW)
    assert said(archive, "multi_label") == {2: 0, 3: 0}


def test_who_cannot_tell_and_takes_it_back_is_not_counted(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    rows.annotation(1 << 32, FRAME, "anna", "cannot_tell")
    assert archive.labels.totals()["unclear_frames"] == 1
    rows.annotation((1 << 32) + 1, FRAME, "anna", "deleted")
    assert archive.labels.totals()["unclear_frames"] == 0


def test_who_named_a_part_has_judged_the_others(archive: Archive) -> None:
    split_zero(archive)
    ArchiveRows(archive.database).annotation(1 << 32, FRAME, "anna", "labelled", 4)
    assert said(archive, "multi_label") == {2: 0, 3: 0, 4: 1, 5: 0}


def test_listed_judgements_stay_as_listed_but_for_the_parts(archive: Archive) -> None:
    split_zero(archive)
    ArchiveRows(archive.database).annotation(1 << 32, FRAME, "anna", "labelled", 1, judged="[1, 3, 4]")
    assert said(archive, "multi_label") == {3: 0}


def test_a_class_out_of_use_is_not_the_answer_nobody(archive: Archive) -> None:
    ArchiveRows(archive.database).annotation(1 << 32, FRAME, "anna", "labelled", 1)
    split_zero(archive)
    assert said(archive, "single_label") == {}


def test_an_answer_of_two_classes_is_none_in_single_label(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    rows.annotation(1 << 32, FRAME, "anna", "labelled", 2, 3)
    assert said(archive, "single_label") == {}
    rows.annotation((1 << 32) + 1, FRAME, "ben", "labelled", 2)
    assert said(archive, "single_label")[2] == 1


def test_the_book_of_classes_knows_what_counts_as_what(archive: Archive) -> None:
    archive.classes.merge("two", "one", NOW)
    book = class_book(archive, parse_settings({}).classes)
    assert [book.counts_as(name) for name in ("zero", "one", "two")] == [1, 2, 2]


def test_a_label_names_the_latest_annotation_that_says_so(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    for number, (annotator, outcome, *marks) in enumerate(
        [("anna", "labelled", 1), ("cleo", "labelled", 1), ("ben", "nobody"), ("dora", "cannot_tell")]
    ):
        rows.annotation((1 << 32) + number, FRAME, annotator, outcome, *marks)
    found = {row["class_id"]: row for row in current_labels(archive, parse_settings({})).to_pylist()}
    assert found[1]["annotation_id"] == (1 << 32) + 1
    assert found[2]["annotation_id"] == (1 << 32) + 2

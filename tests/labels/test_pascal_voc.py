"""Pascal VOC as LabelImg writes one file and CVAT packs many (in exports/), and damage done to such."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from al_assets.labels.formats import pascal_voc
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, FrameReference, Mark
from support.mutated_exports import check, mutated_bytes
from support.mutated_texts import mutated_files, mutated_text
from support.zips import bundle, files_of

EXPORTS = Path(__file__).parent / "exports"
ONE = (EXPORTS / "pascal_voc.xml").read_text(encoding="utf-8")
MANY = files_of(EXPORTS / "pascal_voc_cvat")


def read(text: str) -> Any:
    (record,) = pascal_voc.read(io.BytesIO(text.encode()))
    return record


def test_a_single_file_is_one_record() -> None:
    assert pascal_voc.recognises(ONE)
    record = read(ONE)
    assert record.frame == FrameReference(image="0001.jpg")
    assert record.marks == (Mark("zero", (0.1, 0.1, 0.4, 0.4)),)
    assert record.positions == (1,)


def test_a_zip_of_many_is_a_record_each_and_lists_beside_them_are_none() -> None:
    assert pascal_voc.recognises_bundle(list(MANY))
    marked, empty = pascal_voc.read_bundle(bundle(MANY))
    assert not isinstance(marked, BrokenRecord)
    assert not isinstance(empty, BrokenRecord)
    assert marked.frame == FrameReference(
        frame_id=16777217
    )  # an attribute of the object wins over the file name
    assert marked.marks[0].box == pytest.approx((0.5, 0.5, 0.5, 0.5))
    assert (empty.frame.image, empty.outcome, empty.positions) == ("site-a/0003.jpg", "nobody", (2,))


def test_our_own_keys_below_the_root_win_over_the_file_name() -> None:
    text = ONE.replace("<segmented>", "<video_id>clip-1</video_id><frame_index>7</frame_index><segmented>")
    assert read(text).frame == FrameReference(video_id="clip-1", frame_index=7)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<width>640</width>", "", "does not give the picture's size"),
        ("<width>640</width>", "<width>0</width>", "is not possible"),
        ("<xmin>64</xmin>", "", "xmin None is not a finite number"),
        ("<xmax>320</xmax>", "<xmax>NaN</xmax>", "xmax 'NaN'"),
        ("<xmax>320</xmax>", "<xmax>9000</xmax>", "leaves the picture"),
        ("<xmax>320</xmax>", "<xmax>64</xmax>", "is empty"),
        ("<name>zero</name>", "", "the object's name is empty"),
        ("bndbox>", "robndbox>", "has no bndbox"),
        ("<filename>0001.jpg</filename>", "", "names no frame"),
        ("<segmented>", "<frame_id>-1</frame_id><segmented>", "frame_id '-1'"),
    ],
)
def test_a_file_that_says_nothing_clear_is_broken_with_its_reason(old: str, new: str, why: str) -> None:
    record = read(ONE.replace(old, new))
    assert isinstance(record, BrokenRecord)
    assert why in record.reason
    assert "<annotation>" in record.raw


def test_a_single_file_that_is_cut_off_is_unreadable() -> None:
    with pytest.raises(ExportUnreadableError, match="not whole XML"):
        pascal_voc.read(io.BytesIO(ONE[:-5].encode()))


def test_one_damaged_file_of_a_zip_breaks_its_own_record_only() -> None:
    first, second = pascal_voc.read_bundle(bundle({"a.xml": ONE[:-5], "b.xml": ONE}))
    assert isinstance(first, BrokenRecord)
    assert first.reason.startswith("'a.xml': the file is not whole XML")
    assert not isinstance(second, BrokenRecord)


@pytest.mark.parametrize(
    "names", [["annotations.xml"], ["datapackage.json", "a.xml"], ["eml.xml", "a.csv"], ["a.jpg"], []]
)
def test_zips_of_other_formats_are_not_taken(names: list[str]) -> None:
    assert not pascal_voc.recognises_bundle(names)


@settings(deadline=None)
@given(mutated_text(ONE))
def test_a_damaged_file_is_imported_rejected_or_refused(data: bytes) -> None:
    check(pascal_voc.read, data)


@settings(deadline=None)
@given(mutated_bytes(ONE.encode()))
def test_a_file_with_foreign_bytes_is_imported_rejected_or_refused(data: bytes) -> None:
    check(pascal_voc.read, data)


@settings(deadline=None)
@given(mutated_files(MANY))
def test_every_file_of_a_damaged_zip_is_imported_or_rejected(files: dict[str, bytes]) -> None:
    found = check(lambda _: pascal_voc.read_bundle(bundle(files)), b"")
    assert len(found) == sum(name.endswith(".xml") for name in files)

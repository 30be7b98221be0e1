"""CVAT for images: files in the layout of release 2.x (in exports/), and damage done to such."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from al_assets.labels.formats import cvat
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, FrameReference, Mark
from support.mutated_exports import check, mutated_bytes
from support.mutated_texts import mutated_text
from support.zips import bundle

EXPORTS = Path(__file__).parent / "exports"
IMAGES = (EXPORTS / "cvat_images.xml").read_text(encoding="utf-8")
BOX = 'label="zero" xtl="64" ytl="48" xbr="320" ybr="240"'


def read(text: str) -> list[Any]:
    return list(cvat.read(io.BytesIO(text.encode())))


def image(inner: str, attributes: str = 'name="a.jpg" width="640" height="480"') -> Any:
    (record,) = read(f"<annotations><version>1.1</version><image {attributes}>{inner}</image></annotations>")
    return record


def reason(inner: str, attributes: str = 'name="a.jpg" width="640" height="480"') -> str:
    record = image(inner, attributes)
    assert isinstance(record, BrokenRecord)
    return record.reason


def test_an_export_of_images_is_read_whole() -> None:
    assert cvat.recognises(IMAGES[:200])
    assert [
        (record.frame.image, record.outcome, [mark.name for mark in record.marks]) for record in read(IMAGES)
    ] == [
        ("site-a/0001.jpg", "labelled", ["zero", "one"]),
        ("site-a/0002.jpg", "nobody", []),  # listed, so somebody looked at it
        ("site-a/0003.jpg", "labelled", ['Füchsin & "é" 狐']),
        ("site-a/0004.jpg", "labelled", ["one"]),
        (None, "labelled", ["zero", "one", "one"]),  # its frame_id wins
        ("site-a/0006.jpg", "cannot_tell", []),
    ]


def test_boxes_in_pixels_become_fractions_and_tags_have_none() -> None:
    first, _, tagged, *_ = read(IMAGES)
    assert first.marks[0] == Mark("zero", (0.1, 0.1, 0.4, 0.4))
    assert tagged.marks[0].box is None


def test_a_turned_box_becomes_its_upright_envelope_about_its_centre() -> None:
    # 200 x 100 pixels about (320, 240), turned by a right angle: 100 wide and 200 high.
    assert read(IMAGES)[3].marks[0].box == pytest.approx((270 / 640, 140 / 480, 100 / 640, 200 / 480))


def test_a_corner_that_turns_out_of_the_picture_is_clipped() -> None:
    box = 'label="zero" xtl="0" ytl="0" xbr="100" ybr="100" rotation="45"'
    assert image(f"<box {box}/>").marks[0].box[:2] == (0, 0)


def test_polygons_masks_and_ellipses_become_their_envelope() -> None:
    polygon, mask, ellipse = (mark.box for mark in read(IMAGES)[4].marks)
    assert polygon == pytest.approx((0.1, 0.1, 0.4, 0.4))
    assert mask == pytest.approx((0.1, 0.1, 0.2, 0.2))
    assert ellipse == pytest.approx((0.4, 0.4, 0.2, 0.2))


def test_an_attribute_frame_id_wins_over_the_name() -> None:
    assert read(IMAGES)[4].frame == FrameReference(frame_id=16777220)


def test_the_assignee_is_the_annotator_and_answers_have_no_time() -> None:
    record = read(IMAGES)[0]
    assert (record.annotator, record.annotated_at, record.source_id) == ("anna", None, None)
    assert image("").annotator == "unknown"


def test_the_file_is_found_in_the_zip_that_cvat_makes() -> None:
    files = {"annotations.xml": IMAGES, "images/site-a/0001.jpg": b"\xff\xd8"}
    assert cvat.recognises_bundle(list(files))
    assert len(list(cvat.read_bundle(bundle(files)))) == 6
    with pytest.raises(ExportUnreadableError, match="holds 2 files"):
        cvat.read_bundle(bundle({"a/annotations.xml": IMAGES, "b/annotations.xml": IMAGES}))


def test_frames_of_a_video_listed_as_images_are_found_in_the_video() -> None:
    meta = "<meta><task><mode>interpolation</mode><source>clip.mp4</source></task></meta>"
    xml = f"<annotations>{meta}<image id='12' name='frame_000012' width='640' height='480'/></annotations>"
    (record,) = read(xml)
    assert record.frame == FrameReference(video_path="clip.mp4", frame_index=12)
    assert read(xml.replace("<source>clip.mp4</source>", ""))[0].reason.startswith(
        "the file does not name the video"
    )


@pytest.mark.parametrize(
    ("inner", "why"),
    [
        ("<box label='zero' xtl='nan' ytl='0' xbr='9' ybr='9'/>", "xtl 'nan' is not a finite number"),
        ("<box label='zero' ytl='0' xbr='9' ybr='9'/>", "xtl None is not a finite number"),
        ("<box label='zero' xtl='9' ytl='0' xbr='9' ybr='9'/>", "is empty"),
        ("<box label='zero' xtl='0' ytl='0' xbr='700' ybr='9'/>", "leaves the picture of 640 x 480 pixels"),
        ("<box label='zero' xtl='-1e308' ytl='0' xbr='1e308' ybr='9' rotation='45'/>", "too large"),
        (f"<box {BOX} rotation='up'/>", "rotation 'up'"),
        ("<box xtl='0' ytl='0' xbr='9' ybr='9'/>", "label None is not text"),
        ("<tag label=''/>", "label is empty"),
        ("<tag label='zero'/><tag label='nobody'/>", "contradicts itself"),
        ("<polygon label='zero' points='1,2;3,4'/>", "are no polygon"),
        ("<polygon label='zero' points='1,2;3,4;5'/>", "are no polygon"),
        ("<points label='zero' points='1,2'/>", "'points' are not supported"),
        ("<skeleton label='zero'/>", "'skeleton' are not supported"),
        (
            "<tag label='zero'><attribute name='frame_id'>1</attribute></tag>"
            "<tag label='one'><attribute name='frame_id'>2</attribute></tag>",
            "name two frames",
        ),
        ("<tag label='zero'><attribute name='frame_id'>x</attribute></tag>", "frame_id 'x'"),
    ],
)
def test_a_mark_that_says_nothing_clear_breaks_its_image(inner: str, why: str) -> None:
    assert why in reason(inner)


def test_a_picture_without_size_takes_tags_but_no_boxes() -> None:
    assert "picture's size" in reason(f"<box {BOX}/>", 'name="a.jpg"')
    assert "not possible" in reason(f"<box {BOX}/>", 'name="a.jpg" width="0" height="480"')
    assert image('<tag label="zero"/>', 'name="a.jpg"').outcome == "labelled"


def test_a_picture_without_name_is_broken() -> None:
    assert "names no frame" in reason("", 'width="640" height="480"')


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.9999])
def test_an_export_cut_off_anywhere_is_unreadable_as_a_whole(share: float) -> None:
    data = IMAGES.encode()
    with pytest.raises(ExportUnreadableError, match="not whole XML"):
        cvat.read(io.BytesIO(data[: int((len(data) - 2) * share)]))


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><annotations>&x;</annotations>', "document type or entities"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>', "document type or entities"),
        ("<annotations>" + "<a>" * 1000 + "</a>" * 1000 + "</annotations>", "too deeply"),
        ("<annotation/>", "begins with 'annotation'"),
        ('<?xml version="1.0" encoding="klingon"?><annotations/>', "not whole XML"),
        ("<annotations/><annotations/>", "not whole XML"),
    ],
)
def test_xml_that_no_tool_writes_is_refused(xml: str, why: str) -> None:
    with pytest.raises(ExportUnreadableError, match=why):
        cvat.read(io.BytesIO(xml.encode()))


@pytest.mark.parametrize(
    ("head", "known"),
    [
        ("<annotations>", True),
        ("\ufeff<?xml version='1.0'?>\n<!-- a --><!-- b -->\n<annotations >", True),
        ("<annotations/>", True),
        ("<annotation>", False),
        ("<annotationsfile>", False),
        ("<!DOCTYPE html><html>", False),
        ("<!--" * 10_000, False),
        ("<!-- -->" * 8_000, False),
        ("annotations", False),
        ("", False),
    ],
)
def test_the_format_is_known_by_its_root(head: str, known: bool) -> None:
    assert cvat.recognises(head) is known


def test_twenty_thousand_images_are_read_in_seconds() -> None:
    one = re.search(r'  <image id="0".*?</image>\n', IMAGES, re.S)
    assert one is not None
    text = "<annotations>" + one.group() * 20_000 + "</annotations>"
    start = time.perf_counter()
    assert len(read(text)) == 20_000
    assert time.perf_counter() - start < len(text) / 1e6


@settings(deadline=None)
@given(mutated_text(IMAGES))
def test_every_record_of_a_damaged_export_is_imported_or_rejected(data: bytes) -> None:
    check(cvat.read, data)


@settings(deadline=None)
@given(mutated_bytes(IMAGES.encode()))
def test_an_export_with_foreign_bytes_is_read_or_refused_as_a_whole(data: bytes) -> None:
    check(cvat.read, data)

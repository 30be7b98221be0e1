"""Camtrap-DP 1.0 packages, in the layout of the standard's example (in exports/), and damage done to such."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from al_assets.labels.formats import UnknownFormatError, camtrap_dp, detect
from al_assets.labels.formats.records import (
    BrokenRecord,
    ExportUnreadableError,
    FrameReference,
    Mark,
    ParsedAnnotation,
)
from support.mutated_exports import check
from support.mutated_texts import mutated_files
from support.zips import bundle, files_of

PACKAGE = files_of(Path(__file__).parent / "exports" / "camtrap_dp")
MEDIA = (
    "mediaID,timestamp,filePath,fileName,fileMediatype\n"
    "m1,2020-05-30T02:57:37Z,site-a/1.jpg,1.jpg,image/jpeg\n"
    "v1,2020-05-30T03:00:00Z,site-a/clip.mp4,clip.mp4,video/mp4\n"
    "x1,2020-05-30T03:00:00Z,site-a/1.wav,1.wav,audio/wav\n"
)
COLUMNS = (
    "mediaID,eventStart,observationLevel,observationType,scientificName,individualID,bboxX,bboxY,bboxWidth,"
    "bboxHeight,bboxTime,classificationMethod,classifiedBy,classificationTimestamp,observationTags"
)


def read(files: dict[str, Any]) -> list[Any]:
    assert camtrap_dp.recognises_bundle(list(files))
    return list(camtrap_dp.read_bundle(bundle(files)))


def rows(*cells: dict[str, str]) -> list[Any]:
    usual = {
        "mediaID": "m1",
        "observationLevel": "media",
        "observationType": "animal",
        "scientificName": "Vulpes",
    }
    lines = [",".join((usual | row).get(column, "") for column in COLUMNS.split(",")) for row in cells]
    observations = "\n".join([COLUMNS, *lines, ""])
    return read(
        {"datapackage.json": '{"resources": []}', "media.csv": MEDIA, "observations.csv": observations}
    )


def test_a_package_is_read_whole() -> None:
    found = {record.positions: record for record in read(PACKAGE) if isinstance(record, ParsedAnnotation)}
    assert {positions: (r.annotator, r.outcome) for positions, r in found.items()} == {
        (2, 3): ("Peter", "labelled"),
        (5,): ("Peter", "nobody"),
        (6,): ("Peter", "cannot_tell"),
        (8,): ("Danny", "labelled"),
        (9,): ("Peter", "labelled"),
    }
    assert found[2, 3].marks == (Mark("fifi", (0.1, 0.1, 0.4, 0.4)), Mark("Vulpes vulpes", None))
    assert found[2, 3].annotated_at == datetime(2020, 7, 9, 8, tzinfo=UTC)
    assert found[8,].marks == (Mark("human", None),)


def test_rows_that_are_no_labels_are_rejected_by_reason() -> None:
    broken = {record.position: record.reason for record in read(PACKAGE) if isinstance(record, BrokenRecord)}
    assert sorted(broken) == [1, 4, 7]
    assert broken[1].startswith("the row is about an event")
    assert broken[4] == "classified by a machine: a prediction is no label"
    assert "unclassified" in broken[7]


def test_pictures_are_found_by_path_or_by_name_where_the_path_is_an_address() -> None:
    found = {
        record.positions[0]: record.frame for record in read(PACKAGE) if isinstance(record, ParsedAnnotation)
    }
    assert found[2] == FrameReference(image="RCNX0001.JPG")
    assert found[5] == FrameReference(image="site-a/RCNX0002.JPG")


def test_a_moment_of_a_video_is_what_the_event_starts_after_it() -> None:
    assert read(PACKAGE)[-1].frame == FrameReference(video_path="site-a/clip.mp4", pts_ms=12_000)


def test_the_time_of_a_box_wins_over_the_start_of_the_event() -> None:
    (record,) = rows({"mediaID": "v1", "bboxTime": "1.25", "eventStart": "2020-05-30T03:00:07Z"})
    assert record.frame.pts_ms == 1250


def test_a_row_about_a_whole_video_names_no_frame_unless_it_is_blank() -> None:
    whole = {"mediaID": "v1", "eventStart": "2020-05-30T03:00:00Z"}
    (record,) = rows(whole)
    assert "about a whole video" in record.reason
    (record,) = rows({**whole, "observationType": "blank", "scientificName": ""})
    assert (record.outcome, record.frame.pts_ms) == ("nobody", 0)


def test_our_own_keys_among_the_tags_win() -> None:
    (record,) = rows({"observationTags": "pose:left | frame_id:16777216"})
    assert record.frame == FrameReference(frame_id=16777216)


def test_two_moments_of_a_video_and_two_classifiers_are_annotations_of_their_own() -> None:
    video = {"mediaID": "v1", "bboxTime": "1"}
    assert len(rows(video, {**video, "bboxTime": "2"}, {**video, "classifiedBy": "eve"}, video)) == 3


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"mediaID": "m9"}, "the table media has no mediaID 'm9'"),
        ({"mediaID": "x1"}, "fileMediatype 'audio/wav'"),
        ({"mediaID": ""}, "about an event"),
        ({"scientificName": ""}, "names no class"),
        ({"observationType": "plant"}, "observationType 'plant'"),
        ({"observationType": "blank"}, "a blank row names 'Vulpes'"),
        ({"bboxX": "0.1"}, "bboxY None is not a finite number"),
        ({"bboxX": "64", "bboxY": "48", "bboxWidth": "10", "bboxHeight": "10"}, "not pixels"),
        ({"classificationTimestamp": "yesterday"}, "ISO 8601"),
        ({"mediaID": "v1"}, "needs bboxTime, or eventStart"),
        ({"mediaID": "v1", "bboxTime": "-1"}, "does not lie in the video"),
        ({"mediaID": "v1", "bboxTime": "1e300"}, "does not lie in the video"),
        ({"mediaID": "v1", "bboxTime": "inf"}, "bboxTime 'inf'"),
        ({"mediaID": "v1", "eventStart": "2020-05-30T02:00:00Z"}, "does not lie in the video"),
        ({"observationTags": "frame_id:x"}, "frame_id 'x'"),
    ],
)
def test_a_row_that_says_nothing_clear_is_broken_with_its_reason(row: dict[str, str], why: str) -> None:
    (record,) = rows(row)
    assert isinstance(record, BrokenRecord)
    assert why in record.reason


def test_a_broken_row_breaks_the_others_of_its_picture_and_classifier() -> None:
    first, second, third = rows({}, {"bboxX": "x"}, {"classifiedBy": "eve"})
    assert first.reason == "row 2 of the same picture is broken"
    assert "bboxX 'x'" in second.reason
    assert isinstance(third, ParsedAnnotation)


def test_a_picture_that_is_blank_and_is_not_contradicts_itself() -> None:
    records = rows({}, {"observationType": "blank", "scientificName": ""})
    assert all("contradicts itself" in record.reason for record in records)


def test_a_row_of_another_length_than_the_header_is_broken() -> None:
    files = {**PACKAGE, "observations.csv": PACKAGE["observations.csv"] + b"o10,d1,m2\n"}
    assert "more or fewer cells" in next(r.reason for r in read(files) if r.raw == "o10,d1,m2")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("datapackage.json", b"{", "not whole JSON"),
        ("datapackage.json", b"[" * 100_000, "not whole JSON"),
        (
            "datapackage.json",
            b'{"resources": [{"name": "media", "path": "../m.csv"}]}',
            "lacks its table media",
        ),
        ("media.csv", b"a,b\n", "lacks the column mediaID"),
        ("observations.csv", b"mediaID,observationType,mediaID\n", "names a column twice"),
        ("observations.csv", b'mediaID,observationType\n"m1,animal\n', "cannot be read after row"),
        ("observations.csv", b"", "is empty"),
        ("observations.csv", b"mediaID,observationType\n\xff\n", "another encoding"),
    ],
)
def test_a_package_with_a_damaged_table_is_unreadable_as_a_whole(name: str, content: bytes, why: str) -> None:
    with pytest.raises(ExportUnreadableError, match=why):
        camtrap_dp.read_bundle(bundle({**PACKAGE, name: content}))


def test_a_table_alone_is_refused() -> None:
    with pytest.raises(UnknownFormatError):
        detect(PACKAGE["observations.csv"])
    assert not camtrap_dp.recognises_bundle(["observations.csv"])


@settings(deadline=None)
@given(mutated_files(PACKAGE))
def test_every_row_of_a_damaged_package_is_imported_or_rejected(files: dict[str, bytes]) -> None:
    check(lambda _: camtrap_dp.read_bundle(bundle(files)), b"")

"""Which frame a record means, by any of the ways in which labelling tools and people name it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.keys import frame_id
from al_assets.labels.formats.records import FrameReference
from resources.queries.frame_lookup import SqlFrameLookup
from support.archive_rows import ArchiveRows
from support.small_archives import empty_archive

CLIP, EAST, WEST = 1, 2, 3


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlFrameLookup]:
    archive = empty_archive(tmp_path_factory.mktemp("lookup"))
    rows = ArchiveRows(archive.database)
    rows.video(CLIP, [0, 1000], video_id="v1")
    stills(rows, EAST, "cams/east", "0001.jpg", "0002.jpg", "heron #1.jpg", "50%.png")
    stills(rows, WEST, "west", "0001.jpg", "0009.jpg", "sp ace.jpg", "é.jpg")
    stills(rows, 4, ".", "top.jpg")
    stills(rows, 5, "old", "0042.jpg", status="superseded")
    yield SqlFrameLookup(archive.database)
    archive.database.close()


def stills(rows: ArchiveRows, number: int, folder: str, *names: str, status: str = "indexed") -> None:
    rows.add("videos", video_id=f"v{number}", video_no=number, kind="images", path=folder, status=status)
    for index, name in enumerate(names):
        path = name if folder == "." else f"{folder}/{name}"
        key = frame_id(number, index)
        rows.add("frames", frame_id=key, video_id=f"v{number}", frame_index=index, image_path=path)


def find(lookup: SqlFrameLookup, **named: Any) -> int | tuple[int, int] | str:
    everything = {"frame_id": None, "video_id": None, "frame_index": None, "image": None}
    (found,) = lookup.resolve([FrameReference(**everything | named)])
    return found


def test_a_frame_is_found_by_its_key_or_by_video_and_index(lookup: SqlFrameLookup) -> None:
    assert find(lookup, frame_id=frame_id(CLIP, 5)) == frame_id(CLIP, 5)
    assert find(lookup, video_id="v1", frame_index=5) == frame_id(CLIP, 5)


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({}, "names no frame"),
        ({"video_id": "v1"}, "names no frame"),
        ({"frame_id": frame_id(CLIP, 3)}, "not among the sampled frames"),
        ({"frame_id": -1}, "-1 is no frame_id"),
        ({"frame_id": 10**30}, "is no frame_id"),
        ({"video_id": "v9", "frame_index": 0}, "no video 'v9' in the archive"),
        ({"video_id": "v1", "frame_index": -1}, "frame_index -1 is out of range"),
        ({"video_id": "v1", "frame_index": 2**24}, "out of range"),
        ({"image": "nowhere.jpg"}, "no frame has the image 'nowhere.jpg'"),
        (
            {"image": "cams/east/0009.jpg"},
            "no frame has the image 'cams/east/0009.jpg'; if 'west/0009.jpg' is meant",
        ),
        ({"image": "0001.jpg"}, "2 frames are named '0001.jpg'; use frame_id"),
        ({"image": "old/0042.jpg"}, "no frame has the image"),
        ({"image": "http://[bad/0001.jpg"}, "no frame has the image"),
        ({"image": "/"}, "names no frame"),
    ],
)
def test_what_cannot_be_found_says_why(lookup: SqlFrameLookup, named: dict[str, Any], reason: str) -> None:
    found = find(lookup, **named)
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.parametrize(
    "image",
    [
        "stills/v1/5.jpg",
        "/data/local-files/?d=stills/v1/5.jpg",
        "/data/local-files/?d=mnt%2Fal%2Fstills%2Fv1%2F5.jpg",
        "https://account.blob.core.windows.net/al/stills/v1/5.jpg?sv=2024&sig=a%2Bb",
        "azure-blob://al/stills/v1/00000005.jpeg",
        r"C:\al\stills\v1\5.jpg",
    ],
)
def test_our_own_stills_are_known_wherever_the_tool_found_them(lookup: SqlFrameLookup, image: str) -> None:
    assert find(lookup, image=image) == frame_id(CLIP, 5)


@pytest.mark.parametrize(
    ("image", "key"),
    [
        ("cams/east/0002.jpg", frame_id(EAST, 1)),
        ("videos/cams/east/0002.jpg", frame_id(EAST, 1)),
        ("/mnt/archive/videos/cams/east/0002.jpg", frame_id(EAST, 1)),
        ("/data/local-files/?d=archive/cams/east/0002.jpg", frame_id(EAST, 1)),
        (r"cams\east\0002.jpg", frame_id(EAST, 1)),
        ("cams/east/heron #1.jpg", frame_id(EAST, 2)),
        ("https://host/videos/cams/east/heron%20%231.jpg", frame_id(EAST, 2)),
        ("cams/east/50%.png", frame_id(EAST, 3)),
        ("west/0001.jpg", frame_id(WEST, 0)),
        ("west/sp%20ace.jpg", frame_id(WEST, 2)),
        ("0009.jpg", frame_id(WEST, 1)),
        ("/data/upload/12/0a1b2c3d-0009.jpg", frame_id(WEST, 1)),
        ("/data/upload/12/0a1b2c3d-%C3%A9.jpg", frame_id(WEST, 3)),
        ("top.jpg", frame_id(4, 0)),
        ("videos/top.jpg", frame_id(4, 0)),
    ],
)
def test_stills_of_the_archive_are_found_by_path_or_else_by_a_name_of_their_own(
    lookup: SqlFrameLookup, image: str, key: int
) -> None:
    assert find(lookup, image=image) == key


def test_a_name_alone_does_not_stand_in_for_another_folder(lookup: SqlFrameLookup) -> None:
    assert isinstance(find(lookup, image="elsewhere/0009.jpg"), str)
    assert isinstance(find(lookup, image="elsewhere/top.jpg"), str)


def test_many_references_keep_their_order(lookup: SqlFrameLookup) -> None:
    one = FrameReference(None, None, None, "west/0001.jpg")
    other = FrameReference(frame_id(CLIP, 5), None, None, None)
    found = lookup.resolve([one, other] * 2000)
    assert found == [frame_id(WEST, 0), frame_id(CLIP, 5)] * 2000


@given(st.text(max_size=40))
def test_no_image_name_however_strange_breaks_an_import(lookup: SqlFrameLookup, image: str) -> None:
    assert isinstance(find(lookup, image=image), int | str)


def test_no_references_are_no_frames(lookup: SqlFrameLookup) -> None:
    assert lookup.resolve([]) == []


@pytest.mark.parametrize("image", ["site-a/x%00.jpg", "/data/?d=site-a/a%00b.jpg", "a\ud800.jpg"])
def test_an_address_that_no_database_could_hold_is_no_image(postgresql_database: Any, image: str) -> None:
    rows = ArchiveRows(postgresql_database)
    stills(rows, 1, "site-a", "x.jpg")
    (found,) = SqlFrameLookup(postgresql_database).resolve([FrameReference(image=image)])
    assert isinstance(found, str)

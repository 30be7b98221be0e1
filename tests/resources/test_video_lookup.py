"""Which sampled frame is meant by a video's name and a place in it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from al_assets.keys import frame_id
from al_assets.labels.formats.records import FrameReference
from resources.queries.frame_lookup import SqlFrameLookup
from resources.tables import frames
from support.archive_rows import ArchiveRows
from support.small_archives import empty_archive

TIMES = [0, 1000, 2000, 3000]
"""Frames 0, 5, 10 and 15 of each clip."""


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlFrameLookup]:
    archive = empty_archive(tmp_path_factory.mktemp("lookup"))
    rows = ArchiveRows(archive.database)
    rows.video(1, TIMES, path="east/clip.mp4")
    rows.video(2, TIMES, path="west/clip.mp4")
    rows.video(3, [0], path="short.mp4")
    rows.video(4, path="unread.mp4", status="registered")
    rows.video(5, TIMES, path="old.mp4", status="superseded")
    yield SqlFrameLookup(archive.database)
    archive.database.close()


def find(lookup: SqlFrameLookup, video_path: str, **place: int) -> int | tuple[int, int] | str:
    (found,) = lookup.resolve([FrameReference(video_path=video_path, **place)])
    return found


@pytest.mark.parametrize(
    ("place", "frame", "offset_ms"),
    [
        ({"frame_index": 10}, 10, 0),
        ({"frame_index": 12}, 10, 400),
        ({"frame_index": 8}, 10, -400),
        ({"frame_index": 17}, 15, 400),
        ({"pts_ms": 1000}, 5, 0),
        ({"pts_ms": 1499}, 5, 499),
        ({"pts_ms": 3500}, 15, 500),
    ],
)
def test_the_nearest_frame_within_half_a_step_is_meant(
    lookup: SqlFrameLookup, place: dict[str, int], frame: int, offset_ms: int
) -> None:
    assert find(lookup, "east/clip.mp4", **place) == (frame_id(1, frame), offset_ms)


@pytest.mark.parametrize(
    "name", ["west/clip.mp4", "/data/west/clip.mp4", "videos/west/clip.mp4", "west\\clip.mp4", "v2"]
)
def test_a_path_may_stand_behind_what_a_tool_puts_before_it(lookup: SqlFrameLookup, name: str) -> None:
    assert find(lookup, name, frame_index=0) == (frame_id(2, 0), 0)


@pytest.mark.parametrize(
    ("name", "place", "reason"),
    [
        ("clip.mp4", {"frame_index": 0}, "2 videos are named 'clip.mp4'"),
        ("nowhere.mp4", {"frame_index": 0}, "no video 'nowhere.mp4' in the archive"),
        ("north/clip.mp4", {"frame_index": 0}, "no video 'north/clip.mp4'"),
        ("old.mp4", {"frame_index": 0}, "no video 'old.mp4'"),
        ("unread.mp4", {"frame_index": 0}, "has no sampled frame yet"),
        ("east/clip.mp4", {"frame_index": 18}, "no sampled frame of 'east/clip.mp4' lies near frame 18"),
        ("east/clip.mp4", {"pts_ms": 3501}, "lies near 3501 ms; its nearest is 3000"),
        ("short.mp4", {"frame_index": 13}, "lies near frame 13"),
    ],
)
def test_what_is_not_found_is_said(
    lookup: SqlFrameLookup, name: str, place: dict[str, int], reason: str
) -> None:
    found = find(lookup, name, **place)
    assert isinstance(found, str)
    assert reason in found


def test_a_still_that_was_cut_from_an_unknown_video_is_found_by_its_name(lookup: SqlFrameLookup) -> None:
    rows = ArchiveRows(lookup.database)
    rows.add("videos", video_id="cut", video_no=9, kind="images", path="cut", status="indexed")
    rows.add("frames", frame_id=frame_id(9, 0), video_id="cut", image_path="cut/0007.jpg")
    for video, expected in (("elsewhere.mp4", frame_id(9, 0)), ("east/clip.mp4", (frame_id(1, 5), 0))):
        reference = FrameReference(video_path=video, frame_index=5, image="cut/0007.jpg")
        assert lookup.resolve([reference]) == [expected]


def test_a_key_of_ours_comes_before_a_place(lookup: SqlFrameLookup) -> None:
    reference = FrameReference(frame_id=frame_id(1, 5), video_path="west/clip.mp4", frame_index=0)
    assert lookup.resolve([reference]) == [frame_id(1, 5)]


def test_every_frame_of_a_long_video_is_found_in_a_second_or_two(lookup: SqlFrameLookup) -> None:
    ArchiveRows(lookup.database).video(6, path="long.mp4")
    same = dict.fromkeys(("width", "height", "brightness", "sharpness", "phash"), 1) | {"video_id": "v6"}
    wanted = range(50_000)
    with lookup.database.write() as connection:
        rows = [same | {"frame_id": frame_id(6, n), "frame_index": n, "pts_ms": 40 * n} for n in wanted]
        connection.execute(sa.insert(frames), rows)
    references = [FrameReference(video_path="long.mp4", frame_index=n) for n in wanted]
    began = time.process_time()
    assert lookup.resolve(references) == [(frame_id(6, n), 0) for n in wanted]
    assert time.process_time() - began < 2

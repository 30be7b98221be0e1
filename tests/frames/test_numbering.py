"""A still's number is given once: to no other picture, whatever is added, removed or replaced."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from al_assets.frames.indexing import FRAME_SCHEMA
from al_assets.frames.numbering import next_number, number_stills, renumber_replaced
from al_assets.keys import frame_id


def rows(*stills: tuple[int, str, dict[str, Any]]) -> pa.Table:
    common = {"video_id": "v", "width": 8, "height": 8, "brightness": 0.5, "sharpness": 9.0, "phash": 7}
    return pa.Table.from_pylist(
        [
            {**common, "frame_id": frame_id(1, n), "frame_index": n, "pts_ms": n * 1000, "image_path": path}
            | more
            for n, path, more in stills
        ],
        schema=FRAME_SCHEMA,
    )


def test_fresh_stills_follow_in_the_order_of_arrival() -> None:
    assert number_stills(["z", "a"], {"m": 0, "n": 1}, given=2) == {"m": 0, "n": 1, "z": 2, "a": 3}


def test_the_number_of_a_still_that_is_gone_is_not_given_again() -> None:
    assert number_stills(["new"], {"a": 0}, given=5) == {"a": 0, "new": 5}


@given(st.lists(st.sets(st.sampled_from("abcdef")), max_size=12))
def test_no_number_ever_means_two_stills(folders: list[set[str]]) -> None:
    given, numbers, meant = 0, dict[str, int](), dict[int, str]()
    for folder in folders:
        kept = {path: number for path, number in numbers.items() if path in folder}
        numbers = number_stills(sorted(folder - kept.keys()), kept, given)
        given = next_number(numbers, given)
        assert all(numbers[path] == number for path, number in kept.items())
        for path, number in numbers.items():
            assert meant.setdefault(number, path) == path


def test_a_still_with_another_picture_gets_a_number_of_its_own() -> None:
    before = rows((0, "a", {}), (1, "b", {}))
    after = rows((0, "a", {"sharpness": 40.0}), (1, "b", {"duplicate_of": frame_id(1, 0)}), (2, "c", {}))
    found = renumber_replaced(after, before, video_no=1, start=3).to_pylist()
    assert [(row["image_path"], row["frame_index"], row["pts_ms"]) for row in found] == [
        ("b", 1, 1000),
        ("c", 2, 2000),
        ("a", 3, 3000),
    ]
    assert [row["frame_id"] for row in found] == [frame_id(1, n) for n in (1, 2, 3)]
    assert found[0]["duplicate_of"] == frame_id(1, 3)


def test_each_measure_alone_tells_another_picture() -> None:
    before = rows((0, "a", {}))
    for other in (
        {"width": 9},
        {"height": 9},
        {"phash": 7 ^ 0b111},
        {"brightness": 0.51},
        {"sharpness": 9.2},
    ):
        after = renumber_replaced(rows((0, "a", other)), before, video_no=1, start=1)
        assert after["frame_index"].to_pylist() == [1], other


def test_what_another_version_of_the_image_library_measures_is_the_same_picture() -> None:
    before = rows((0, "a", {}))
    after = rows((0, "a", {"brightness": 0.50001, "sharpness": 9.01, "phash": 6}))
    assert renumber_replaced(after, before, video_no=1, start=1) is after

"""Identity of videos and frames: one key a frame, in order of time, and ids that every system can spell."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.keys import (
    FRAMES_PER_VIDEO,
    LAST_VIDEO_NO,
    KeyRangeError,
    frame_id,
    frame_index_of,
    frame_range,
    make_video_id,
    video_no_of,
)

NUMBERS, INDICES = st.integers(0, LAST_VIDEO_NO), st.integers(0, FRAMES_PER_VIDEO - 1)


@given(NUMBERS, INDICES)
def test_a_key_gives_its_parts_back_and_fits_a_signed_bigint(video_no: int, index: int) -> None:
    key = frame_id(video_no, index)
    assert (video_no_of(key), frame_index_of(key)) == (video_no, index)
    assert 0 <= key < 2**63
    first, last = frame_range(video_no)
    assert first <= key <= last


@given(st.tuples(NUMBERS, INDICES), st.tuples(NUMBERS, INDICES))
def test_keys_are_in_the_order_of_video_and_frame(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (one < other) == (frame_id(*one) < frame_id(*other))


def test_ranges_of_neighbouring_videos_touch_and_do_not_overlap() -> None:
    assert frame_range(7)[1] + 1 == frame_range(8)[0]
    assert frame_range(LAST_VIDEO_NO)[1] == 2**63 - 1


@pytest.mark.parametrize("parts", [(-1, 0), (LAST_VIDEO_NO + 1, 0), (0, -1), (0, FRAMES_PER_VIDEO)])
def test_parts_that_do_not_fit_are_refused(parts: tuple[int, int]) -> None:
    with pytest.raises(KeyRangeError, match=r"is not in \["):
        frame_id(*parts)


def test_the_parts_of_many_keys_are_found_at_once() -> None:
    keys = np.array([frame_id(1, 2), frame_id(LAST_VIDEO_NO, 3)])
    assert video_no_of(keys).tolist() == [1, LAST_VIDEO_NO]  # type: ignore[attr-defined, arg-type]
    assert frame_index_of(keys).tolist() == [2, 3]  # type: ignore[attr-defined, arg-type]


@given(st.text(min_size=1, max_size=300), st.text(max_size=5))
def test_a_video_id_is_safe_as_partition_key_and_file_name(path: str, content: str) -> None:
    video_id = make_video_id(path, content)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", video_id)
    assert "..." not in video_id


def test_a_video_id_reads_like_its_path_and_tells_paths_and_contents_apart() -> None:
    assert make_video_id("Café/Nord 1.MP4", "a").startswith("cafe-nord-1-")
    ids = {make_video_id(path, content) for path in ("a/clip.mp4", "b/clip.mp4") for content in "xy"}
    assert len(ids) == 4
    assert make_video_id("雪.mp4", "a").startswith("video-")

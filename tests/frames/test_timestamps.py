"""Times of frames, from clean and from odd timestamps."""

from fractions import Fraction

import pytest

from al_assets.frames.decoding import decode, read_frames
from al_assets.frames.timestamps import FrameClock
from support.clips import read_number, render

MS = Fraction(1, 1000)


def times(stamps: list[int | None], rate: int | None = 25) -> list[int]:
    clock = FrameClock(rate)
    return [clock.pts_ms(stamp, MS) for stamp in stamps]


def test_times_are_relative_to_the_first_frame():
    assert times([5000, 5040, 5080]) == [0, 40, 80]
    assert times([-80, -40, 0]) == [0, 40, 80]


def test_missing_timestamps_continue_by_the_nominal_step():
    assert times([None, None, None], rate=10) == [0, 100, 200]
    assert times([0, None, 100, None]) == [0, 40, 100, 140]
    assert times([None, 9000, 9040]) == [0, 40, 80]


def test_without_a_rate_a_step_is_a_25th_of_a_second():
    assert times([None, None], rate=None) == [0, 40]


def test_a_small_step_back_is_held():
    assert times([0, 40, 30, 80]) == [0, 40, 40, 80]


def test_a_reset_clock_goes_on_from_where_it_was():
    assert times([0, 40, 80, 5000, 0, 40, 80]) == [0, 40, 80, 5000, 5040, 5080, 5120]


def test_a_pause_stays_a_pause():
    assert times([0, 40, 3_600_000, 3_600_040]) == [0, 40, 3_600_000, 3_600_040]


def test_one_absurd_timestamp_does_not_spoil_the_rest():
    assert times([0, 40, 2**50, 120, 160]) == [0, 40, 80, 120, 160]


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_variable_frame_rate_keeps_its_times(tmp_path, container):
    stamps = [0, 40, 500, 520, 2000, 2100, 2101, 9000]
    clip = render(tmp_path / f"clip.{container}", n=8, timestamps_ms=stamps)
    assert [frame.pts_ms for frame in decode(clip)] == stamps


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_a_late_start_counts_from_the_first_frame(tmp_path, container):
    clip = render(tmp_path / f"clip.{container}", n=5, start_pts=7000)
    assert [(read_number(frame.image), frame.pts_ms) for frame in decode(clip)] == [
        (0, 0),
        (1, 40),
        (2, 80),
        (3, 120),
        (4, 160),
    ]


def test_a_stream_without_timestamps_is_timed_by_its_rate(tmp_path):
    clip = render(tmp_path / "clip.h264", n=4)
    assert [frame.pts_ms for frame in decode(clip)] == [0, 40, 80, 120]


def test_two_recordings_joined_run_on(tmp_path):
    part = render(tmp_path / "part.ts", n=50).read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part + part)
    frames = read_frames(joined, range(100))  # decode would report the seam as damage in the end
    assert [frame.pts_ms for frame in frames] == [40 * index for index in range(100)]

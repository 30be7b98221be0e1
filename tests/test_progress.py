"""Progress in words: said now and then, honest where nothing tells."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from al_assets.backfill_status import speed_words
from al_assets.partitions import keys_warning
from al_assets.progress import Progress, duration, seconds_left
from resources.queries.backfill import Speed, Stand

NOW = datetime(2026, 5, 1, 12)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_told_once_a_minute_or_a_tenth_and_at_the_end() -> None:
    clock = Clock()
    progress = Progress(100, clock)
    said = []
    for done in range(1, 101):
        clock.now += 2 if done <= 50 else 30
        if progress.took(5):
            said.append(done)
    assert said == [10, 20, 30, 40, 50, *range(52, 101, 2)]


def test_a_line_says_what_is_done_left_and_how_long_it_takes() -> None:
    clock = Clock()
    progress = Progress(4, clock)
    clock.now = 60.0
    assert progress.took(120) == "1 of 4 videos done, 3 left, 120 frames, 2 frames/s, about 3 min to go"


def test_no_speed_is_told_of_no_time() -> None:
    assert Progress(1, Clock()).took(3) == "1 of 1 videos done, 0 left, 3 frames"


@pytest.mark.parametrize(
    ("seconds", "words"), [(40, "40 s"), (720, "12 min"), (12_600, "3.5 h"), (800_000, "9 days")]
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def stand(**values: int | None) -> Stand:
    fields = {"videos": 10, "size_bytes": 1_000, "with_frames": 5, "with_vectors": 5, "vector_bytes": 500}
    return Stand(**{**fields, "vector_frames": 5_000, "with_scores": None, **values})  # type: ignore[arg-type]


def test_the_time_left_follows_from_the_speed_and_the_bytes_that_are_left() -> None:
    speed = Speed(5, 3_600, NOW - timedelta(hours=1), NOW)
    assert speed_words(stand(), speed, NOW) == "1 frames/s in the last hour, 5 videos to go, about 83 min"


def test_the_time_left_is_unknown_where_little_was_ingested() -> None:
    assert "unknown" in speed_words(stand(), Speed(1, 90, NOW, NOW), NOW)
    assert seconds_left(size_left=5, size_done=0, frames_done=0, frames_per_second=3.0) is None


def test_an_archive_that_is_done_needs_no_speed() -> None:
    assert speed_words(stand(with_vectors=10), Speed(0, 0, None, None), NOW) == "nothing is left to ingest"


def test_an_archive_near_the_keys_that_dagster_bears_says_what_to_do() -> None:
    assert keys_warning(79_999) == ""
    assert "retire those that are not needed" in keys_warning(80_000)

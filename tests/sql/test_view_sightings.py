"""sightings and co_occurrence: who was in the picture, when, and with whom."""

from datetime import datetime

from support.archive_rows import ArchiveRows

SECONDS = [1000 * n for n in range(12)]
RUNS = "SELECT start_ms, end_ms, frames FROM sightings ORDER BY start_ms"


def test_one_frame_without_the_class_does_not_end_a_sighting_but_two_do(archive: ArchiveRows) -> None:
    frames = archive.video(1, SECONDS)
    archive.classes("zero")
    for n in (0, 1, 3, 6, 7, 11):
        archive.label(frames[n], 1)
    assert archive.query(RUNS) == [(0, 3000, 3), (6000, 7000, 2), (11_000, 11_000, 1)]


def test_frames_are_consecutive_as_sampled_however_far_apart_in_time(archive: ArchiveRows) -> None:
    frames = archive.video(1, [0, 60_000, 61_000])
    archive.classes("zero")
    for frame in frames:
        archive.label(frame, 1)
    assert archive.query(RUNS) == [(0, 61_000, 3)]


def test_a_sighting_ends_with_its_video_and_is_numbered_within_it(archive: ArchiveRows) -> None:
    archive.classes("zero", "one")
    for number in (1, 2):
        for frame in archive.video(number, [0, 400]):
            archive.label(frame, 1)
            archive.label(frame, 2)
    rows = archive.query("SELECT video_id, class_name, sighting, frames FROM sightings ORDER BY 1, 2")
    assert rows == [("v1", "one", 1, 2), ("v1", "zero", 1, 2), ("v2", "one", 1, 2), ("v2", "zero", 1, 2)]


def test_a_sighting_tells_where_when_and_how_surely(archive: ArchiveRows) -> None:
    first, second, third = archive.video(
        1, [0, 500, 1000], site="pond", camera="c1", recorded_at=datetime(2026, 1, 31, 23, 59, 59)
    )
    archive.classes("zero")
    archive.serve("m")
    archive.label(first, 1)
    archive.predict("m", second, (1, 0.5))
    archive.predict("m", third, (1, 0.75))
    columns = "site, camera, month, first_frame_id, last_frame_id, frames, human_frames, mean_confidence"
    assert archive.query(f"SELECT {columns} FROM sightings") == [
        ("pond", "c1", "2026-01", first, third, 3, 1, 0.625)
    ]
    ((started, ended),) = archive.query("SELECT started_at, ended_at FROM sightings")
    assert (str(started)[:19], str(ended)[:19]) == ("2026-01-31 23:59:59", "2026-02-01 00:00:00")


def test_together_means_in_one_frame_or_within_ten_seconds(archive: ArchiveRows) -> None:
    frames = archive.video(1, [0, 5000, 15_000, 30_000, 45_000, 60_000])
    archive.classes("zero", "one", "two")
    for n, class_id in ((0, 2), (1, 1), (1, 2), (2, 3), (5, 3)):
        archive.label(frames[n], class_id)
    pairs = "class_a, class_b, encounters, frames_together, closest_ms"
    assert archive.query(f"SELECT {pairs} FROM co_occurrence ORDER BY class_a, class_b") == [
        ("one", "two", 1, 0, 10_000),
        ("zero", "one", 1, 1, 0),
        ("zero", "two", 1, 0, 10_000),
    ]


def test_eleven_seconds_apart_or_in_different_videos_is_not_together(archive: ArchiveRows) -> None:
    first, *_, last = archive.video(1, [0, 4000, 8000, 10_001])
    (other,) = archive.video(2, [0])
    archive.classes("zero", "one")
    archive.label(first, 1)
    archive.label(last, 2)
    archive.label(other, 2)
    assert archive.query("SELECT * FROM co_occurrence") == []


def test_who_was_seen_with_whom_can_be_asked_by_month(archive: ArchiveRows) -> None:
    archive.classes("zero", "one")
    for number, recorded_at in enumerate(
        [datetime(2026, 1, 5), datetime(2026, 1, 9), datetime(2026, 2, 1)], 1
    ):
        (frame,) = archive.video(number, [0], recorded_at=recorded_at)
        archive.label(frame, 1)
        archive.label(frame, 2)
    by_month = (
        "SELECT month, class_a, class_b, SUM(encounters) AS encounters FROM co_occurrence "
        "GROUP BY month, class_a, class_b ORDER BY month"
    )
    assert archive.query(by_month) == [("2026-01", "zero", "one", 2), ("2026-02", "zero", "one", 1)]


def test_a_pair_that_meets_twice_in_a_video_has_two_encounters(archive: ArchiveRows) -> None:
    frames = archive.video(1, [0, 30_000, 60_000, 90_000])
    archive.classes("zero", "one")
    for n in (0, 3):
        archive.label(frames[n], 1)
        archive.label(frames[n], 2)
    assert archive.query("SELECT encounters, frames_together FROM co_occurrence") == [(2, 2)]

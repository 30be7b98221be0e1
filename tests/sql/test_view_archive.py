"""recordings, frame_times, current_predictions, archive_overview: what is in the archive."""

from datetime import datetime

from resources.queries.videos import LIVE
from support.archive_rows import ArchiveRows


def test_recordings_are_the_live_videos_with_their_month(archive: ArchiveRows) -> None:
    archive.video(1, recorded_at=datetime(2025, 12, 31, 23, 59))
    for number, status in enumerate((*LIVE, "superseded", "copy", "retired"), 2):
        archive.video(number, status=status)
    rows = archive.query("SELECT video_no, month FROM recordings ORDER BY video_no")
    assert rows == [(1, "2025-12"), *((number, None) for number in range(2, 2 + len(LIVE)))]


def test_a_frame_was_seen_when_the_recording_began_plus_its_time(archive: ArchiveRows) -> None:
    archive.video(1, [0, 90_061_500], recorded_at=datetime(2026, 2, 28, 23, 0))
    archive.video(2, [0])
    rows = [str(row[0]) for row in archive.query("SELECT seen_at FROM frame_times ORDER BY frame_id")]
    assert [row[:23] for row in rows] == [rows[0], "2026-03-02 00:01:01.500", "None"]
    assert rows[0].startswith("2026-02-28 23:00:00")


def test_current_predictions_are_those_of_the_serving_checkpoint(archive: ArchiveRows) -> None:
    frame, _ = archive.video(1, [0, 400])
    archive.classes("zero", "one")
    archive.serve("new")
    archive.predict("old", frame, (1, 0.9))
    archive.predict("new", frame, (2, 0.75))
    rows = archive.query(
        "SELECT checkpoint_id, frame_id, pts_ms, class_name, confidence FROM current_predictions"
    )
    assert rows == [("new", frame, 0, "one", 0.75)]


def test_nothing_is_predicted_before_a_model_serves_or_in_a_replaced_video(archive: ArchiveRows) -> None:
    (frame,) = archive.video(1, [0], status="superseded")
    archive.classes("zero")
    archive.predict("new", frame, (1, 0.9))
    assert archive.query("SELECT * FROM current_predictions") == []
    archive.serve("new")
    assert archive.query("SELECT * FROM current_predictions") == []


def test_the_overview_counts_what_became_of_every_video(archive: ArchiveRows) -> None:
    first, second, third = archive.video(1, [0, 400, 800])
    archive.video(2, status="failed", error="it is empty")
    archive.classes("zero", "one")
    archive.serve("m")
    archive.export(1)
    archive.add("frame_scores", checkpoint_id="m", frame_id=first)
    archive.add("frame_scores", checkpoint_id="old", frame_id=second)
    archive.label(first, 1)
    archive.label(first, 2, present=0)
    archive.annotation(2**32, first, "ann", "labelled", 1)
    archive.add("selection_batches", batch_id=1, run_id="r")
    for rank, frame in enumerate((first, second, third), 1):
        archive.add("selections", batch_id=1, rank=rank, frame_id=frame, arm="strategy")
    archive.annotation(2**32 + 1, second, "ann", "cannot_tell")
    archive.annotation(2**32 + 2, first, "ben", "cannot_tell")
    counts = "frames, scored_frames, labelled_frames, unclear_frames, waiting_frames"
    rows = archive.query(f"SELECT video_id, error, {counts} FROM archive_overview ORDER BY video_id")
    assert rows == [("v1", None, 3, 1, 1, 1, 1), ("v2", "it is empty", 0, 0, 0, 0, 0)]

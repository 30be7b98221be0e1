"""What the reports read, on every database: sums over views, doubtful frames, slices, what was passed over."""

from datetime import datetime

import pytest

from resources.queries.reports import ReportQueries
from support.archive_rows import ArchiveRows

MARCH = datetime(2026, 3, 2, 12)


@pytest.fixture
def seen(archive: ArchiveRows) -> tuple[ArchiveRows, ReportQueries, list[int]]:
    """Two videos, three classes, a model in doubt between the first two."""
    frames = archive.video(1, [0, 400, 800], site="ford", recorded_at=MARCH, duration_ms=1200)
    archive.video(2, status="failed", error="it is empty")
    archive.classes("ann", "ben", "cat")
    archive.export(1)
    archive.serve("m")
    archive.label(frames[0], 1, box_width=0.5, box_height=0.5)
    archive.label(frames[1], 2)
    for n, (frame, pair) in enumerate(zip(frames, ((1, 2), (2, 1), (1, 3)), strict=True)):
        score = {"top_class_id": pair[0], "runner_up_class_id": pair[1], "margin": 0.05 * (3 - n)}
        archive.add("frame_scores", checkpoint_id="m", frame_id=frame, **score)
        archive.predict("m", frame, (pair[0], 0.6), (pair[1], 0.55))
    return archive, ReportQueries(archive.database), frames


def test_the_overview_has_times_and_counts_of_every_video(seen) -> None:
    _, reports, _ = seen
    rows = reports.overview()
    assert rows["path"].tolist() == ["v1.mp4", "v2.mp4"]
    assert rows["frames"].tolist() == [3, 0]
    assert rows["recorded_at"].iloc[0] == MARCH
    assert rows["error"].iloc[1] == "it is empty"


def test_pairs_come_most_doubted_first_and_no_more_than_asked_for(seen) -> None:
    _, reports, _ = seen
    first = reports.confused_pairs(1)
    assert [first[name].iloc[0] for name in ("class_a", "class_b", "uncertain_frames")] == ["ann", "ben", 2]
    assert len(reports.confused_pairs(9)) == 2


def test_doubtful_frames_of_a_pair_come_smallest_margin_first(seen) -> None:
    _, reports, frames = seen
    assert reports.doubtful("m", (1, 2), 9)["frame_id"].tolist() == [frames[1], frames[0]]
    assert reports.doubtful("other", (1, 2), 9).empty


def test_a_class_has_its_labelled_frames_and_the_mean_area_of_its_boxes(seen) -> None:
    _, reports, frames = seen
    assert reports.labelled_with(1, 9) == [frames[0]]
    facts = reports.class_facts().set_index("class_id")
    assert facts["labelled"].to_dict() == {1: 1, 2: 1}
    assert facts["box_area"].loc[1] == pytest.approx(0.25)
    assert facts["box_area"].isna().loc[2]


def test_light_is_that_of_the_median_video(archive: ArchiveRows) -> None:
    for number, light in ((1, 0.2), (2, 0.4), (3, 0.9)):
        archive.video(number)
        archive.add(
            "frames", frame_id=number << 24, video_id=f"v{number}", brightness=light, sharpness=10 * light
        )
    reports = ReportQueries(archive.database)
    assert reports.typical_light([1, 2, 3]) == pytest.approx((0.4, 4.0))
    assert reports.typical_light([7]) is None


def test_sightings_and_encounters_are_summed_in_the_database(seen) -> None:
    _, reports, _ = seen
    by_video = reports.seen_by_video([1, 3])
    assert by_video[["video_id", "class_id", "sightings", "lasted_ms"]].to_numpy().tolist() == [
        ["v1", 1, 1, 800],
        ["v1", 3, 1, 0],
    ]
    together = reports.together([1, 2])
    assert together[["month", "class_a", "class_b"]].to_numpy().tolist() == [["2026-03", "ann", "ben"]]
    assert together["encounters"].tolist() == [1]
    assert reports.together([]).empty


def test_worse_slices_come_first(archive: ArchiveRows) -> None:
    for name, worse, difference in (("a", 0, -0.5), ("b", 1, -0.1), ("c", 1, -0.3), ("d", 0, None)):
        keys = {"checkpoint_id": "m", "dimension": "site", "metric": "macro_f1", "slice": name}
        archive.add("slice_metrics", **keys, worse=worse, difference=difference)
    assert ReportQueries(archive.database).slices("m")["slice"].tolist() == ["c", "b", "a", "d"]


def test_a_video_drifts_if_any_of_its_statistics_does(seen) -> None:
    archive, reports, _ = seen
    for statistic, drifted in (("light", 0), ("blur", 1)):
        keys = {"check_name": "c", "subject": "v1", "reference_id": "m", "statistic": statistic}
        archive.add("drift_results", **keys, drifted=drifted)
    rows = reports.drift_by_video("c", "m")
    assert rows[["video_id", "site", "drifted"]].to_numpy().tolist() == [["v1", "ford", 1]]


def test_what_was_passed_over_stands_in_the_order_of_the_strategy(seen) -> None:
    archive, reports, frames = seen
    for place, frame in ((2, frames[0]), (1, frames[1])):
        archive.add("passed_over", batch_id=1, frame_id=frame, place=place, rule="gap")
    assert reports.passed_over(1)["frame_id"].tolist() == [frames[1], frames[0]]
    assert reports.passed_over(2).empty


def test_a_frame_has_a_place_in_words_of_its_video(seen) -> None:
    _, reports, frames = seen
    assert reports.places([frames[1], 7]) == {frames[1]: ("v1.mp4", 400)}

"""The statements of drift on every dialect."""

from datetime import timedelta

from resources.database import Database
from resources.queries.drift import DriftQueries
from resources.queries.videos import VideoRegister
from support.archive_rows import NOW, ArchiveRows


def score(rows: ArchiveRows, frame: int, top: int, confidence: float) -> None:
    values = {"top_class_id": top, "confidence": confidence, "margin": 0.5, "entropy": 0.25}
    rows.add("frame_scores", checkpoint_id="m", frame_id=frame, **values)


def test_scores_are_summed_up_by_video_and_not_over_its_neighbours(database: Database) -> None:
    rows = ArchiveRows(database)
    for number, tops in ((1, (1, 1, 2)), (2, (3,))):
        for frame, top in zip(rows.video(number, range(len(tops)), frames_version="1"), tops, strict=True):
            score(rows, frame, top, 0.5 if top == 1 else 0.75)
    drift, videos = DriftQueries(database), VideoRegister(database).get(["v1", "v2"])
    assert drift.sum_up_scores("m", videos, NOW) == 2
    assert drift.sum_up_scores("m", videos, NOW) == 2
    found = drift.scores("m", videos)
    assert found["video_id"].tolist() == ["v1", "v2"]
    assert found["frames"].tolist() == [3, 1]
    assert found["confidence"].round(4).tolist() == [0.5833, 0.75]
    assert found["class_frames"].tolist() == ['{"1": 2, "2": 1}', '{"3": 1}']
    assert drift.scores("other", videos).empty


def test_only_frames_drawn_at_random_are_judged_and_merged_classes_are_one(database: Database) -> None:
    rows = ArchiveRows(database)
    drawn, hard = rows.video(1, [0, 400], split="test")
    rows.classes("zero", "one")
    rows.add("classes", class_id=3, name="O", aliases="[]", merged_into=1)
    rows.export(1)
    for frame, arm in ((drawn, "random"), (hard, "strategy")):
        rows.add("selections", batch_id=1, rank=frame % 7 + 1, frame_id=frame, arm=arm, propensity=0.25)
        rows.annotation(2**32 + frame % 7, frame, "anna", "labelled", 3)
        rows.label(frame, 3, annotation_id=2**32 + frame % 7)
        rows.label(frame, 2, present=0, annotation_id=2**32 + frame % 7)
        score(rows, frame, 1, 0.75)
    judged = DriftQueries(database).judged("m", NOW - timedelta(days=1))
    columns = ["frame_id", "class_id", "top_class_id", "present", "fresh", "propensity", "split"]
    assert judged[columns].values.tolist() == [[drawn, 1, 1, 1, 1, 0.25, "test"]]
    assert DriftQueries(database).judged("m", NOW)["fresh"].tolist() == [0]


def test_videos_compared_since_a_moment_count_once(database: Database) -> None:
    rows = ArchiveRows(database)
    for number, days in ((1, -1), (2, 1)):
        rows.video(number, registered_at=NOW + timedelta(days=days))
        for statistic, drifted in (("brightness", 1), ("sharpness", 0)):
            values = {
                "subject": f"v{number}",
                "reference_id": "m",
                "statistic": statistic,
                "drifted": drifted,
            }
            rows.add("drift_results", check_name="c", **values)
    found = DriftQueries(database).compared_since("c", "m", NOW)
    assert found[["subject", "drifted"]].values.tolist() == [["v2", 1]]

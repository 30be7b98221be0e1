"""class_distribution, confused_pairs, learning_curve: how much of each class, and how good the models are."""

import pytest

from support.archive_rows import ArchiveRows


def test_class_distribution_counts_people_and_model_apart(archive: ArchiveRows) -> None:
    train = archive.video(1, [0, 400])
    test = archive.video(2, [0, 400], split="test")
    archive.classes("zero", "one", "two")
    archive.serve("m")
    archive.label(train[0], 1)
    archive.label(test[0], 1)
    archive.label(test[0], 2, present=0)
    for frame in (train[0], train[1], test[0]):
        archive.predict("m", frame, (1, 0.9), (2, 0.6))
    columns = "class_name, labelled_frames, labelled_train, labelled_test, predicted_frames, frames, videos"
    assert archive.query(f"SELECT {columns} FROM class_distribution ORDER BY class_id") == [
        ("zero", 2, 1, 1, 1, 3, 2),
        ("one", 0, 0, 0, 2, 2, 1),
        ("two", 0, 0, 0, 0, 0, 0),
    ]


def test_a_merged_class_has_no_row_of_its_own(archive: ArchiveRows) -> None:
    (frame,) = archive.video(1, [0])
    archive.classes("zero")
    archive.add("classes", class_id=2, name="O", aliases="[]", merged_into=1)
    archive.label(frame, 2)
    assert archive.query("SELECT class_name, frames FROM class_distribution") == [("zero", 1)]


def test_confused_pairs_take_the_two_likeliest_whichever_leads(archive: ArchiveRows) -> None:
    frames = archive.video(1, [0, 400, 800, 1200])
    archive.classes("zero", "one", "two")
    archive.add("classes", class_id=4, name="O", aliases="[]", merged_into=1)
    archive.serve("m")
    scores = [("m", 1, 2, 0.125), ("m", 2, 4, 0.375), ("m", 1, 4, 0.0), ("m", 3, None, 0.5)]
    for frame, (checkpoint, top, runner_up, margin) in zip(frames, scores, strict=True):
        archive.add(
            "frame_scores",
            checkpoint_id=checkpoint,
            frame_id=frame,
            top_class_id=top,
            runner_up_class_id=runner_up,
            margin=margin,
        )
    archive.add("frame_scores", checkpoint_id="old", frame_id=frames[0], top_class_id=1, runner_up_class_id=3)
    columns = "class_a, class_b, frames, a_ahead, uncertain_frames, mean_margin"
    assert archive.query(f"SELECT {columns} FROM confused_pairs") == [("zero", "one", 2, 1, 1, 0.25)]


def test_learning_curve_has_overall_test_metrics_of_every_model_promoted_or_not(archive: ArchiveRows) -> None:
    archive.serve("second")
    archive.add("checkpoints", checkpoint_id="first", labelled_frames=40)
    archive.add("checkpoints", checkpoint_id="third", labelled_frames=90)
    for number, (checkpoint, promoted) in enumerate(
        [("first", 1), ("third", 0), ("second", 0), ("second", 1)]
    ):
        archive.add("promotions", promotion_id=number, checkpoint_id=checkpoint, promoted=promoted)
    for checkpoint in ("first", "second", "third"):
        for split, class_id in (("test", 0), ("test", 1), ("validation", 0)):
            archive.add(
                "evaluations", checkpoint_id=checkpoint, split=split, metric="macro_f1", class_id=class_id
            )
    rows = archive.query("SELECT checkpoint_id, promoted, serving FROM learning_curve ORDER BY 1")
    assert rows == [("first", 1, 0), ("second", 1, 1), ("third", 0, 0)]


@pytest.mark.parametrize("low", [0.25, None])
def test_learning_curve_gives_labels_value_and_interval(archive: ArchiveRows, low: float | None) -> None:
    archive.add("checkpoints", checkpoint_id="m", labelled_frames=40)
    values = {"value": 0.5, "low": low, "high": 0.75, "support": 20}
    archive.add("evaluations", checkpoint_id="m", split="test", metric="accuracy", class_id=0, **values)
    columns = "labelled_frames, metric, value, low, high, support"
    assert archive.query(f"SELECT {columns} FROM learning_curve") == [(40, "accuracy", 0.5, low, 0.75, 20)]

"""What may be asked again, what is open, and what is compared between models, on each database."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from resources import views
from resources.database import Database
from resources.queries.progress import ProgressQueries
from resources.queries.reviews import ReviewQueries
from resources.queries.selection import SelectionQueries
from support.archive_rows import NOW, ArchiveRows

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def archive(database: Database) -> ArchiveRows:
    """Two classes, a training video of four frames and a test video of one, all judged by export 1."""
    with database.write() as connection:
        views.create(connection, views.read_views(connection.dialect.name))
    rows = ArchiveRows(database)
    rows.classes("zero", "one")
    rows.export(1, uri="label_exports/a.csv")
    for number, frame in enumerate([*rows.video(1, [0, 400, 800, 1200]), *rows.video(2, [0], split="test")]):
        rows.annotation((1 << 32) + number, frame, "anna", "labelled", 1)
        rows.label(frame, 1, annotation_id=(1 << 32) + number)
    return rows


def frame(number: int, index: int) -> int:
    return number * 2**24 + 5 * index


def doubt(rows: ArchiveRows, key: int, class_id: int, quality: float, split: str = "train") -> None:
    rows.add(
        "implausible_labels",
        checkpoint_id="ck",
        frame_id=key,
        class_id=class_id,
        present=1,
        probability=quality,
        quality=quality,
        split=split,
        annotation_id=(1 << 32) + (key - frame(1, 0)) // 5,
    )


def opinion(
    rows: ArchiveRows,
    key: int,
    score: float,
    divided: int,
    right: int | None = 1,
    checkpoint_id: str = "ck",
) -> None:
    rows.add(
        "second_opinions",
        checkpoint_id=checkpoint_id,
        frame_id=key,
        score=score,
        annotators=2,
        divided=divided,
        model_right=right,
        model_weight=0.5,
        annotator_weight=1.0,
    )


def select(rows: ArchiveRows, batch: int, key: int, arm: str, propensity: float | None = None) -> None:
    rows.add(
        "selections",
        batch_id=batch,
        rank=key % 1000 + key // 2**24,
        frame_id=key,
        arm=arm,
        propensity=propensity,
    )


def test_divided_and_implausible_training_frames_may_be_asked_again_once(archive: ArchiveRows) -> None:
    plain, divided, implausible, asked = (frame(1, index) for index in range(4))
    for key, score, split in [(plain, 0.1, 0), (divided, 0.4, 1), (implausible, 0.2, 0), (asked, 0.3, 1)]:
        opinion(archive, key, score, split)
    opinion(archive, plain, 0.1, 1, checkpoint_id="other")
    doubt(archive, implausible, 1, 0.25)
    doubt(archive, implausible, 2, 0.125)
    opinion(archive, frame(2, 0), 0.1, 1)
    archive.add("selection_batches", batch_id=1, created_at=NOW, run_id="a")
    select(archive, 1, asked, "second_opinion")
    select(archive, 1, divided, "strategy")
    found = ReviewQueries(archive.database).to_ask_again("ck")
    assert found[["frame_id", "score", "annotators"]].to_numpy().tolist() == [
        [implausible, 0.2, 2],
        [divided, 0.4, 2],
    ]
    assert ReviewQueries(archive.database).reviewed() == ["ck", "other"]
    assert found["class_id"].iloc[0] == 2
    assert found["probability"].iloc[0] == 0.125
    assert np.isnan(found["probability"].iloc[1])


def test_a_task_that_asks_again_is_open_until_someone_answers_it_anew(archive: ArchiveRows) -> None:
    selection = SelectionQueries(archive.database)
    archive.add("selection_batches", batch_id=1, created_at=LATER, run_id="a")
    select(archive, 1, frame(1, 0), "strategy")
    select(archive, 1, frame(1, 1), "second_opinion")
    (unjudged,) = archive.video(3, [0])
    select(archive, 1, unjudged, "random", 0.5)
    assert selection.open_tasks() == 2
    archive.export(2)
    archive.annotation(2 << 32, frame(1, 1), "ben", "labelled", 1, export_id=2)
    assert selection.open_tasks() == 2  # it came before the batch was made
    archive.add("label_exports", export_id=3, status="imported", registered_at=LATER, imported_at=LATER)
    archive.annotation(3 << 32, frame(1, 1), "anna", "deleted", export_id=3)
    assert selection.open_tasks() == 2
    archive.annotation((3 << 32) + 1, frame(1, 1), "ben", "labelled", 1, export_id=3)
    assert selection.open_tasks() == 1


def test_label_errors_name_what_was_said_by_whom_and_whether_it_was_asked_again(archive: ArchiveRows) -> None:
    for number, checkpoint in enumerate(("old", "ck")):
        archive.add("checkpoints", checkpoint_id=checkpoint, trained_at=NOW + timedelta(hours=number))
        opinion(archive, frame(1, 0), 0.5, 0, checkpoint_id=checkpoint)
    doubt(archive, frame(1, 1), 1, 0.125)
    doubt(archive, frame(1, 0), 1, 0.25)
    archive.add("implausible_labels", checkpoint_id="old", frame_id=frame(1, 2), class_id=1, quality=0.1)
    archive.add("selection_batches", batch_id=1, created_at=NOW, run_id="a")
    select(archive, 1, frame(1, 0), "second_opinion")
    columns = (
        "frame_id, class_name, present, quality, annotator, export_uri, asked_again, suggested_class_name"
    )
    said = ("zero", 1), ("anna", "label_exports/a.csv")
    assert archive.query(f"SELECT {columns} FROM label_errors ORDER BY quality") == [
        (frame(1, 1), *said[0], 0.125, *said[1], 0, None),
        (frame(1, 0), *said[0], 0.25, *said[1], 1, None),
    ]


def test_models_are_compared_on_the_frames_that_both_scored(archive: ArchiveRows) -> None:
    for index, (now, before) in enumerate([([1], [1]), ([2], [1, 2]), ([], [1]), ([], [])]):
        for checkpoint, asserted in (("new", now), ("old", before)):
            archive.add("frame_scores", checkpoint_id=checkpoint, frame_id=frame(1, index), margin=0.5)
            archive.predict(checkpoint, frame(1, index), *((class_id, 0.3) for class_id in asserted))
    archive.add("frame_scores", checkpoint_id="new", frame_id=frame(2, 0), margin=0.25)
    progress = ProgressQueries(archive.database)
    assert progress.sample(10) == [1, 2]

    found = progress.compare("new", "old", [1, 2])
    assert found.counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]  # nobody, zero, one
    assert (found.frames, found.margin) == (5, 0.45)
    alone = progress.compare("new", None, [1])
    assert (alone.counts.size, alone.frames) == (0, 4)
    assert progress.compare("new", "old", []).margin is None


def test_random_answers_have_the_chance_of_all_batches_that_could_have_drawn_them(
    archive: ArchiveRows,
) -> None:
    (young,) = archive.video(3, [0], registered_at=NOW + timedelta(minutes=30))
    for batch, made in ((1, NOW), (2, LATER)):
        archive.add("selection_batches", batch_id=batch, created_at=made, run_id=str(batch))
    for index, (batch, arm) in enumerate([(1, "random"), (1, "strategy"), (2, "random"), (2, "random")]):
        select(archive, batch, frame(1, index), arm, {1: 0.5, 2: 0.25}[batch] if arm == "random" else None)
        opinion(archive, frame(1, index), 0.5, 0, right=[1, 1, 0, None][index])
    select(archive, 2, young, "random", 0.25)
    opinion(archive, young, 0.5, 0)
    found = ProgressQueries(archive.database).random_answers("ck")
    assert found.to_numpy().tolist() == [
        [frame(1, 0), 1, 0.625],
        [frame(1, 2), 0, 0.625],
        [young, 1, 0.25],
    ]
    assert ProgressQueries(archive.database).random_answers("other").empty


def test_labelling_worth_marks_the_model_that_serves(archive: ArchiveRows) -> None:
    archive.serve("new")
    for checkpoint, advice in (("old", "go_on"), ("new", "may_stop")):
        archive.add("labelling_progress", checkpoint_id=checkpoint, advice=advice, measured_at=NOW)
    rows = archive.query("SELECT checkpoint_id, advice, serving FROM labelling_worth ORDER BY checkpoint_id")
    assert rows == [("new", "may_stop", 1), ("old", "go_on", 0)]
    assert len(ProgressQueries(archive.database).history()) == 2


def test_active_against_random_marks_the_model_that_serves(archive: ArchiveRows) -> None:
    archive.serve("new")
    for checkpoint, difference in (("old", None), ("new", 0.25)):
        values = {
            "checkpoint_id": checkpoint,
            "difference": difference,
            "verdict": "better",
            "measured_at": NOW,
        }
        archive.add("arm_comparisons", **values)
    rows = archive.query(
        "SELECT checkpoint_id, difference, serving FROM active_against_random ORDER BY checkpoint_id"
    )
    assert rows == [("new", 0.25, 1), ("old", None, 0)]


def test_frames_of_both_arms_come_with_their_batch_but_for_the_hold_out(archive: ArchiveRows) -> None:
    (held,) = archive.video(9, [0], split="test", registered_at=NOW)
    archive.add("selection_batches", batch_id=1, created_at=NOW, run_id="a")
    select(archive, 1, frame(1, 0), "random", 0.5)
    select(archive, 1, frame(1, 1), "strategy", None)
    select(archive, 1, held, "evaluation", 0.25)
    queries = ProgressQueries(archive.database)
    assert queries.asked_frames()[["frame_id", "arm"]].to_numpy().tolist() == [
        [frame(1, 0), "random"],
        [frame(1, 1), "strategy"],
    ]
    assert queries.evaluation_frames().to_numpy().tolist() == [[held, 0.25]]


def test_a_sample_of_scored_videos_ends_with_enough_frames(database: Database) -> None:
    rows = ArchiveRows(database)
    for number, count in ((1, 3), (2, 2), (3, 4)):
        rows.video(number, [1000 * at for at in range(count)])
        rows.add(
            "video_coverage",
            asset="predictions",
            version="m",
            video_id=f"v{number}",
            frames_version="1",
            frames=count,
        )
    progress = ProgressQueries(database)
    every = progress.scored_sample("m", 100)
    assert sorted(every) == [1, 2, 3]
    assert progress.scored_sample("m", 1) == every[:1]
    assert len(progress.scored_sample("m", {1: 3, 2: 2, 3: 4}[every[0]] + 1)) == 2
    assert progress.scored_sample("m", 0) == every[:1]
    assert progress.scored_sample("another", 100) == []

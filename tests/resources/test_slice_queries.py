"""What frames are sliced by and frames of a slice, on each database."""

from __future__ import annotations

from datetime import datetime

import pytest

from al_assets.selection.passed_over import PassedOver, as_table
from resources.database import Database
from resources.queries.mining import Restriction
from resources.queries.selection import SelectionQueries
from resources.queries.slices import SliceQueries
from resources.slice_writer import SliceWriter
from resources.slices import Slice
from support.archive_rows import ArchiveRows

MAY = datetime(2025, 5, 1, 12)


@pytest.fixture
def rows(database: Database) -> ArchiveRows:
    """Two training videos, one with a site and a time, and a test video; the model sees class 2 on three frames."""
    found = ArchiveRows(database)
    first = found.video(1, [0, 400, 800], site="süd", camera="c", recorded_at=MAY)
    second = found.video(2, [0, 400])
    held = found.video(3, [0], split="test")
    for key in (*first, *second, *held):
        found.add("embeddings", embedder_id="e", frame_id=key, vector=b"\0\0")
        found.predict("ck", key, (1, 0.9))
    for key in (first[0], first[2], second[1]):
        found.add("predictions", checkpoint_id="ck", frame_id=key, instance=1, class_id=2, confidence=0.5)
        found.add(
            "predictions", checkpoint_id="old", frame_id=key + 1, instance=0, class_id=2, confidence=0.5
        )
    return found


def key(number: int, at: int) -> int:
    return number * 2**24 + 5 * at


def test_facts_come_from_the_frame_and_its_video(rows: ArchiveRows) -> None:
    table = SliceQueries(rows.database).facts([key(2, 0), key(1, 1), 99])
    assert table.index.tolist() == [key(1, 1), key(2, 0)]
    assert table["site"].fillna("none").tolist() == ["süd", "none"]
    assert table["pts_ms"].tolist() == [400, 0]
    assert table["recorded_at"].iloc[0] == MAY
    assert SliceQueries(rows.database).facts([]).empty


def test_frames_of_a_class_begin_where_they_are_asked_to_and_go_round(rows: ArchiveRows) -> None:
    queries = SliceQueries(rows.database)
    found = [key(1, 0), key(1, 2), key(2, 1)]
    assert queries.predicted_as("ck", [2], 9).tolist() == found
    assert queries.predicted_as("ck", [2], 2, key(1, 1)).tolist() == found[1:]
    assert queries.predicted_as("ck", [2], 2, key(2, 1)).tolist() == [found[0], found[2]]
    assert queries.predicted_as("ck", [7], 9).tolist() == []
    assert queries.predicted("ck", [key(1, 0)])["class_id"].to_pylist() == [1, 2]


def test_open_frames_among_some_are_those_that_a_batch_may_take(rows: ArchiveRows) -> None:
    rows.add("selections", batch_id=1, rank=1, frame_id=key(1, 0), arm="strategy")
    asked = [key(1, 0), key(1, 1), key(2, 0), key(3, 0)]
    queries = SelectionQueries(rows.database)
    assert queries.open_among("e", asked)["frame_id"].to_pylist() == [key(1, 1), key(2, 0)]
    only = Restriction(sites=("süd",))
    assert queries.open_among("e", asked, only)["frame_id"].to_pylist() == [key(1, 1)]
    assert queries.open_among("e", []).num_rows == 0


def test_videos_drawn_on_are_those_of_the_strategys_frames_under_a_checkpoint(rows: ArchiveRows) -> None:
    for batch, (checkpoint, number, arm) in enumerate(
        [("ck", 1, "strategy"), ("ck", 2, "random"), ("old", 2, "strategy")], 1
    ):
        rows.add("selection_batches", batch_id=batch, checkpoint_id=checkpoint, run_id=f"r{batch}")
        rows.add("selections", batch_id=batch, rank=1, frame_id=key(number, 0), arm=arm, reason=arm)
    queries = SliceQueries(rows.database)
    assert queries.drawn_on("ck") == {"v1"}
    assert queries.chosen_by(1, "strategy") == {key(1, 0): "strategy"}
    assert queries.training_videos()["video_no"].tolist() == [1, 2]
    assert queries.frames_of(1).tolist() == [key(1, at) for at in range(3)]


def test_worse_slices_are_those_of_the_checkpoint(rows: ArchiveRows) -> None:
    for checkpoint, name, metric, worse in [
        ("ck", "b", "recall", 1),
        ("ck", "b", "precision", 1),
        ("ck", "a", "recall", 0),
        ("old", "c", "recall", 1),
    ]:
        values = {"dimension": "class", "slice": name, "metric": metric, "worse": worse}
        rows.add("slice_metrics", checkpoint_id=checkpoint, **values)
    queries = SliceQueries(rows.database)
    assert queries.worse("ck") == [("class", "b")]
    assert queries.metrics("ck")["slice"].tolist() == ["b", "b", "a"]


def test_what_was_passed_over_goes_with_its_batch(database: Database) -> None:
    records = [
        PassedOver(key(1, 1), 1, 0.5, "cosine", "why", key(2, 0)),
        PassedOver(key(1, 2), 2, 0.25, "clip", "cap", None),
    ]
    table = as_table(records).to_pandas().astype({"beside_frame_id": "Int64"})
    table.insert(0, "batch_id", 1)
    SliceWriter(database).write("selection_batch", Slice({"batch_id": 1}, {"passed_over": table}), now=MAY)
    found = ArchiveRows(database).query(
        "SELECT frame_id, rule, beside_frame_id FROM passed_over ORDER BY place"
    )
    assert found == [(key(1, 1), "cosine", key(2, 0)), (key(1, 2), "clip", None)]
    ArchiveRows(database).add("selection_batches", batch_id=1, left_out="{}", tasks_uri=None)
    assert SelectionQueries(database).forget_unsent() == [1]
    assert ArchiveRows(database).query("SELECT frame_id FROM passed_over") == []

"""Labels by position out of `training_sets`, on every database: in order of frame, in one query, or an error."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.queries.training_labels import SqlLabels
from resources.slice_writer import SliceWriter
from resources.slices import Slice
from resources.tables import training_sets
from support.rows import NOW

FRAMES = 5 * 2**24 + 3 * np.arange(40)


def judged(training_set_id: str, frame_ids: np.ndarray, split: str = "train") -> pd.DataFrame:
    """Class 7 is present on even frames; class 2 is judged, and absent, on every third frame; weights count up."""
    at = np.arange(len(frame_ids))
    always = pd.DataFrame({"frame_id": frame_ids, "class_id": 7, "target": 1 - at % 2, "weight": at / 10})
    third = pd.DataFrame({"frame_id": frame_ids[::3], "class_id": 2, "target": 0, "weight": at[::3] / 10})
    rows = pd.concat([always, third])
    return rows.assign(training_set_id=training_set_id, split=split, annotation_id=1)


@pytest.fixture
def labels(database: Database, tmp_path: Path) -> SqlLabels:
    """The training frames of ts-1; test frames of it and another training set stand beside them."""
    parts = {
        "ts-1": pd.concat([judged("ts-1", FRAMES), judged("ts-1", FRAMES + 2**24, "test")]),
        "ts-2": judged("ts-2", FRAMES[:5] + 1),
    }
    for name, rows in parts.items():
        part = Slice({"training_set_id": name}, {"training_sets": rows})
        SliceWriter(database).write("training_set", part, now=NOW)
    return SqlLabels.index(database, "ts-1", split="train", class_ids=(7, 9, 2), folder=tmp_path)


def test_positions_are_the_frames_of_the_split_in_order(labels: SqlLabels) -> None:
    assert len(labels) == 40
    np.testing.assert_array_equal(labels.at(np.arange(40))[0], FRAMES)


def test_targets_follow_the_classes_asked_for(labels: SqlLabels) -> None:
    frame_ids, targets, weights = labels.at(np.array([3, 0, 38, 3, -1]))
    np.testing.assert_array_equal(frame_ids, FRAMES[[3, 0, 38, 3, 39]])
    np.testing.assert_array_equal(targets, [[0, -1, 0], [1, -1, 0], [1, -1, -1], [0, -1, 0], [0, -1, 0]])
    np.testing.assert_allclose(weights, [0.3, 0.0, 3.8, 0.3, 3.9], rtol=1e-6)
    assert (frame_ids.dtype, targets.dtype, weights.dtype) == (np.int64, np.int8, np.float32)


def test_classes_that_are_not_asked_for_are_left_out(labels: SqlLabels) -> None:
    only = SqlLabels(labels.database, "ts-1", (2,), labels.keys_file)
    np.testing.assert_array_equal(only.at(np.arange(4))[1], [[0], [-1], [-1], [0]])


def test_a_mini_batch_is_one_query(labels: SqlLabels) -> None:
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    sa.event.listen(labels.database.engine, "before_cursor_execute", note)
    labels.at(np.arange(32))
    assert sum("training_sets" in statement for statement in seen) == 1


def test_a_split_without_frames_has_no_position(labels: SqlLabels, tmp_path: Path) -> None:
    empty = SqlLabels.index(labels.database, "ts-2", split="validation", class_ids=(7,), folder=tmp_path)
    assert len(empty) == 0
    with pytest.raises(IndexError):
        empty.at(np.array([0]))


def test_a_position_beyond_the_end_is_an_index_error(labels: SqlLabels) -> None:
    with pytest.raises(IndexError):
        labels.at(np.array([40]))


def test_rows_that_are_gone_are_an_error_not_an_unjudged_frame(labels: SqlLabels) -> None:
    with labels.database.write() as connection:
        connection.execute(sa.delete(training_sets).where(training_sets.c.frame_id == int(FRAMES[4])))
    with pytest.raises(LookupError, match=f"1 frames are gone from ts-1, first {FRAMES[4]}; index it again"):
        labels.at(np.array([3, 4]))


def test_labels_travel_to_another_process(labels: SqlLabels) -> None:
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(labels)).at(np.array([2]))[0], FRAMES[[2]])

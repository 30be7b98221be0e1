"""Label Studio exports: what beside a person's answer stands in a task, and several answers to one."""

from __future__ import annotations

import inspect
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

from al_assets.labels.formats import label_studio
from al_assets.labels.formats.records import BrokenRecord, Mark, Record

CHOICE = {"type": "choices", "value": {"choices": ["zero"]}}


def read(tasks: Any) -> list[Any]:
    return list(label_studio.read(io.BytesIO(json.dumps(tasks).encode())))


def test_predictions_and_drafts_are_no_answers_wherever_they_stand() -> None:
    machine = {"id": 9, "result": [{"type": "choices", "value": {"choices": ["one"]}}], "score": 0.9}
    annotation = {"id": 5, "result": [CHOICE], "prediction": machine, "parent_prediction": 9}
    task = {"id": 1, "data": {"frame_id": 16777216}, "annotations": [annotation], "drafts": [machine]}
    for predictions in ([9], [machine]):  # numbers, or objects where the export was told to hold them
        (record,) = read([{**task, "predictions": predictions}])
        assert record.marks == (Mark("zero", None),)


def test_a_ground_truth_and_the_annotation_beside_it_are_each_its_authors_answer() -> None:
    annotations = [
        {"id": 5, "result": [CHOICE], "completed_by": 1, "ground_truth": True},
        {"id": 6, "result": [], "completed_by": 2, "ground_truth": False},
    ]
    records = read([{"id": 1, "data": {"frame_id": 16777216}, "annotations": annotations}])
    assert [(r.positions, r.source_id, r.annotator, r.outcome) for r in records] == [
        ((1,), "ls:5", "1", "labelled"),
        ((2,), "ls:6", "2", "nobody"),
    ]


def test_a_skipped_annotation_says_cannot_tell_whatever_was_ticked_before() -> None:
    annotation = {"id": 5, "result": [CHOICE, {"type": "brushlabels"}], "was_cancelled": True}
    (record,) = read([{"id": 1, "data": {"frame_id": 16777216}, "annotations": [annotation]}])
    assert (record.outcome, record.marks, record.source_id) == ("cannot_tell", (), "ls:5")


def test_annotations_given_by_number_only_are_broken_one_by_one() -> None:
    first, second = read([{"id": 1, "data": {"frame_id": 16777216}, "annotations": [5, 6]}])
    assert (first.reason, second.reason) == ("5 is not an annotation", "6 is not an annotation")


def test_a_task_that_nests_as_deep_as_can_be_checked_breaks_nothing_else_when_read_from_deeper_down() -> None:
    def taken(records: Iterator[Record], deeper: int) -> list[Record]:
        return taken(records, deeper - 1) if deeper else list(records)

    room = sys.getrecursionlimit() - len(inspect.stack(0)) - 50
    tasks = '[{"id": 1, "annotations": [], "data": ' + "[" * room + "]" * room + '}, {"annotations": [{}]}]'
    first, second = taken(label_studio.read(io.BytesIO(tasks.encode())), 200)
    assert isinstance(first, BrokenRecord)
    assert "too deeply" in first.reason
    assert isinstance(second, BrokenRecord)
    assert "data" in second.reason

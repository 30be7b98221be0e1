"""Tasks for the labelling tool, and that their answers find the way back through the importers."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree

import pytest

from al_assets.labels.formats import read_export
from al_assets.selection.labelling_tasks import TaskRow, label_studio_tasks, labelling_config, tasks_csv


def row(rank: int, **fields: Any) -> TaskRow:
    return TaskRow(
        **{
            "batch_id": 3,
            "rank": rank,
            "frame_id": 16777216 + rank,
            "video_id": "clip-1",
            "frame_index": rank,
            "pts_ms": 61_234,
            "image_url": f"stills/{rank}.jpg",
            "still": f"stills/clip-1/{rank:08d}.jpg",
            "width": 640,
            "height": 480,
            "clip_url": "videos/a.mp4",
            "checkpoint_id": "head-7",
            "suggestions": (("zero", 0.9), ("one", 0.6)),
            "arm": "strategy",
            **fields,
        }
    )


def test_a_task_shows_the_still_the_clip_at_that_time_and_the_suggestions() -> None:
    (task,) = label_studio_tasks([row(1)], blind=False)
    data = task["data"]
    assert (data["image"], data["clip"]) == ("stills/1.jpg", "videos/a.mp4#t=61.234")
    assert data["clip_link"] == '<a href="videos/a.mp4#t=61.234" target="_blank">clip-1 at 1:01.234</a>'
    assert (data["frame_id"], data["batch_id"], data["checkpoint_id"]) == (16777217, 3, "head-7")
    (prediction,) = task["predictions"]
    assert prediction["result"][0]["value"] == {"choices": ["zero", "one"]}
    assert (prediction["model_version"], prediction["score"]) == ("head-7", 0.6)


def test_blind_tasks_and_the_evaluation_arm_show_no_suggestion() -> None:
    blind = label_studio_tasks([row(1)], blind=True)
    measured = label_studio_tasks([row(1, arm="evaluation")], blind=False)
    assert "predictions" not in blind[0] | measured[0]
    assert "zero" not in tasks_csv([row(1, arm="evaluation")]) + tasks_csv([row(1)], blind=True)


def test_the_arm_is_not_told() -> None:
    assert "evaluation" not in json.dumps(label_studio_tasks([row(1, arm="evaluation")], blind=False))


def test_stills_without_a_clip_and_the_first_batch_without_a_model_have_tasks_too() -> None:
    (task,) = label_studio_tasks([row(1, clip_url=None, checkpoint_id=None, suggestions=())], blind=False)
    assert (task["data"]["clip"], task["data"]["clip_link"]) == (None, "clip-1 at 1:01.234")


def test_an_address_cannot_break_out_of_its_link() -> None:
    (task,) = label_studio_tasks([row(1, clip_url='x"><script>.mp4#t=9')], blind=False)
    assert "<script>" not in task["data"]["clip_link"]
    assert task["data"]["clip"].endswith(".mp4#t=61.234")


def test_tasks_come_in_the_order_of_rank() -> None:
    tasks = label_studio_tasks([row(2), row(1)], blind=False)
    assert [task["data"]["rank"] for task in tasks] == [1, 2]
    assert [line.split(",")[1] for line in tasks_csv([row(2), row(1)]).splitlines()[1:]] == ["1", "2"]


def test_an_answered_label_studio_task_comes_back_to_its_frame() -> None:
    tasks = label_studio_tasks([row(1), row(2)], blind=False)
    tasks[0] |= {
        "annotations": [{"id": 9, "result": tasks[0]["predictions"][0]["result"], "completed_by": 1}]
    }
    tasks[1] |= {"annotations": []}
    (record,) = read_export(io.BytesIO(json.dumps(tasks).encode()))
    assert (record.frame.frame_id, [mark.name for mark in record.marks]) == (16777217, ["zero", "one"])


def test_csv_tasks_dropped_back_unanswered_say_nothing() -> None:
    text = tasks_csv([row(1), row(2)])
    assert list(read_export(io.BytesIO(text.encode()))) == []


def test_csv_tasks_filled_in_come_back_to_their_frames() -> None:
    rows = list(csv.DictReader(io.StringIO(tasks_csv([row(1), row(2), row(3)]))))
    rows[0]["label"], rows[1]["label"] = "zero", ""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    first, second = read_export(io.BytesIO(text.getvalue().encode()))
    assert (first.frame.frame_id, first.marks[0].name) == (16777217, "zero")
    assert (second.frame.frame_id, second.outcome) == (16777218, "nobody")


def test_a_suggestion_is_no_formula() -> None:
    assert "'=HYPERLINK(1)" in tasks_csv([row(1, suggestions=(("=HYPERLINK(1)", 0.5),))])


def test_the_configuration_names_the_controls_that_the_tasks_fill() -> None:
    (task,) = label_studio_tasks([row(1)], blind=False)
    view = ElementTree.fromstring(labelling_config(["zero", 'a "b" & <c>\u72d0'], "multi_label"))
    (choices,) = view.iter("Choices")
    result = task["predictions"][0]["result"][0]
    assert (choices.get("name"), choices.get("toName")) == (result["from_name"], result["to_name"])
    assert [choice.get("value") for choice in choices] == [
        "zero",
        'a "b" & <c>\u72d0',
        "nobody",
        "cannot tell",
    ]
    assert {tag.get("value") for tag in view if tag.get("value")} <= {f"${key}" for key in task["data"]}


@pytest.mark.parametrize(("task", "choice"), [("single_label", "single-radio"), ("multi_label", "multiple")])
def test_an_answer_is_required_and_as_many_as_the_task_allows(task: Any, choice: str) -> None:
    (choices,) = ElementTree.fromstring(labelling_config(["zero"], task)).iter("Choices")
    assert (choices.get("choice"), choices.get("required")) == (choice, "true")


@pytest.mark.parametrize("names", [["nobody"], ["?"], ["zero", "zero"]])
def test_a_class_that_is_an_answer_already_or_repeats_is_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"answers already|repeat"):
        labelling_config(names, "multi_label")

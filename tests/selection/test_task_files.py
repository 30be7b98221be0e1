"""A batch for CVAT, Azure ML and as COCO: what is shown, and that answers find the way back by the importers."""

from __future__ import annotations

import io
import json
from typing import Any
from xml.etree import ElementTree

import pytest

from al_assets.labels.formats import open_export
from al_assets.labels.formats.records import ParsedAnnotation
from al_assets.selection.labelling_tasks import TaskRow
from al_assets.selection.task_files import azure_ml_jsonl, coco_images, cvat_labels, cvat_xml

NAMES = ["zero", 'a "b" <c> & d', "日本"]


def row(rank: int, **fields: Any) -> TaskRow:
    keys = {
        "batch_id": 3,
        "rank": rank,
        "frame_id": 16777216 + rank,
        "video_id": "clip-1",
        "frame_index": rank,
    }
    still = {
        "image_url": "https://x/y",
        "still": f"stills/clip-1/{rank:08d}.jpg",
        "width": 640,
        "height": 480,
    }
    model = {"checkpoint_id": "ck-7", "suggestions": ((NAMES[1], 0.9), ("zero", 0.6)), "arm": "strategy"}
    return TaskRow(**{**keys, **still, **model, "pts_ms": 40, "clip_url": None, **fields})


def answers(text: str) -> dict[str | None, tuple[str, list[str]]]:
    """Image -> outcome and names, by the importers."""
    _, records = open_export(io.BytesIO(text.encode()))
    found = list(records)
    assert all(isinstance(record, ParsedAnnotation) for record in found)
    return {
        record.frame.image: (record.outcome, [mark.name for mark in record.marks])
        for record in found
        if isinstance(record, ParsedAnnotation)
    }


def test_the_answers_of_cvat_find_the_way_back() -> None:
    tree = ElementTree.fromstring(cvat_xml([row(2), row(1)], blind=True))
    first, second = tree.iter("image")
    ElementTree.SubElement(first, "tag", label="日本", source="manual")
    ElementTree.SubElement(second, "tag", label="cannot tell", source="manual")
    assert answers(ElementTree.tostring(tree, "unicode")) == {
        "stills/clip-1/00000001.jpg": ("labelled", ["日本"]),
        "stills/clip-1/00000002.jpg": ("cannot_tell", []),
    }


def test_the_answers_of_azure_ml_find_the_way_back() -> None:
    lines = [json.loads(line) for line in azure_ml_jsonl([row(1), row(2)], blind=True).splitlines()]
    text = "".join(json.dumps({**line, "label": [NAMES[1]]}) + "\n" for line in lines)
    assert answers(text) == {f"stills/clip-1/0000000{n}.jpg": ("labelled", [NAMES[1]]) for n in (1, 2)}


def test_coco_lists_the_images_and_classes_and_guesses_nothing() -> None:
    content = json.loads(coco_images([row(2), row(1)], NAMES))
    assert [image["frame_id"] for image in content["images"]] == [16777217, 16777218]
    assert [category["name"] for category in content["categories"]] == NAMES
    assert content["annotations"] == []
    assert "zero" not in json.dumps(content["images"])


def test_cvat_has_a_tag_for_every_answer() -> None:
    assert [label["name"] for label in json.loads(cvat_labels(NAMES))] == [*NAMES, "nobody", "cannot tell"]


@pytest.mark.parametrize("write", [cvat_xml, azure_ml_jsonl])
def test_suggestions_are_shown_unless_blind_or_measured_by(write: Any) -> None:
    assert "zero" in write([row(1)], blind=False)
    assert "zero" not in write([row(1)], blind=True) + write([row(1, arm="evaluation")], blind=False)
    if write is cvat_xml:
        tags = ElementTree.fromstring(write([row(1)], blind=False)).iter("tag")
        assert [tag.get("label") for tag in tags] == [NAMES[1], "zero"]

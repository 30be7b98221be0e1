"""A batch in the forms of other labelling tools: Azure ML's JSONL, CVAT's XML with its list of labels, COCO.

Every image goes by the path of its still, which names video and frame, so that the answer finds its way back by the
importers of labels/formats/. Label Studio and CSV are in labelling_tasks.py. Not here: writing files or stills.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from al_assets.names import CANNOT_TELL, NOBODY
from al_assets.selection.labelling_tasks import TaskRow, shown_suggestions

DATASTORE = "AmlDatastore://al_storage/"
"""The storage root, registered as a datastore of this name in the Azure ML workspace."""


def azure_ml_jsonl(rows: Sequence[TaskRow], *, blind: bool) -> str:
    """Input of Azure ML data labelling, one image a line; pre-labelled with what the model sees, unless blind.

    image_url leads to the still through DATASTORE. Layout:
    learn.microsoft.com, "Data schemas to train computer vision models with automated ML".
    """
    lines = []
    for row in _by_rank(rows):
        line: dict[str, object] = {
            "image_url": DATASTORE + row.still,
            "frame_id": row.frame_id,
            "batch_id": row.batch_id,
            "checkpoint_id": row.checkpoint_id,
        }
        if names := [name for name, _ in shown_suggestions(row, blind=blind)]:
            line["label"] = names
            line["label_confidence"] = [round(p, 6) for _, p in shown_suggestions(row, blind=blind)]
        lines.append(json.dumps(line, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines)


def cvat_xml(rows: Sequence[TaskRow], *, blind: bool) -> str:
    """Annotations of a CVAT task ("CVAT for images 1.1") with a tag for each class that the model sees, unless blind.

    The task is made from the stills under `stills/`, with the labels of `cvat_labels`. Layout:
    docs.cvat.ai, "CVAT XML annotation".
    """
    parts = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    for number, row in enumerate(_by_rank(rows)):
        size = f'width="{row.width}" height="{row.height}"'
        parts.append(f'  <image id="{number}" name={quoteattr(row.still)} {size}>')
        parts += [
            f'    <tag label={quoteattr(name)} source="auto"></tag>'
            for name, _ in shown_suggestions(row, blind=blind)
        ]
        parts.append("  </image>")
    note = escape("an image without a tag says nobody; delete those that nobody looked at")
    return "\n".join([*parts, f"  <!-- {note} -->", "</annotations>", ""])


def cvat_labels(class_names: Sequence[str]) -> str:
    """The labels of a CVAT task, to be pasted into its raw editor: a tag for every class and every other answer."""
    names = (*class_names, NOBODY, CANNOT_TELL)
    return json.dumps(
        [{"name": name, "type": "tag", "attributes": []} for name in names], ensure_ascii=False, indent=1
    )


def coco_images(rows: Sequence[TaskRow], class_names: Sequence[str]) -> str:
    """Images and categories of the batch as COCO, without annotations: the model's guesses would pass for labels."""
    images = [
        {
            "id": number,
            "file_name": row.still,
            "width": row.width,
            "height": row.height,
            "frame_id": row.frame_id,
            "video_id": row.video_id,
            "frame_index": row.frame_index,
            "batch_id": row.batch_id,
            "checkpoint_id": row.checkpoint_id,
        }
        for number, row in enumerate(_by_rank(rows), 1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(class_names, 1)]
    content = {
        "info": {"description": "frames to label"},
        "categories": categories,
        "images": images,
        "annotations": [],
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


def _by_rank(rows: Sequence[TaskRow]) -> list[TaskRow]:
    return sorted(rows, key=lambda row: row.rank)

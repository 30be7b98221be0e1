"""Label Studio's own export ("JSON", a list of tasks with annotations) as records.

Not here: writing tasks for Label Studio (selection/labelling_tasks.py), its flat variant JSON-MIN (label_studio_min.py)
and CSV, which drops skipped answers. Layout: https://labelstud.io/guide/task_format, and the files that release 1.23
writes. `predictions` and `drafts` are not answers and are never read; a ground truth is its author's answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from al_assets.labels.formats.json_text import (
    Places,
    as_json,
    names_in_list,
    parsed,
    places_of_list,
    spooled,
)
from al_assets.labels.formats.records import (
    UNKNOWN_ANNOTATOR,
    Box,
    BrokenRecord,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import (
    clip_box,
    fraction_box,
    frame_reference,
    judgement,
    moment,
    real_number,
    storable,
)
from al_assets.names import BrokenValueError, clean_name, shown

NAME = "label_studio"
_FLAT = frozenset({"annotation_id", "annotator", "image_id"})
"""Names beside a task's own in JSON-MIN, and in lists of COCO results."""
_NOT_A_CLASS = frozenset(
    {"textarea", "rating", "number", "relation", "ranker", "pairwise", "datetime", "rectangle", "chatmessage"}
)
"""Result types that say nothing about classes: notes and grades beside the answer, bare regions."""

_FARTHEST = 100.0
"""Frames; turning a box that reaches beyond could give no numbers at all."""
_LARGEST = 1e6
"""Pixels a side of an image."""


def recognises(head: str) -> bool:
    """Whether the start of a file is a JSON list of tasks (or an empty one), and neither JSON-MIN nor COCO results."""
    if re.match(r"\s*\[\s*(\]|$)", head):
        return True
    names = names_in_list(head)
    return names is not None and ("annotations" in names or not _FLAT & {*names})


def read(stream: BinaryIO) -> Iterator[Record]:
    """Records of an export, one per annotation; a task nobody answered is none.

    The whole file is checked before the first record is returned: a file cut off anywhere raises
    ExportUnreadableError and yields nothing. Neither its text nor its objects are held, only where tasks begin.
    """
    file = spooled(stream)
    return _records(file, places_of_list(file))


def _records(file: BinaryIO, places: Places) -> Iterator[Record]:
    position = 0
    for number in range(len(places)):
        text = places.text(file, number)
        try:
            task, annotations = _task(parsed(text))
        except BrokenValueError as error:
            position += 1
            yield BrokenRecord(position, str(error), storable(text))
            continue
        for annotation in annotations:
            position += 1
            raw = text  # the source as it stands; of several annotations each is shown with its task's data
            if len(annotations) > 1:
                raw = as_json({"task": task.get("id"), "data": task.get("data"), "annotation": annotation})
            try:
                yield _annotation(task, annotation, position, raw)
            except BrokenValueError as error:
                yield BrokenRecord(position, str(error), raw)


def _task(task: object) -> tuple[Mapping[str, Any], list[object]]:
    if not isinstance(task, dict):
        raise BrokenValueError(f"{shown(task)} is not a Label Studio task")
    annotations = task.get("annotations")
    if not isinstance(annotations, list):
        raise BrokenValueError("the task has no list of annotations; export as JSON, not as JSON-MIN")
    return task, annotations


def _annotation(task: Mapping[str, Any], annotation: object, position: int, raw: str) -> ParsedAnnotation:
    if not isinstance(annotation, dict):
        raise BrokenValueError(f"{shown(annotation)} is not an annotation")
    data = task.get("data")
    if not isinstance(data, dict):
        raise BrokenValueError(f"the task's data {shown(data)} is not an object")
    cancelled = annotation.get("was_cancelled")
    if not isinstance(cancelled, bool | None):
        raise BrokenValueError(f"was_cancelled {shown(cancelled)} is not true or false")
    updated = annotation.get("updated_at")
    outcome, marks = ("cannot_tell", ()) if cancelled else judgement(marks_of(annotation.get("result")))
    return ParsedAnnotation(
        positions=(position,),
        frame=frame_reference(data),
        source_id=source_id_of(annotation.get("id")),
        annotator=annotator_of(annotation.get("completed_by")),
        annotated_at=moment(annotation.get("created_at") if updated is None else updated, "updated_at"),
        outcome=outcome,
        marks=marks,
        raw=raw,
    )


def source_id_of(value: object) -> str | None:
    """The annotation's number, kept apart from those of other tools."""
    return None if value is None else clean_name(f"ls:{clean_name(value, 'annotation id')}", "annotation id")


def annotator_of(value: object) -> str:
    """completed_by: a user's number, or in detailed exports the user; never null in our tables."""
    if isinstance(value, dict):
        value = value.get("email") or value.get("username") or value.get("id")
    return UNKNOWN_ANNOTATOR if value is None else clean_name(value, "completed_by")


def marks_of(result: object) -> Iterator[Mark]:
    """Classes, with boxes where drawn, of an annotation's list of results."""
    if result == {}:  # the API accepts and stores an object for an empty answer
        return
    if not isinstance(result, list):
        raise BrokenValueError(f"the result {shown(result)} is not a list")
    for item in result:
        if not isinstance(item, dict):
            raise BrokenValueError(f"{shown(item)} is not a result")
        kind = item.get("type")
        if kind in ("choices", "rectanglelabels"):
            yield from _named(item, str(kind))
        elif not isinstance(kind, str) or kind not in _NOT_A_CLASS:
            raise BrokenValueError(
                f"results of type {shown(kind)} are not supported; use Choices or RectangleLabels"
            )


def _named(item: Mapping[str, Any], kind: str) -> Iterator[Mark]:
    value = item.get("value")
    names = value.get(kind) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(names, list):
        raise BrokenValueError(f"the {kind} of {shown(value)} are not a list of names")
    box = _box(value, item) if kind == "rectanglelabels" or "x" in value else None
    for name in names:
        if not isinstance(name, str):
            raise BrokenValueError(f"class {shown(name)} is not a name")
        yield Mark(clean_name(name, "class"), box)


def _box(value: Mapping[str, Any], item: Mapping[str, Any]) -> Box:
    """Percent of the image to fractions; a rotated rectangle becomes its upright envelope.

    Label Studio turns by `rotation` degrees clockwise about the top left corner, in pixels.
    """
    x, y, width, height = (real_number(value.get(side), side) / 100 for side in ("x", "y", "width", "height"))
    rotation = math.radians(real_number(value.get("rotation") or 0, "rotation"))
    if not rotation:
        return fraction_box(x, y, width, height)
    if width <= 0 or height <= 0:
        raise BrokenValueError(f"the box {width:g} x {height:g} is empty")
    if max(abs(x), abs(y), width, height) > _FARTHEST:
        raise BrokenValueError(
            f"the box x={x:g}, y={y:g}, width={width:g}, height={height:g} leaves the frame"
        )
    image_width = real_number(item.get("original_width"), "original_width")
    image_height = real_number(item.get("original_height"), "original_height")
    if min(image_width, image_height) <= 0 or max(image_width, image_height) > _LARGEST:
        raise BrokenValueError("a rotated box needs original_width and original_height")
    aspect = image_width / image_height
    cos, sin = math.cos(rotation), math.sin(rotation)
    across = [0.0, width * cos, -height / aspect * sin, width * cos - height / aspect * sin]
    down = [0.0, width * aspect * sin, height * cos, width * aspect * sin + height * cos]
    return clip_box(x + min(across), y + min(down), x + max(across), y + max(down))

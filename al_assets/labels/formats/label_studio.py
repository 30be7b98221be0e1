"""Label Studio's own export ("JSON", a list of tasks with annotations) as records.

Not here: writing tasks for Label Studio (selection/labelling_tasks.py) and its flat variants JSON-MIN and
CSV, which drop annotation ids or skipped answers. Layout: https://labelstud.io/guide/task_format, and the
files that release 1.23 writes. `predictions` and `drafts` are not answers and are never read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from al_assets.labels.formats.records import (
    UNKNOWN_ANNOTATOR,
    Box,
    BrokenRecord,
    ExportUnreadableError,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import (
    clip_box,
    decode_text,
    fraction_box,
    frame_reference,
    judgement,
    moment,
    real_number,
    storable,
)
from al_assets.names import BrokenValueError, clean_name, shown

NAME = "label_studio"
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_A_CLASS = frozenset(
    {"textarea", "rating", "number", "relation", "ranker", "pairwise", "datetime", "rectangle", "chatmessage"}
)
"""Result types that say nothing about classes: notes and grades beside the answer, bare regions."""


def recognises(head: str) -> bool:
    """Whether the start of a file looks like this format: a JSON list of objects (or an empty one)."""
    return re.match(r"\s*\[\s*([{\]]|$)", head) is not None


def read(stream: BinaryIO) -> Iterator[Record]:
    """Records of an export, one per annotation; a task nobody answered is none.

    The whole file is checked before the first record is returned: a file cut off anywhere raises
    ExportUnreadableError and yields nothing. Only the text is held, not its objects.
    """
    text = decode_text(stream.read())
    return _records(text, _starts(text))


def _whole(digits: str) -> int | float:
    # int() refuses beyond 4300 digits with an error that would take the whole file down.
    return int(digits) if len(digits) <= 30 else float(digits)


_DECODER = json.JSONDecoder(parse_int=_whole)


def _starts(text: str) -> list[int]:
    """Where each element of the file's one JSON list begins. Raises ExportUnreadableError."""
    starts: list[int] = []
    try:
        at = _after(text, 0, "[")
        while text[at : at + 1] != "]":
            if starts:
                at = _after(text, at, ",")
            starts.append(at)
            _, end = _DECODER.raw_decode(text, at)
            at = _skip(text, end)
        if _skip(text, at + 1) != len(text):
            raise json.JSONDecodeError("more text after the list", text, at + 1)
    except json.JSONDecodeError as error:
        raise ExportUnreadableError(
            f"the export is not whole JSON: {error.msg} at line {error.lineno}, column {error.colno};"
            " it is half-written or was edited: export again and replace the file"
        ) from error
    except RecursionError as error:
        raise ExportUnreadableError("the export nests lists too deeply to be one; export again") from error
    return starts


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _after(text: str, at: int, mark: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != mark:
        raise json.JSONDecodeError(f"expected {mark!r}", text, at)
    return _skip(text, at + 1)


def _records(text: str, starts: list[int]) -> Iterator[Record]:
    position = 0
    for start in starts:
        task, end = _DECODER.raw_decode(text, start)
        try:
            annotations = _annotations(task)
        except BrokenValueError as error:
            position += 1
            yield BrokenRecord(position, str(error), storable(text[start:end]))
            continue
        for annotation in annotations:
            position += 1
            raw = _raw(task, annotation)
            try:
                yield _annotation(task, annotation, position, raw)
            except BrokenValueError as error:
                yield BrokenRecord(position, str(error), raw)


def _annotations(task: object) -> list[object]:
    if not isinstance(task, dict):
        raise BrokenValueError(f"{shown(task)} is not a Label Studio task")
    annotations = task.get("annotations")
    if not isinstance(annotations, list):
        raise BrokenValueError("the task has no list of annotations; export as JSON, not as JSON-MIN")
    return annotations


def _raw(task: Mapping[str, Any], annotation: object) -> str:
    record = {"task": task.get("id"), "data": task.get("data"), "annotation": annotation}
    try:
        return storable(json.dumps(record, ensure_ascii=False))
    except RecursionError:
        return storable(shown(record))


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
    outcome, marks = ("cannot_tell", ()) if cancelled else judgement(_marks(annotation.get("result")))
    return ParsedAnnotation(
        positions=(position,),
        frame=frame_reference(data),
        source_id=_source_id(annotation.get("id")),
        annotator=_annotator(annotation.get("completed_by")),
        annotated_at=moment(annotation.get("created_at") if updated is None else updated, "updated_at"),
        outcome=outcome,
        marks=marks,
        judged=None,
        raw=raw,
    )


def _source_id(value: object) -> str | None:
    return None if value is None else clean_name(f"ls:{clean_name(value, 'annotation id')}", "annotation id")


def _annotator(value: object) -> str:
    """completed_by: a user's number, or in detailed exports the user; never null in our tables."""
    if isinstance(value, dict):
        value = value.get("email") or value.get("username") or value.get("id")
    return UNKNOWN_ANNOTATOR if value is None else clean_name(value, "completed_by")


def _marks(result: object) -> Iterator[Mark]:
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
    image_width = real_number(item.get("original_width"), "original_width")
    image_height = real_number(item.get("original_height"), "original_height")
    if image_width <= 0 or image_height <= 0:
        raise BrokenValueError("a rotated box needs original_width and original_height")
    aspect = image_width / image_height
    cos, sin = math.cos(rotation), math.sin(rotation)
    across = [0.0, width * cos, -height / aspect * sin, width * cos - height / aspect * sin]
    down = [0.0, width * aspect * sin, height * cos, width * aspect * sin + height * cos]
    return clip_box(x + min(across), y + min(down), x + max(across), y + max(down))

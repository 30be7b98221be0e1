"""Label Studio's flat export ("JSON-MIN", a list of answers, each with its task's data beside it) as records.

Not here: the full export (label_studio.py), which also has skipped answers and says what kind each answer is; prefer
it. Layout: convert_to_json_min of https://github.com/HumanSignal/label-studio-sdk (a task's data, its `id`, what was
answered by control, `annotator`, `annotation_id` and times, in that order), and
https://labelstud.io/guide/export#JSON-MIN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from al_assets.labels.formats.json_text import (
    JsonText,
    Places,
    names_in_list,
    parsed,
    spooled,
    whole_json,
)
from al_assets.labels.formats.label_studio import annotator_of, marks_of, source_id_of
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, ParsedAnnotation, Record
from al_assets.labels.formats.values import frame_reference, judgement, moment, storable
from al_assets.names import BrokenValueError, shown

NAME = "label_studio_min"
CONTROL = "answer"
"""The list of choices in the tasks that we write (selection/labelling_tasks.py)."""
_KINDS = {"text": "textarea", "rating": "rating", "number": "number", "datetime": "datetime"}
_FRAME = ("frame_id", "video_id", "frame_index", "image")


def recognises(head: str) -> bool:
    """Whether the start of a file is a list of objects that carry an annotation's number or author themselves."""
    names = names_in_list(head)
    return (
        names is not None
        and "annotations" not in names
        and not {"annotator", "annotation_id"}.isdisjoint(names)
    )


def read(stream: BinaryIO) -> Iterator[Record]:
    """Records of an export, one per annotation; a task nobody answered is none.

    The whole file is checked before the first record is returned, and raises ExportUnreadableError where it is not
    whole.
    """
    file = spooled(stream)
    places, texts, answered = Places(), set[str](), False
    with whole_json():
        text = JsonText(file)
        for item, start, stop in text.elements():
            if _is_unanswered(item):
                continue
            places.add(start, stop)
            answers = _answers(item) if isinstance(item, dict) else None
            answered = answered or bool(answers)
            texts.update(name for name, value in (answers or {}).items() if _is_text(value))
        text.finish("list")
    if len(places) and not answered:
        raise ExportUnreadableError(
            "the export holds no answer behind any task's id: JSON-MIN loses answers that bear the name of"
            " a data field, and the order of fields counts; export as JSON"
        )
    return _records(file, places, frozenset({CONTROL} if CONTROL in texts else texts))


def _is_unanswered(item: object) -> bool:
    """Tasks without an annotation are written too, with nothing in its fields."""
    fields = ("annotation_id", "annotator", "created_at")
    return isinstance(item, dict) and all(name in item and item[name] is None for name in fields)


def _answers(item: Mapping[str, object]) -> dict[str, object] | None:
    """What was answered: the fields between the task's number and the annotator; None where the order is another.

    A task's data stands before its number; numbers and the like are never answers as they stand.
    """
    names = list(item)
    if "id" not in item or "annotator" not in item or names.index("id") > names.index("annotator"):
        return {CONTROL: item[CONTROL]} if CONTROL in item else None
    between = names[names.index("id") + 1 : names.index("annotator")]
    return {
        name: item[name]
        for name in between
        if name not in _FRAME and isinstance(item[name], str | list | dict)
    }


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and any(isinstance(part, str) for part in value)
    )


def _records(file: BinaryIO, places: Places, classes: frozenset[str]) -> Iterator[Record]:
    for number in range(len(places)):
        raw = places.text(file, number)
        try:
            yield _annotation(parsed(raw), number + 1, storable(raw), classes)
        except BrokenValueError as error:
            yield BrokenRecord(number + 1, str(error), storable(raw))


def _annotation(item: object, position: int, raw: str, classes: frozenset[str]) -> ParsedAnnotation:
    """classes: the controls that hold plain text somewhere in the file and may hold classes."""
    if not isinstance(item, dict):
        raise BrokenValueError(f"{shown(item)} is no answer of a JSON-MIN export")
    if "annotation_id" not in item and "annotator" not in item:
        raise BrokenValueError(
            "the record has neither annotation_id nor annotator, so nobody has answered it"
        )
    answers = _answers(item)
    if answers is None:
        raise BrokenValueError(
            "the fields are not in Label Studio's order (data, id, answers, annotator), so none is known to be the"
            " answer; export as JSON"
        )
    results = [
        result
        for name, value in answers.items()
        for part in (value if isinstance(value, list) else [value])
        for result in _result(name, part, classes)
    ]
    outcome, marks = judgement(marks_of(results))
    updated = item.get("updated_at")
    return ParsedAnnotation(
        positions=(position,),
        frame=frame_reference({name: item.get(name) for name in _FRAME}),
        source_id=source_id_of(item.get("annotation_id")),
        annotator=annotator_of(item.get("annotator")),
        annotated_at=moment(item.get("created_at") if updated is None else updated, "updated_at"),
        outcome=outcome,
        marks=marks,
        raw=raw,
    )


def _result(name: str, part: object, classes: frozenset[str]) -> Iterator[dict[str, object]]:
    """A flat answer as the full export has it; nothing for a note."""
    if isinstance(part, str):
        if len(classes) > 1:
            listed = ", ".join(map(shown, sorted(classes)[:5]))
            raise BrokenValueError(
                f"JSON-MIN does not say which of {listed} holds the class and which a note;"
                f" export as JSON, or name the choices {CONTROL!r}"
            )
        if name in classes:
            yield {"type": "choices", "value": {"choices": [part]}}
    elif isinstance(part, dict):
        sizes = {side: part.get(side) for side in ("original_width", "original_height")}
        yield {"type": _kind(part), "value": part, **sizes}
    else:
        raise BrokenValueError(f"the answer {name!r} {shown(part)} is neither a choice nor a region")


def _kind(value: Mapping[str, object]) -> str:
    """Type of a result by what its value holds."""
    if "choices" in value:
        return "choices"
    labels = next((name for name in value if name.endswith("labels")), None)
    if labels is not None:
        return labels
    kind = next((kind for name, kind in _KINDS.items() if name in value), None)
    return kind or ("rectangle" if {"x", "y", "width", "height"} <= value.keys() else "unknown")

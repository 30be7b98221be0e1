"""The key of what a judgement says: equal for the same words of the same person on the same frame. No looking up."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence

from al_assets.labels.formats.records import Box, Outcome, ParsedAnnotation

_quoted = json.encoder.encode_basestring_ascii


def content_key_of(
    record: ParsedAnnotation,
    frame_id: int,
    judged: tuple[int, ...] | None,
    marks: Sequence[tuple[int, Box | None]],
    offset_ms: int | None,
) -> str:
    """What the judgement says and who says it, as 32 hex digits, wherever in a file it stands."""
    who = ("annotator", record.annotator) if record.source_id is None else ("source", record.source_id)
    at = "null" if record.annotated_at is None else f'"{record.annotated_at.isoformat()}"'
    # Two moments that were given one frame are two judgements; a frame named exactly is as it always was.
    beside = f", {offset_ms}" if offset_ms else ""
    # To a cache 0.0 and -0.0 are one box; classes alone recur anyway.
    said = _as_json_once if all(box is None for _, box in marks) else _as_json
    what = said(record.outcome, judged, tuple(marks))
    # JSON of the list [who, frame_id, at, outcome, judged, marks], put together since its ends recur.
    text = f"[[{_quoted(who[0])}, {_quoted(who[1])}], {frame_id}, {at}, {what}{beside}]"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _as_json(
    outcome: Outcome, judged: tuple[int, ...] | None, marks: tuple[tuple[int, Box | None], ...]
) -> str:
    drawn = sorted({(class_id, tuple(round(side, 6) for side in box or ())) for class_id, box in marks})
    return json.dumps([outcome, judged, drawn])[1:-1]


_as_json_once = functools.lru_cache(4096)(_as_json)

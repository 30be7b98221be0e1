"""Judgements taken back, as `al labels retract` writes them: a JSON object with a list of whom and what. Nothing else.

A retraction comes in by the same way as a label, so that it stands in the ledger, is imported exactly once, and can be
undone like any export.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from al_assets.labels.formats.records import (
    BrokenRecord,
    ExportUnreadableError,
    FrameReference,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import decode_text, moment, storable, whole_number
from al_assets.names import BrokenValueError, clean_name, shown

NAME = "retractions"
_OPENING = "al_retractions"


def recognises(head: str) -> bool:
    """Whether the start of a file is ours."""
    return re.match(rf'\s*\{{\s*"{_OPENING}"', head) is not None


def write(rows: Iterable[Mapping[str, Any]], *, reason: str, at: datetime) -> bytes:
    """A file that takes annotations back, at an aware UTC time.

    rows: frame_id, source_id, annotator, annotated_at (aware or None) of what is taken back. One without a time is
    taken back without one, so that a later answer without a time counts again.
    """
    items = [
        {
            "frame_id": int(row["frame_id"]),
            "source_id": row["source_id"],
            "annotator": str(row["annotator"]),
            "annotated_at": _after(row["annotated_at"], at),
        }
        for row in rows
    ]
    content = {_OPENING: 1, "reason": reason, "annotations": items}
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def _after(said: datetime | None, now: datetime) -> str | None:
    """A time that supersedes the judgement's, whose clock may be ahead of ours."""
    return None if said is None else max(now, said + timedelta(milliseconds=1)).isoformat()


def read(stream: BinaryIO) -> Iterator[Record]:
    """Records of such a file, one per annotation taken back. Raises ExportUnreadableError."""
    try:
        content = json.loads(decode_text(stream.read()))
        items = content["annotations"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise ExportUnreadableError("the retraction is half-written or was edited; retract again") from error
    if not isinstance(items, list):
        raise ExportUnreadableError("the retraction has no list of annotations; retract again")
    return (_record(item, position) for position, item in enumerate(items, 1))


def _record(item: object, position: int) -> Record:
    raw = storable(json.dumps(item, ensure_ascii=False))
    try:
        if not isinstance(item, dict):
            raise BrokenValueError(f"{shown(item)} is not a retraction")
        source = item.get("source_id")
        return ParsedAnnotation(
            positions=(position,),
            frame=FrameReference(frame_id=whole_number(item.get("frame_id"), "frame_id")),
            source_id=None if source is None else clean_name(source, "source_id"),
            annotator=clean_name(item.get("annotator"), "annotator"),
            annotated_at=moment(item.get("annotated_at"), "annotated_at"),
            outcome="deleted",
            marks=(),
            judged=None,
            raw=raw,
        )
    except BrokenValueError as error:
        return BrokenRecord(position, str(error), raw)

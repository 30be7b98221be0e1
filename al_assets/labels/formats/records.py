"""What a label export says once its format no longer matters: frames, marks and judgements, as values.

Not here: reading any one format (a module each) and looking names or frames up (annotations.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Outcome = Literal["labelled", "nobody", "cannot_tell", "deleted"]
Box = tuple[float, float, float, float]
"""x, y (top left), width, height as fractions of the frame."""

UNANSWERED = "(unanswered)"
"""The label of CSV tasks as they go out: an empty one means "nobody", so it must not be the default."""
UNKNOWN_ANNOTATOR = "unknown"


class ExportUnreadableError(ValueError):
    """No record of the export file can be trusted (half-written, not text, not its format)."""


@dataclass(frozen=True, slots=True)
class FrameReference:
    """How a record names its frame: frame_id, or video_id with frame_index, or image, or a video's path with a place.

    video_path: path or file name of a video under videos/, as the tool knows it. The place is frame_index, the number
    of the frame in the source at its native rate, or pts_ms, milliseconds from the start.
    """

    frame_id: int | None = None
    video_id: str | None = None
    frame_index: int | None = None
    image: str | None = None
    pts_ms: int | None = None
    video_path: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A class, by the name the annotator used, seen in the frame; with its box where one was drawn."""

    name: str
    box: Box | None


@dataclass(frozen=True, slots=True)
class ParsedAnnotation:
    """One judgement of one annotator on one frame.

    positions: the source records that it consumed, counted from 1 in the order of the file and ascending.
    raw: the source, for `label_rejects`. What a format does not know it
    leaves out: source_id, annotator, annotated_at; judged: names of the classes that were judged, None for all.
    """

    positions: tuple[int, ...]
    frame: FrameReference
    outcome: Outcome
    marks: tuple[Mark, ...]
    raw: str
    source_id: str | None = None
    annotator: str = UNKNOWN_ANNOTATOR
    annotated_at: datetime | None = None
    judged: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A source record that says nothing usable, with a reason that its author understands."""

    position: int
    reason: str
    raw: str


Record = ParsedAnnotation | BrokenRecord

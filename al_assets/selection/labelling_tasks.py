"""A batch as tasks for a labelling tool: Label Studio JSON with its configuration, and plain CSV.

Every task carries frame_id, batch_id and checkpoint_id, so that its answer finds the way back. Not here:
reading answers (labels/formats/), writing files or stills.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag
from xml.sax.saxutils import quoteattr

from al_assets.keys import Task
from al_assets.labels.formats.records import UNANSWERED
from al_assets.names import CANNOT_TELL, NOBODY, is_reserved

CONTROL = "answer"
IMAGE = "image"
ALWAYS_BLIND = frozenset({"evaluation", "second_opinion"})
CSV_COLUMNS = (
    "batch_id",
    "rank",
    "frame_id",
    "video_id",
    "frame_index",
    "pts_ms",
    "image",
    "clip",
    "suggestion",
    "confidence",
    "annotator",
    "annotated_at",
    "label",
)


@dataclass(frozen=True, kw_only=True)
class TaskRow:
    """A selected frame with all that its task shows.

    image_url: address of the still. still: its path under the storage root; width, height: pixels. clip_url: the
    video, None for folders of stills. suggestions: class names with confidences, exactly those that the model asserts
    (each is pre-ticked), best first.
    """

    batch_id: int | str
    rank: int
    frame_id: int
    video_id: str
    frame_index: int
    pts_ms: int
    image_url: str
    still: str
    width: int
    height: int
    clip_url: str | None
    checkpoint_id: str | None
    suggestions: tuple[tuple[str, float], ...]
    arm: str


def label_studio_tasks(rows: Sequence[TaskRow], *, blind: bool) -> list[dict[str, Any]]:
    """Tasks in Label Studio's import format, in the order of rank, with pre-annotations unless blind.

    The evaluation arm is always blind: a pre-ticked answer pulls people towards the model that it is to
    measure; so is a second opinion, which is to be one. The arm itself is not shown to the annotator; the batch has it.
    """
    return [_label_studio_task(row, blind=blind) for row in sorted(rows, key=lambda row: row.rank)]


def tasks_csv(rows: Sequence[TaskRow], *, blind: bool = False) -> str:
    """The same tasks as CSV, to be filled in and dropped back as an export.

    `label` says "(unanswered)" until someone answers: an empty label means "nobody".
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in sorted(rows, key=lambda row: row.rank):
        shown = shown_suggestions(row, blind=blind)
        writer.writerow(
            [
                row.batch_id,
                row.rank,
                row.frame_id,
                row.video_id,
                row.frame_index,
                row.pts_ms,
                row.image_url,
                clip_at(row) or "",
                _cell("|".join(name for name, _ in shown)),
                "|".join(f"{confidence:.3f}" for _, confidence in shown),
                "",
                "",
                UNANSWERED,
            ]
        )
    return text.getvalue()


def labelling_config(class_names: Sequence[str], task: Task) -> str:
    """Label Studio's labelling configuration for the tasks: one list of choices, an answer required.

    Required, since an empty answer would say "nobody" without anyone having said so.
    Raises ValueError for a class name that is reserved or given twice.
    """
    reserved = sorted(name for name in class_names if is_reserved(name))
    if reserved:
        raise ValueError(
            f"class names {', '.join(map(repr, reserved))} are answers already; rename the classes"
        )
    if len(set(class_names)) < len(class_names):
        raise ValueError("class names repeat; give each class once")
    choice = "single-radio" if task == "single_label" else "multiple"
    choices = "\n".join(
        f"    <Choice value={quoteattr(name)}/>" for name in (*class_names, NOBODY, CANNOT_TELL)
    )
    return (
        "<View>\n"
        f'  <Image name="{IMAGE}" value="${IMAGE}" zoom="true" zoomControl="true"/>\n'
        '  <HyperText name="clip" value="$clip_link" inline="true" clickableLinks="true"/>\n'
        f'  <Choices name="{CONTROL}" toName="{IMAGE}" choice="{choice}" required="true" showInline="true">\n'
        f"{choices}\n"
        "  </Choices>\n"
        "</View>\n"
    )


def clip_at(row: TaskRow) -> str | None:
    """Address of the clip at the frame's time (W3C Media Fragments: `#t=` in seconds)."""
    return None if row.clip_url is None else f"{urldefrag(row.clip_url).url}#t={row.pts_ms / 1000:.3f}"


def shown_suggestions(row: TaskRow, *, blind: bool) -> tuple[tuple[str, float], ...]:
    """What the annotator sees of the model's opinion: nothing where blind, and in the arms that are always blind."""
    return () if blind or row.arm in ALWAYS_BLIND else row.suggestions


def _label_studio_task(row: TaskRow, *, blind: bool) -> dict[str, Any]:
    clip = clip_at(row)
    minutes, milliseconds = divmod(row.pts_ms, 60_000)
    at = f"{row.video_id} at {minutes}:{milliseconds / 1000:06.3f}"
    link = f'<a href="{html.escape(clip)}" target="_blank">{html.escape(at)}</a>' if clip else html.escape(at)
    task: dict[str, Any] = {
        "data": {
            "image": row.image_url,
            "frame_id": row.frame_id,
            "video_id": row.video_id,
            "frame_index": row.frame_index,
            "pts_ms": row.pts_ms,
            "batch_id": row.batch_id,
            "rank": row.rank,
            "checkpoint_id": row.checkpoint_id,
            "clip": clip,
            "clip_link": link,
        }
    }
    shown = shown_suggestions(row, blind=blind)
    if shown:
        names = [name for name, _ in shown]
        result = {"from_name": CONTROL, "to_name": IMAGE, "type": "choices", "value": {"choices": names}}
        score = min(confidence for _, confidence in shown)
        task["predictions"] = [{"model_version": row.checkpoint_id or "", "score": score, "result": [result]}]
    return task


def _cell(text: str) -> str:
    """A cell that a spreadsheet does not run as a formula (CSV injection)."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text

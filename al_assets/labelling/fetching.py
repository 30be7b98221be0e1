"""When answers are fetched from the labelling tool, and the file that they become. No requests, no clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from al_assets.labelling.note import Standing

_PASSING = frozenset(
    {
        *("drafts", "predictions", "total_predictions", "updated_at", "updated_by"),
        *("comment_authors", "comment_count", "unresolved_comment_count", "last_comment_updated_at"),
    }
)
"""What a task says beside its answers: it changes while they do not."""


def fetch_due(
    now: Standing, fetched: Standing | None, *, newest_batch: int, seen_at: datetime, settle_minutes: float
) -> tuple[bool, str]:
    """Whether to fetch, and why: once the newest batch is complete, else when nothing has changed for a while.

    Each fetch that brings news trains the model, and somebody who answers a frame a minute should not wait for it
    each minute. now: the project as it stands; fetched: as it stood at the last fetch. seen_at: the server's time.
    """
    before = fetched or Standing(0, 0, "")
    if (now.answers, now.skipped, now.changed_at) == (before.answers, before.skipped, before.changed_at):
        return False, "every answer is fetched"
    news = f"{now.answers + now.skipped} answers, {before.answers + before.skipped} when last fetched"
    if newest_batch and now.complete_batch == newest_batch != before.complete_batch:
        return True, f"{news}; batch {newest_batch} is complete"
    if not now.changed_at:
        return True, f"{news}; all were taken back"
    changed_at = datetime.fromisoformat(now.changed_at)
    if seen_at.astimezone(UTC) - changed_at.astimezone(UTC) >= timedelta(minutes=settle_minutes):
        return True, f"{news}; quiet for {settle_minutes:g} minutes"
    return (
        False,
        f"{news}; they are fetched when the batch is complete or after {settle_minutes:g} quiet minutes",
    )


def named(
    exported: Iterable[Mapping[str, Any]], known: Mapping[str, str], people: Mapping[int, str]
) -> dict[str, str]:
    """Everybody who ever answered, by number: what they are called from the first on, else their e-mail or number.

    An e-mail that becomes known later, or is another, would make a second annotator of one person.
    """
    by = (each.get("completed_by") for task in exported for each in task.get("annotations") or ())
    numbers = sorted({number for number in by if isinstance(number, int)})
    return {**{str(number): people.get(number, str(number)) for number in numbers}, **known}


def answers_file(exported: Iterable[Mapping[str, Any]], people: Mapping[str, str]) -> bytes:
    """An export in Label Studio's own JSON layout, the same bytes for the same answers. people: by number, see `named`.

    Annotators are named by their e-mail where it is known, since a number means nobody when the server is gone.
    """
    tasks = [_task(task, people) for task in sorted(exported, key=lambda task: int(task["id"]))]
    # A task a line: small files, and a difference can be read.
    lines = ",\n".join(json.dumps(task, ensure_ascii=False, sort_keys=True) for task in tasks)
    return f"[{lines}]\n".encode()


def _task(task: Mapping[str, Any], people: Mapping[str, str]) -> dict[str, Any]:
    annotations = sorted(task.get("annotations") or [], key=lambda annotation: int(annotation["id"]))
    kept = {name: value for name, value in task.items() if name not in _PASSING}
    return {**kept, "annotations": [_annotation(each, people) for each in annotations]}


def _annotation(annotation: Mapping[str, Any], people: Mapping[str, str]) -> dict[str, Any]:
    by = annotation.get("completed_by")
    kept = {
        name: value for name, value in annotation.items() if name not in ("prediction", "draft_created_at")
    }
    name = people.get(str(by)) if isinstance(by, int) else None
    # Without an e-mail the number is the name.
    return {**kept, "completed_by": {"id": by, "email": name}} if name not in (None, str(by)) else kept

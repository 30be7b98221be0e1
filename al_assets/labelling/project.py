"""What the labelling tool's project should hold, against what it holds: tasks and choices. No requests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring, tostring

from al_assets.keys import Task
from al_assets.names import CANNOT_TELL, NOBODY
from al_assets.selection.labelling_tasks import CONTROL, IMAGE, labelling_config

MODEL_VERSION = "active learning"
"""Label Studio fills in the suggestions of one model version a project; which checkpoint it was, the task says."""
_LINK = re.compile(r"</?a\b[^>]*>")


class Present(Protocol):
    """A task that the project holds."""

    @property
    def task_id(self) -> int:
        """Its number."""

    @property
    def batch_id(self) -> int:
        """Its batch."""

    @property
    def frame_id(self) -> int:
        """Its frame."""

    @property
    def answered(self) -> bool:
        """Whether somebody has answered or skipped it."""

    @property
    def touched(self) -> bool:
        """Whether it is answered, or somebody has begun to answer it."""


@dataclass(frozen=True)
class Choices:
    """The answers that a labelling configuration offers."""

    names: tuple[str, ...]
    several: bool


def missing(wanted: Mapping[int, Collection[int]], present: Iterable[Present]) -> dict[int, list[int]]:
    """Batch -> frames, ascending, whose task is wanted and not there."""
    there = {(task.batch_id, task.frame_id) for task in present}
    lacking = {
        batch: sorted(frame for frame in frames if (batch, frame) not in there)
        for batch, frames in wanted.items()
    }
    return {batch: frames for batch, frames in lacking.items() if frames}


def doubles(present: Iterable[Present]) -> list[int]:
    """Numbers of tasks that repeat another of the same frame and batch and that nobody has begun to answer.

    A request that timed out may have been carried out all the same, after we looked.
    """
    same: dict[tuple[int, int], list[Present]] = defaultdict(list)
    for task in present:
        same[task.batch_id, task.frame_id].append(task)
    spare = []
    for tasks in same.values():
        first = min(tasks, key=lambda task: (not task.answered, not task.touched, task.task_id))
        spare += [task.task_id for task in tasks if task is not first and not task.touched]
    return sorted(spare)


def complete_batch(present: Iterable[Present]) -> int:
    """The newest batch in the project if each of its tasks is answered, else 0."""
    tasks = list(present)
    newest = max((task.batch_id for task in tasks), default=0)
    return newest if all(task.answered for task in tasks if task.batch_id == newest) else 0


def choices_of(config: str) -> Choices:
    """What a configuration offers under our name for the answer; nothing where it has no such list."""
    control = _control(_parsed(config))
    if control is None:
        return Choices((), False)
    names = tuple(choice.get("value", "") for choice in control.iter("Choice"))
    return Choices(names, control.get("choice") == "multiple")


def configuration(config: str, names: Sequence[str], task: Task) -> tuple[str, str] | None:
    """The configuration that a project should have, and one that only adds; None where it is right as it is.

    The owner's own changes, such as hot keys or a second question, stay. The second is for a project whose answers use
    a choice that is no class any more: Label Studio would not show them rightly without it.
    Raises ValueError where our question has no place beside the owner's.
    """
    offered = choices_of(config)
    if _several(task) == offered.several and set(offered.names) == _wanted(names):
        return None
    if _control(_parsed(config)) is None:
        new = _inserted(config, labelling_config(names, task))
        return new, new
    return _edited(config, names, task, drop=True), _edited(config, names, task, drop=False)


def _edited(config: str, names: Sequence[str], task: Task, *, drop: bool) -> str:
    root = _parsed(config)
    control = _control(root)
    assert control is not None
    control.set("choice", "multiple" if _several(task) else "single-radio")
    parents = {child: parent for parent in control.iter() for child in parent if child.tag == "Choice"}
    for choice, parent in parents.items():
        if drop and choice.get("value") not in _wanted(names):
            parent.remove(choice)
    there = {choice.get("value") for choice in control.iter("Choice")}
    last = [n for n, child in enumerate(control) if child.get("value") in (NOBODY, CANNOT_TELL)]
    place = min(last, default=len(control))
    for name in [name for name in (*names, NOBODY, CANNOT_TELL) if name not in there]:
        choice = Element("Choice", value=name)
        choice.tail = "\n    "
        control.insert(place, choice)
        place += 1
    return tostring(root, encoding="unicode")


def _inserted(config: str, ours: str) -> str:
    """Our question, and the image if there is none yet, after what the owner asks."""
    try:
        root = fromstring(config or "<View/>")
    except (ParseError, DefusedXmlException):
        raise ValueError(
            "the project's labelling configuration cannot be read; correct it under Settings, Labeling Interface"
        ) from None
    if not len(root):
        return ours
    mine = {part.get("name"): part for part in fromstring(ours)}
    taken = {part.get("name"): part for part in root.iter() if part.get("name") in mine}
    image = taken.get(IMAGE)
    if root.tag != "View" or CONTROL in taken or (image is not None and image.tag != "Image"):
        raise ValueError(
            "the project's labelling configuration has no place for our question; give it a View in which nothing "
            f'else is called "{CONTROL}", and "{IMAGE}" is the image'
        )
    root.extend(part for name, part in mine.items() if name not in taken)
    return str(tostring(root, encoding="unicode"))


def _parsed(config: str) -> Element:
    try:
        return fromstring(config or "<View/>")
    except (ParseError, DefusedXmlException):
        return Element("View")


def _control(root: Element) -> Element | None:
    return next((control for control in root.iter("Choices") if control.get("name") == CONTROL), None)


def _several(task: Task) -> bool:
    return task != "single_label"


def _wanted(names: Sequence[str]) -> set[str]:
    return {*names, NOBODY, CANNOT_TELL}


def offers(config: str, names: Sequence[str], task: Task) -> bool:
    """Whether a person who works with the configuration can give every answer, and as many as the task allows."""
    offered = choices_of(config)
    return _wanted(names) <= {*offered.names} and offered.several == _several(task)


def task_for(
    task: Mapping[str, Any], image: str | None, today: Callable[[str], str | None] = str
) -> dict[str, Any]:
    """A task as our own file has it, for a project. image: address of its uploaded still, or None to leave its own.

    today: the answer that is offered now for a name in a suggestion, None where there is none: classes may have been
    renamed, merged or split since the file was written.
    """
    data = dict(task["data"])
    if image is not None:
        data["image"] = image
    if str(data.get("clip") or "").startswith("file:"):
        # A browser follows no link from a server to a file.
        data |= {"clip": None, "clip_link": _LINK.sub("", str(data["clip_link"]))}
    changed: dict[str, Any] = {**task, "data": data}
    if "predictions" in task:
        suggested = [{**each, "result": _offered(each["result"], today)} for each in task["predictions"]]
        changed["predictions"] = [
            {**each, "model_version": MODEL_VERSION} for each in suggested if each["result"]
        ]
    return changed


def _offered(result: Iterable[Mapping[str, Any]], today: Callable[[str], str | None]) -> list[dict[str, Any]]:
    """Suggested choices under today's names; those without one, and lists left empty by that, are left out."""
    found = []
    for part in result:
        names = dict.fromkeys(today(name) for name in part["value"]["choices"])
        if choices := [name for name in names if name is not None]:
            found.append({**part, "value": {**part["value"], "choices": choices}})
    return found

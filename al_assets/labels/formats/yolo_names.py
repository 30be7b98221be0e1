"""The class list of a YOLO data set: classes.txt, obj.names, or `names` in data.yaml.

Not here: label files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml

from al_assets.labels.formats.bundle import Bundle
from al_assets.labels.formats.records import ExportUnreadableError
from al_assets.labels.formats.values import decode_text, whole_number
from al_assets.names import BrokenValueError, clean_name, shown

CLASS_LISTS = {"classes.txt", "obj.names"}
MOST_BYTES = 1 << 18
"""Of a data.yaml; names of some thousand classes take a tenth."""
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class ClassList:
    """names: class number -> name. has_points: whether lines carry the points of a pose after their box."""

    names: Mapping[int, str]
    has_points: bool = False

    def name(self, number: int) -> str:
        """Name of a class. Raises BrokenValueError for a number that the list does not have."""
        if number not in self.names:
            raise BrokenValueError(f"class {number} is not in the list of {len(self.names)} classes")
        return self.names[number]


def is_class_list(name: str) -> bool:
    """Whether a file of this name lists classes."""
    path = PurePosixPath(name)
    return path.name in CLASS_LISTS or path.suffix.lower() in (".yaml", ".yml", ".names")


def read_classes(bundle: Bundle) -> ClassList:
    """The classes of a zip. Raises ExportUnreadableError where no file lists them, or two lists differ."""
    found = {name: _classes(bundle.read(name), name) for name in bundle.names if is_class_list(name)}
    lists = {name: classes for name, classes in found.items() if classes is not None}
    if not lists:
        raise ExportUnreadableError(
            "the zip lists no classes; put classes.txt, obj.names or data.yaml into it"
        )
    (first, classes), *others = lists.items()
    for name, other in others:
        if other.names != classes.names:
            raise ExportUnreadableError(
                f"the files {shown(first)} and {shown(name)} list different classes; keep one"
            )
    return ClassList(classes.names, any(each.has_points for each in lists.values()))


def _classes(content: bytes, name: str) -> ClassList | None:
    """The classes that a file lists; None for a YAML file that is about something else."""
    if PurePosixPath(name).suffix.lower() not in (".yaml", ".yml"):
        lines = decode_text(content).splitlines()
        return ClassList(_named(enumerate(line for line in lines if line.strip()), name))
    if len(content) > MOST_BYTES:
        raise ExportUnreadableError(
            f"the file {shown(name)} is too large to be a list of classes; give the names alone"
        )
    try:
        # All scalars stay text: a class may be called "no" or "2024-01-01".
        data = yaml.load(decode_text(content), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ExportUnreadableError(
            f"the file {shown(name)} is not YAML; export again: {shown(str(error))}"
        ) from error
    names = data.get("names") if isinstance(data, dict) else None
    if isinstance(names, dict):
        return ClassList(_named(names.items(), name), "kpt_shape" in data)
    if isinstance(names, list):
        return ClassList(_named(enumerate(names), name), "kpt_shape" in data)
    return None


def _named(pairs: Iterable[tuple[object, object]], name: str) -> dict[int, str]:
    try:
        return {
            whole_number(number, "class number", below=MOST_CLASSES): clean_name(label, "class")
            for number, label in pairs
        }
    except BrokenValueError as error:
        raise ExportUnreadableError(f"the classes in {shown(name)} cannot be read: {error}") from error

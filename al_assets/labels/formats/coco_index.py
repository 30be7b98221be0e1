"""One pass over a COCO file: what it is, and where in it each image and each image's annotations lie.

Not here: what an image and its annotations say (coco.py). Held are two places a value, a number an annotation and,
during the pass, the ids of images; never their text.
"""

from __future__ import annotations

import math
from array import array
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from al_assets.labels.formats.json_text import JsonText, Places, whole_json
from al_assets.labels.formats.records import ExportUnreadableError
from al_assets.labels.formats.values import EDGE

Key = int | str
LISTS = ("images", "annotations", "categories")
_NO_IMAGE = -1


class CocoIndex:
    """A whole COCO file. Raises ExportUnreadableError for one that is cut off, or holds no labels.

    categories: id -> its name, or two where the file contradicts itself. videos: id -> path or name. own: `al export`
    wrote the file. fractions: no box reaches beyond 1, as Azure ML writes them; in pixels every box of the file would
    lie in the first one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.images, self.annotations = Places(), Places()
        self.categories: dict[Key, list[object]] = {}
        self.videos: dict[Key, object] = {}
        self._slots: dict[Key, int] = {}
        self._image_slots, self._annotation_slots = array("q"), array("q")
        self._reach = 0.0
        self._predicted = False
        info = self._read(file)
        snapshot = info.get("snapshot") if isinstance(info, dict) else None
        self.own = isinstance(snapshot, dict) and {"id", "kind"} <= snapshot.keys()
        if self._predicted or (self.own and isinstance(snapshot, dict) and snapshot["kind"] == "predictions"):
            raise ExportUnreadableError(
                "the file holds predictions of our own models (score and checkpoint_id), which are no labels;"
                " export annotations instead, and remove the file"
            )
        if isinstance(info, dict) and info.get("contributor") == "Label Studio" and not len(self.annotations):
            raise ExportUnreadableError(
                "no image has an annotation: Label Studio leaves choices out of its COCO export; export as JSON"
            )
        self.fractions = not self.own and 0 < self._reach <= 1 + EDGE
        self._index()

    def of_image(self, number: int) -> list[int]:
        """Numbers of the annotations of an image, both counted from 0 in the order of the file."""
        slot = self._image_slots[number]
        if slot == _NO_IMAGE:
            return []
        first, last = np.searchsorted(self._sorted, [slot, slot + 1])
        return [int(which) for which in self._order[first:last]]

    def is_ambiguous(self, number: int) -> bool:
        """Whether another image has the same id."""
        slot = self._image_slots[number]
        return slot != _NO_IMAGE and bool(self._bearers[slot] > 1)

    def has_id(self, number: int) -> bool:
        """Whether annotations could name the image at all."""
        return self._image_slots[number] != _NO_IMAGE

    def orphans(self) -> npt.NDArray[np.int64]:
        """Numbers of the annotations that belong to no image of the file."""
        return self._orphans

    def _read(self, file: BinaryIO) -> object:
        info: object = None
        seen: set[str] = set()
        with whole_json():
            text = JsonText(file)
            for name in text.members():
                if name in seen and name in LISTS:
                    raise ExportUnreadableError(f"the file names `{name}` twice; keep one of them")
                seen.add(name)
                if name not in (*LISTS, "videos") or text.peek() != "[":
                    value, _, _ = text.value()
                    info = value if name == "info" else info
                    continue
                for value, start, stop in text.elements():
                    self._take(name, value, start, stop)
                seen.add(f"{name}[]")
            text.finish("object")
        if missing := next((name for name in LISTS if f"{name}[]" not in seen), None):
            raise ExportUnreadableError(
                f"the file has no list of `{missing}`; export instances with images, annotations and categories"
            )
        return info

    def _take(self, name: str, value: object, start: int, stop: int) -> None:
        fields = value if isinstance(value, dict) else {}
        if name == "images":
            self.images.add(start, stop)
            self._image_slots.append(self._slot(fields.get("id")))
        elif name == "annotations":
            self.annotations.add(start, stop)
            self._annotation_slots.append(self._slot(fields.get("image_id")))
            self._predicted |= fields.get("score") is not None and fields.get("checkpoint_id") is not None
            self._reach = max(self._reach, _reach(fields.get("bbox")))
        elif (key := key_of(fields.get("id"))) is not None:
            if name == "categories":
                names = self.categories.setdefault(key, [])
                if len(names) < 2 and fields.get("name") not in names:
                    names.append(fields.get("name"))
            else:
                self.videos[key] = fields.get("file_name") or fields.get("name")

    def _slot(self, value: object) -> int:
        key = key_of(value)
        return _NO_IMAGE if key is None else self._slots.setdefault(key, len(self._slots))

    def _index(self) -> None:
        slots = np.array(self._annotation_slots, np.int64)
        bearers = np.array(self._image_slots, np.int64)
        self._bearers = np.bincount(bearers[bearers >= 0], minlength=len(self._slots))
        self._slots = {}  # the largest part of what was held, and of no more use
        self._order = np.argsort(slots, kind="stable")
        self._sorted = slots[self._order]
        lost = slots == _NO_IMAGE
        lost[~lost] = self._bearers[slots[~lost]] == 0
        self._orphans = np.flatnonzero(lost)


def key_of(value: object) -> Key | None:
    """An id, whole numbers alike as text or number; None where it is none."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) < 19:
        return int(value) if str(int(value)) == value else value
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _reach(box: object) -> float:
    """How far a box reaches from the corner of its image; 0 for what is no box."""
    if not isinstance(box, list) or len(box) != 4:
        return 0.0
    sides = [side for side in box if isinstance(side, int | float) and not isinstance(side, bool)]
    if len(sides) < 4 or not all(abs(side) < 1e9 and math.isfinite(side) for side in sides):
        return 0.0
    x, y, width, height = (float(side) for side in sides)
    return max(x + width, y + height)

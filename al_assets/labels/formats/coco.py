"""COCO annotation files as records, one per image: all that one file says of an image is one judgement.

Layout: https://cocodataset.org/#format-data. Also COCO Camera Traps (annotations without bbox, category 0 `empty`,
https://lila.science/coco-camera-traps), LVIS (`neg_category_ids` were judged absent, and only they and what is there
were judged; https://www.lvisdataset.org/dataset), Azure ML's variant (boxes as fractions, `absolute_url`), videos with
numbered frames, and our own `al export annotations --format coco` (exports/coco_file.py). An image without annotations
shows nobody. Not here: where in the file things lie (coco_index.py), and lists of detector results, no labels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO

from al_assets.keys import FRAMES_PER_VIDEO
from al_assets.labels.formats.azure_ml import blob_path
from al_assets.labels.formats.coco_index import LISTS, CocoIndex, key_of
from al_assets.labels.formats.json_text import names_in, parsed, spooled
from al_assets.labels.formats.records import (
    UNKNOWN_ANNOTATOR,
    Box,
    BrokenRecord,
    FrameReference,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import (
    clip_box,
    fraction_box,
    frame_reference,
    judgement,
    real_number,
    storable,
    whole_number,
)
from al_assets.names import NOBODY, BrokenValueError, clean_name, is_reserved, shown

NAME = "coco"
CONSENSUS = "consensus"
"""Who speaks in our own files: what annotators agreed on (as in our CSV files)."""
_OURS = ("video_id", "video_path", "frame_index")
_FARTHEST = 1e6
"""Pixels; turning a box that reaches beyond could give no numbers at all."""
_NUMBERS = ("frame_number", "frame_index", "frame_id")
_SIDES = ("x", "y", "width", "height")
_STILLS = "videos/"
"""Where the pictures of an archive lie; stills of video frames lie elsewhere."""


def recognises(head: str) -> bool:
    """Whether the start of a file is an object with a list of images, annotations of images, or categories."""
    names = names_in(head)
    return names is not None and any(
        name in names and re.search(rf'"{name}"\s*:\s*(\[|$)', head)
        for name in LISTS
        if name != "annotations" or "image_id" in head
    )


def read(stream: BinaryIO) -> Iterator[Record]:
    """Records of an export: one per image, then a broken one per annotation of no image.

    Raises ExportUnreadableError before the first record for a file that is cut off, lacks one of the three lists, or
    holds predictions of ours.
    """
    file = spooled(stream)
    return _records(file, CocoIndex(file))


def _records(file: BinaryIO, index: CocoIndex) -> Iterator[Record]:
    reader = _Reader(index)
    for number in range(len(index.images)):
        image = index.images.text(file, number)
        drawn = [index.annotations.text(file, which) for which in index.of_image(number)]
        raw = storable(f'{{"image": {image}, "annotations": [{", ".join(drawn)}]}}')
        try:
            if not index.has_id(number):
                raise BrokenValueError("the image has no id, so annotations cannot name it")
            if index.is_ambiguous(number):
                raise BrokenValueError("another image has the same id, so annotations could be of either")
            yield replace(
                reader.judgement(parsed(image), [parsed(text) for text in drawn]),
                positions=(number + 1,),
                raw=raw,
            )
        except BrokenValueError as error:
            yield BrokenRecord(number + 1, str(error), raw)
    for position, which in enumerate(index.orphans(), len(index.images) + 1):
        raw = storable(index.annotations.text(file, int(which)))
        yield BrokenRecord(position, "the annotation is of no image that the file lists (image_id)", raw)


class _Reader:
    """What images and annotations say, given the file that they are in."""

    def __init__(self, index: CocoIndex) -> None:
        self._index = index

    def judgement(self, image: object, annotations: Sequence[object]) -> ParsedAnnotation:
        """What is said of an image; positions and raw are left to fill in."""
        if not isinstance(image, dict):
            raise BrokenValueError(f"{shown(image)} is not an image")
        outcome, marks = judgement([self._mark(image, annotation) for annotation in annotations])
        judged = self._judged(image, marks)
        if judged == () and outcome == "nobody":
            raise BrokenValueError(
                "no class was judged on the image: no annotation, and neg_category_ids is empty"
            )
        return ParsedAnnotation(
            positions=(),
            frame=self._frame(image),
            annotator=CONSENSUS if self._index.own else _annotator(annotations),
            outcome=outcome,
            marks=marks,
            judged=judged,
            raw="",
        )

    def _mark(self, image: Mapping[str, object], annotation: object) -> Mark:
        if not isinstance(annotation, dict):
            raise BrokenValueError(f"{shown(annotation)} is not an annotation")
        if annotation.get("score") is not None:
            raise BrokenValueError(
                "an annotation has a score, so a model made it; take the score away once a person has checked it"
            )
        name = self._class(annotation.get("category_id"), "category_id")
        box = self._box(image, annotation)
        is_empty = key_of(annotation["category_id"]) == 0 and name.casefold() == "empty" and box is None
        return Mark(NOBODY if is_empty else name, box)

    def _class(self, value: object, what: str) -> str:
        key = key_of(value)
        found = [] if key is None else self._index.categories.get(key, [])
        names = {clean_name(name, "category") for name in found}
        if len(names) != 1:
            says = "two names" if names else "no name"
            raise BrokenValueError(f"{what} {shown(value)} has {says} among the categories of the file")
        return names.pop()

    def _judged(self, image: Mapping[str, object], marks: Sequence[Mark]) -> tuple[str, ...] | None:
        """Names of the classes that were judged; None for all, where the file does not list what is absent."""
        absent = image.get("neg_category_ids")
        if absent is None:
            return None
        if not isinstance(absent, list):
            raise BrokenValueError(f"neg_category_ids {shown(absent)} is not a list")
        present = list(dict.fromkeys(mark.name for mark in marks))
        names = [self._class(value, "neg_category_ids") for value in absent]
        if both := set(names) & set(present):
            raise BrokenValueError(f"the image contradicts itself: {shown(min(both))} is present and absent")
        if reserved := next(filter(is_reserved, names), None):
            raise BrokenValueError(
                f"neg_category_ids name {shown(reserved)}, which is an answer and no class"
            )
        return tuple(dict.fromkeys([*present, *names]))

    def _box(self, image: Mapping[str, object], annotation: Mapping[str, object]) -> Box | None:
        """Fractions of the image; None where no box was drawn."""
        sides = annotation.get("bbox")
        if sides is None or sides == []:
            return None
        if not isinstance(sides, list) or len(sides) != 4:
            raise BrokenValueError(f"bbox {shown(sides)} is not a list of x, y, width and height")
        x, y, width, height = (real_number(value, side) for value, side in zip(sides, _SIDES, strict=True))
        if self._index.fractions:
            return fraction_box(x, y, width, height)
        try:
            across, down = (real_number(image.get(side), side) for side in ("width", "height"))
        except BrokenValueError as error:
            raise BrokenValueError(f"boxes in pixels need the image's width and height: {error}") from error
        if across <= 0 or down <= 0:
            raise BrokenValueError("boxes in pixels need the image's width and height, which are not above 0")
        attributes = annotation.get("attributes")
        turned = attributes.get("rotation") if isinstance(attributes, dict) else None
        if not turned:
            return fraction_box(x / across, y / down, width / across, height / down)
        if min(width, height) <= 0 or max(abs(x), abs(y), width, height) > _FARTHEST:
            raise BrokenValueError(f"the turned box {shown(sides)} is empty or leaves the frame")
        return _envelope(x, y, width, height, real_number(turned, "rotation"), across, down)

    def _frame(self, image: Mapping[str, object]) -> FrameReference:
        """By our own keys; else by path, and by video and number where the file lists its videos.

        An image's id is our frame_id only in the archive that wrote the file, so it is not asked.
        """
        path = image.get("file_name")
        if set(_OURS) <= image.keys():
            still = isinstance(path, str) and path.startswith(_STILLS)
            names = ("video_id", "frame_index")
            return frame_reference({"image": path} if still else {name: image[name] for name in names})
        place = self._place(image)
        pictured = _path(image)
        if place is None or pictured:
            found = frame_reference({"image": pictured})
            return found if place is None else replace(place, image=found.image)
        return place

    def _place(self, image: Mapping[str, object]) -> FrameReference | None:
        """The number of the frame in a video that the file lists; `frame_id` is that in COCO-VID, never our key."""
        key = key_of(image.get("video_id"))
        video = None if key is None else self._index.videos.get(key)
        number = next((image[name] for name in _NUMBERS if image.get(name) is not None), None)
        if video is None or number is None:
            return None
        return FrameReference(
            video_path=_video_path(video),
            frame_index=whole_number(number, "frame number", below=FRAMES_PER_VIDEO),
        )


def _video_path(value: object) -> str:
    """Checked as the paths of images are."""
    try:
        return frame_reference({"image": value}).image or ""
    except BrokenValueError as error:
        raise BrokenValueError(f"the video of the image, {shown(value)}, is named by no path") from error


def _path(image: Mapping[str, object]) -> object:
    """file_name, or where it has no folder, Azure's address of the same picture, which has."""
    name, address = image.get("file_name"), image.get("absolute_url") or image.get("coco_url")
    is_azure = "absolute_url" in image or str(address).lower().startswith(("amldatastore:", "azureml:"))
    if address is None or not is_azure or (isinstance(name, str) and "/" in name):
        return name
    return blob_path(address)


def _envelope(
    x: float, y: float, width: float, height: float, degrees: float, across: float, down: float
) -> Box:
    """Upright envelope of a box that CVAT turned about its middle, in pixels."""
    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    half_width, half_height = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    middle_x, middle_y = x + width / 2, y + height / 2
    return clip_box(
        (middle_x - half_width) / across,
        (middle_y - half_height) / down,
        (middle_x + half_width) / across,
        (middle_y + half_height) / down,
    )


def _annotator(annotations: Sequence[object]) -> str:
    """Label Studio can be told to write each annotation's author; most tools write none."""
    named = {
        clean_name(annotation["annotator"], "annotator")
        for annotation in annotations
        if isinstance(annotation, dict) and annotation.get("annotator")
    }
    return named.pop() if len(named) == 1 else UNKNOWN_ANNOTATOR

"""CVAT's own XML 1.1, "CVAT for images" and "CVAT for video", alone or in the zip that CVAT makes.

Layout: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/ and what releases 1.x and 2.x write. An image
is a record, and one without marks says "nobody"; of a video a record is a frame that a track shows (cvat_tracks.py).
Boxes, polygons, ellipses and masks become upright boxes, tags have none; a shape of another type breaks its record,
since leaving it out would say that its class is absent. The file dates tasks, not answers, so answers have no time: an
unchanged one in a later export is then known to be unchanged. Attributes frame_id, or video_id with frame_index, win
over names. Not here: writing such files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import PurePosixPath
from typing import BinaryIO
from xml.etree.ElementTree import Element

from al_assets.labels.formats.bundle import Bundle
from al_assets.labels.formats.cvat_meta import Task, Tasks, tasks_of
from al_assets.labels.formats.cvat_tracks import Track, check_extent, frame_records, track_of
from al_assets.labels.formats.pixel_shapes import cvat_shape, fractions, picture_size
from al_assets.labels.formats.records import (
    Box,
    BrokenRecord,
    ExportUnreadableError,
    FrameReference,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import frame_reference, judgement
from al_assets.labels.formats.xml_files import agreed_keys, children, names_frame, raw_text, root_name
from al_assets.names import BrokenValueError, clean_name, shown

NAME = "cvat"
ROOT = "annotations"
FILE = "annotations.xml"
_VIDEO_FRAME = re.compile(r"(?:.*/)?frame_([0-9]{1,9})(?:\.[A-Za-z]{3,4})?")
"""What CVAT calls the frames of a video where it lists them as images."""


def recognises(head: str) -> bool:
    """Whether the start of a file looks like this format: XML whose root is `annotations`."""
    return root_name(head) == ROOT


def recognises_bundle(names: Sequence[str]) -> bool:
    """Whether the files of a zip are this format: one is called annotations.xml."""
    return any(PurePosixPath(name).name == FILE for name in names)


def read_bundle(bundle: Bundle) -> Iterator[Record]:
    """Records of the annotations.xml in a zip; pictures beside it are not read."""
    found = [name for name in bundle.names if PurePosixPath(name).name == FILE]
    if len(found) != 1:
        raise ExportUnreadableError(f"the zip holds {len(found)} files {FILE}; drop each export on its own")
    return _read(bundle.read(found[0]))


def read(stream: BinaryIO) -> Iterator[Record]:
    """Records of an export. Raises ExportUnreadableError before the first one."""
    return _read(stream.read())


def _read(content: bytes) -> Iterator[Record]:
    """Two passes: the first checks the whole file and keeps its tracks, the second reads its images one by one."""
    tasks = Tasks({})
    tracks: list[tuple[Task, Track]] = []
    for element in children(content, ROOT):
        if element.tag == "meta":  # CVAT writes it first
            tasks = tasks_of(element)
        elif element.tag == "track":
            task = tasks.of(element)
            tracks.append((task, track_of(element, task)))
    check_extent(tracks)
    return _records(content, tasks, tracks)


def _records(content: bytes, tasks: Tasks, tracks: Sequence[tuple[Task, Track]]) -> Iterator[Record]:
    positions = count(1)
    for element in children(content, ROOT):
        if element.tag == "image":
            yield _image(element, tasks.of(element), next(positions))
        elif element.tag not in ("version", "meta", "track"):
            reason = f"elements of type {shown(element.tag)} are not supported; use images or tracks"
            yield BrokenRecord(next(positions), reason, raw_text(element))
    yield from frame_records(tracks, positions)


def _image(element: Element, task: Task, position: int) -> Record:
    raw = raw_text(element)
    try:
        outcome, marks = judgement([_mark(shape, element) for shape in element])
        return ParsedAnnotation(
            positions=(position,),
            frame=_frame(element, task),
            annotator=task.annotator,
            outcome=outcome,
            marks=marks,
            raw=raw,
        )
    except BrokenValueError as error:
        return BrokenRecord(position, str(error), raw)


def _mark(shape: Element, image: Element) -> Mark:
    box: Box | None = None
    if shape.tag != "tag":
        drawn = cvat_shape(str(shape.tag), shape.attrib)
        box = fractions(drawn, *picture_size(image.get("width"), image.get("height")))
    return Mark(clean_name(shape.get("label"), "label"), box)


def _frame(image: Element, task: Task) -> FrameReference:
    keys = agreed_keys((pair.get("name"), pair.text) for pair in image.iterfind("*/attribute"))
    if names_frame(keys):
        return frame_reference(keys)
    name = image.get("name", "").strip()
    if task.is_video and (listed := _VIDEO_FRAME.fullmatch(name)):
        return task.reference(task.number(listed.group(1)), keys)
    return frame_reference({"image": name})

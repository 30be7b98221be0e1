"""YOLO data sets in a zip: a list of classes, and for each image a text file with a line `class cx cy width height`.

Layout: https://docs.ultralytics.com/datasets/detect/ and the same as darknet, CVAT, Label Studio and Roboflow write it.
A text file is a record; an empty one says "nobody", and an image without one says nothing. A sixth number (confidence
or track) is not read; the corners of a polygon, or of a turned box, which looks the same, become their upright
envelope; lines with the points of a pose are refused. Not here: the class list (yolo_names.py), and which image a file
is about (yolo_paths.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from al_assets.labels.formats.bundle import Bundle
from al_assets.labels.formats.records import (
    Box,
    BrokenRecord,
    ExportUnreadableError,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import (
    decode_text,
    fraction_box,
    frame_reference,
    judgement,
    real_number,
    storable,
    whole_number,
)
from al_assets.labels.formats.yolo_names import CLASS_LISTS, ClassList, is_class_list, read_classes
from al_assets.labels.formats.yolo_paths import ImagePaths, image_lists, label_files
from al_assets.names import BrokenValueError, shown

NAME = "yolo"
NOTES = "notes.json"
"""Label Studio's own file beside the class list; it holds no label."""


def recognises_bundle(names: Sequence[str]) -> bool:
    """Whether the files of a zip are this format: a list of classes and label files, and no other format's files."""
    known = {PurePosixPath(name).name for name in names} & {*CLASS_LISTS, "data.yaml"}
    others = any(PurePosixPath(name).suffix.lower() in (".xml", ".json", ".csv") for name in names)
    return bool(known or not others) and any(map(is_class_list, names)) and bool(label_files(names))


def read_bundle(bundle: Bundle) -> Iterator[Record]:
    """Records of a zip. All label files are unpacked before the first record; one that is no text is broken."""
    classes = read_classes(bundle)
    lines = [line for name in image_lists(bundle.names) for line in _lines(bundle.read(name))]
    images = ImagePaths.of(bundle.names, lines)
    contents = [(name, bundle.read(name)) for name in label_files(bundle.names)]
    if not any(content.strip() for _, content in contents) and NOTES in bundle.names:
        raise ExportUnreadableError(
            "no image has a box: Label Studio leaves choices out of its YOLO export; export as JSON"
        )
    return (
        _record(content, name, images, classes, position)
        for position, (name, content) in enumerate(contents, 1)
    )


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", errors="replace").replace("\\", "/")
    return [line.strip() for line in text.splitlines()]


def _record(content: bytes, name: str, images: ImagePaths, classes: ClassList, position: int) -> Record:
    raw = storable(f"{name}\n{content.decode('utf-8', errors='replace')}")
    try:
        lines = decode_text(content).splitlines() if content.strip() else []
        outcome, marks = judgement([_mark(line, classes) for line in lines if line.strip()])
        return ParsedAnnotation(
            positions=(position,),
            frame=frame_reference({"image": images.image(name)}),
            outcome=outcome,
            marks=marks,
            raw=raw,
        )
    except (BrokenValueError, ExportUnreadableError) as error:
        return BrokenRecord(position, f"{shown(name)}: {error}", raw)


def _mark(line: str, classes: ClassList) -> Mark:
    cells = line.split()
    name = classes.name(whole_number(cells[0], "the class"))
    return Mark(name, _box([real_number(cell, "a side") for cell in cells[1:]], classes.has_points))


def _box(numbers: Sequence[float], has_points: bool) -> Box:
    if len(numbers) in (4, 5):
        x, y, width, height = numbers[:4]
        return fraction_box(x - width / 2, y - height / 2, width, height)
    if has_points or len(numbers) < 6 or len(numbers) % 2:
        what = "the points of a pose" if has_points else "neither a box nor a polygon"
        raise BrokenValueError(f"a line has {len(numbers) + 1} numbers, {what}; export as detection boxes")
    across, down = numbers[::2], numbers[1::2]
    return fraction_box(min(across), min(down), max(across) - min(across), max(down) - min(down))

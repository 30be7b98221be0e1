"""Azure ML data labelling's export as JSON Lines (what its AutoML trains on): an image and its label a line.

Not here: Azure's COCO export (coco.py). Layout: learn.microsoft.com/azure/machine-learning/
reference-automl-images-schema, and for `label_confidence` the version of it that how-to-prepare-datasets-for-automl
-images had. Only what a person submitted is exported, so `label_confidence` (1 for such) is no reason to doubt; who
labelled, and when, is not told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import urlsplit

from al_assets.labels.formats.json_text import names_in, parsed, spooled
from al_assets.labels.formats.records import (
    Box,
    BrokenRecord,
    ExportUnreadableError,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import (
    fraction_box,
    frame_reference,
    judgement,
    real_number,
    storable,
)
from al_assets.names import BrokenValueError, clean_name, shown

NAME = "azure_ml"
_EDGES = ("topX", "topY", "bottomX", "bottomY")
_BESIDE = frozenset({"label", "label_confidence", "image_details"})
_CONTAINER_FIRST = ("abfs", "abfss", "wasb", "wasbs")


def recognises(head: str) -> bool:
    """Whether the start of a file is an object with `image_url` and a label, or what Azure writes beside one."""
    names = names_in(head)
    return names is not None and "image_url" in names and not _BESIDE.isdisjoint(names)


def read(stream: BinaryIO) -> Iterator[Record]:
    """Records of an export, one per line; blank lines are none.

    Raises ExportUnreadableError before the first record where the last line is cut off.
    """
    file = spooled(stream)
    last = b""
    file.seek(0)
    for line in file:
        last = line.strip() or last
    try:
        parsed(last.decode())
    except BrokenValueError as error:
        raise ExportUnreadableError(
            f"the last line of the export is not one whole JSON object: {error}; it is half-written, or objects span"
            " lines: export again and replace the file"
        ) from error
    return _records(file)


def _records(file: BinaryIO) -> Iterator[Record]:
    file.seek(0)
    position = 0
    for line in file:
        raw = line.decode().strip(" \t\r\n")
        if not raw:
            continue
        position += 1
        try:
            yield _annotation(parsed(raw), position, storable(raw))
        except BrokenValueError as error:
            yield BrokenRecord(position, str(error), storable(raw))


def _annotation(item: object, position: int, raw: str) -> ParsedAnnotation:
    if not isinstance(item, dict):
        raise BrokenValueError(f"the line {shown(item)} is not an object")
    if item.get("label") is None:
        raise BrokenValueError("the line has no label; label the image, or leave it out of the export")
    outcome, marks = judgement(_marks(item["label"]))
    return ParsedAnnotation(
        positions=(position,),
        frame=frame_reference({"image": blob_path(item.get("image_url"))}),
        outcome=outcome,
        marks=marks,
        raw=raw,
    )


def _marks(label: object) -> Iterator[Mark]:
    """A class, a list of classes, or a list of boxes or polygons; an empty list is nobody."""
    for part in label if isinstance(label, list) else [label]:
        if isinstance(part, str):
            yield Mark(clean_name(part, "label"), None)
        elif isinstance(part, dict) and isinstance(part.get("label"), str):
            yield Mark(clean_name(part["label"], "label"), _box(part))
        else:
            raise BrokenValueError(f"the label {shown(part)} is neither a class nor a box of a class")


def _box(region: dict[str, object]) -> Box | None:
    """Fractions of the image: two corners, or the envelope of polygons; None where neither is given."""
    if not set(_EDGES).isdisjoint(region):
        left, top, right, bottom = (real_number(region.get(edge), edge) for edge in _EDGES)
        return fraction_box(left, top, right - left, bottom - top)
    polygons = region.get("polygon")
    if polygons is None:
        return None
    if not isinstance(polygons, list) or not all(isinstance(polygon, list) for polygon in polygons):
        raise BrokenValueError(f"the polygon {shown(polygons)} is not a list of lists of numbers")
    across = [real_number(value, "x") for polygon in polygons for value in polygon[::2]]
    down = [real_number(value, "y") for polygon in polygons for value in polygon[1::2]]
    if not across or len(across) != len(down):
        raise BrokenValueError(f"the polygon {shown(polygons)} is not a list of pairs of numbers")
    return fraction_box(min(across), min(down), max(across) - min(across), max(down) - min(down))


def blob_path(address: object) -> object:
    """The path of an image below its datastore or container; an address that names neither is left as it is.

    blob_path("AmlDatastore://stills/clip-1/00000005.jpg") == "clip-1/00000005.jpg". Signatures of shared access are
    left out.
    """
    if not isinstance(address, str):
        return address
    scheme, separator, rest = address.strip().partition("://")
    scheme = scheme.lower()
    if not separator:
        return address
    if scheme == "azureml":
        return rest.partition("/paths/")[2] or address
    if scheme == "amldatastore":
        return rest.partition("/")[2] or rest
    if scheme in _CONTAINER_FIRST:
        return rest.partition("/")[2] or address
    try:
        host, path = urlsplit(address.strip()).netloc, urlsplit(address.strip()).path.lstrip("/")
    except ValueError:
        return address
    return (path.partition("/")[2] or path) if ".blob." in host or ".dfs." in host else address

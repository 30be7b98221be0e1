"""The registry of export formats: one module each, told apart by content, never by file name.

Not here: reading any format, or what becomes of its records.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from al_assets.labels.formats import (
    azure_ml,
    bundle,
    camtrap_dp,
    coco,
    csv_blocks,
    csv_rows,
    cvat,
    label_studio,
    label_studio_min,
    pascal_voc,
    retractions,
    yolo,
)
from al_assets.labels.formats.bundle import Bundle
from al_assets.labels.formats.plain import PlainBlock
from al_assets.labels.formats.records import ExportUnreadableError, Record
from al_assets.labels.formats.values import decode_text

HEAD_BYTES = 65536
MOST_BYTES = 4 << 30
"""Of a text file; of a zip what it unpacks to is limited."""


class UnknownFormatError(ExportUnreadableError):
    """The content is in none of the formats, or the named format does not exist."""


@dataclass(frozen=True)
class Format:
    """An importer: whether the start of a file is its own, and the records of the whole file."""

    recognises: Callable[[str], bool]
    read: Callable[[BinaryIO], Iterator[Record]]


@dataclass(frozen=True)
class BundleFormat:
    """An importer of many files in a zip: whether their names are its own, and the records of them all."""

    recognises: Callable[[Sequence[str]], bool]
    read: Callable[[Bundle], Iterator[Record]]


FORMATS: dict[str, Format] = {
    module.NAME: Format(module.recognises, module.read)
    for module in (
        *(label_studio, label_studio_min, coco, azure_ml, cvat, pascal_voc, retractions, csv_rows),
    )
}
BUNDLES: dict[str, BundleFormat] = {
    module.NAME: BundleFormat(module.recognises_bundle, module.read_bundle)
    for module in (camtrap_dp, cvat, pascal_voc, yolo)
}
_TEXT = {".json", ".jsonl", ".csv", ".tsv", ".xml"}
"""Endings of a file that an export may be on its own; a zip may hold pictures beside it."""


def open_export(stream: BinaryIO) -> tuple[str, Iterator[Record]]:
    """Name of an export's format, and its records: each source record ends in one annotation or one broken record.

    stream: seekable, at its start; a text file, or a zip of one or of many files. It is checked whole before this
    returns, so an ExportUnreadableError never comes after a record.
    """
    head = _head(stream)
    if head.startswith(bundle.MAGICS):
        return _open_bundle(Bundle(stream))
    name = detect(head)
    return name, FORMATS[name].read(stream)


def open_blocks(stream: BinaryIO) -> tuple[str, Iterator[Record | PlainBlock]]:
    """`open_export`, with blocks in place of many plain records where a format can tell them faster."""
    head = _head(stream)
    if head.startswith(bundle.MAGICS) or detect(head) != csv_rows.NAME:
        return open_export(stream)
    return csv_rows.NAME, csv_blocks.read(stream)


def _head(stream: BinaryIO) -> bytes:
    """The start of a file, after which it stands at its start again. Raises ExportUnreadableError beyond the limit."""
    size = stream.seek(0, io.SEEK_END)
    if size > MOST_BYTES:
        raise ExportUnreadableError(
            f"the export has {size} bytes, more than {MOST_BYTES}; export it in parts"
        )
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    return head


def detect(head: bytes) -> str:
    """Name of the format that the start of a text file is in.

    head: the first HEAD_BYTES or more; a character cut at its end does no harm.
    Raises UnknownFormatError, or ExportUnreadableError for an empty file.
    """
    text = decode_text(head, whole=False)
    for name, candidate in FORMATS.items():
        if candidate.recognises(text):
            return name
    raise UnknownFormatError(
        f"the export is in none of the formats {', '.join([*FORMATS, *BUNDLES])}: export from the labelling tool in one"
        " of them, or write a CSV whose header has `label` and `frame_id` (or `video_id` and `frame_index`, or `image`)"
    )


def read_export(stream: BinaryIO, format: str | None = None) -> Iterator[Record]:
    """Records of an export whose format is known: a name in FORMATS; None tells it by the content."""
    if format is None:
        return open_export(stream)[1]
    if format not in FORMATS:
        raise UnknownFormatError(f"there is no export format {format!r}; choose one of {', '.join(FORMATS)}")
    return FORMATS[format].read(stream)


def _open_bundle(files: Bundle) -> tuple[str, Iterator[Record]]:
    texts = [
        name
        for name in files.names
        if PurePosixPath(name).suffix.lower() in _TEXT and PurePosixPath(name).name != yolo.NOTES
    ]
    if len(texts) == 1:
        content = files.read(texts[0])
        head = decode_text(content[:HEAD_BYTES], whole=False)
        for name, one in FORMATS.items():
            if one.recognises(head):
                return name, one.read(io.BytesIO(content))
    for name, many in BUNDLES.items():
        if many.recognises(files.names):
            return name, many.read(files)
    raise UnknownFormatError(
        f"the zip holds {len(texts)} files that may be an export, in none of the formats"
        f" {', '.join([*FORMATS, *BUNDLES])} as a whole; drop the one that is meant, or a zip as the labelling tool"
        " makes it"
    )

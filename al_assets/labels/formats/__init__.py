"""The registry of export formats: one module each, told apart by content, never by file name.

Not here: reading any format, or what becomes of its records.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from al_assets.labels.formats import csv_rows, label_studio
from al_assets.labels.formats.records import ExportUnreadableError, Record
from al_assets.labels.formats.values import decode_text

HEAD_BYTES = 65536


class UnknownFormatError(ExportUnreadableError):
    """The content is in none of the formats, or the named format does not exist."""


@dataclass(frozen=True)
class Format:
    """An importer: whether the start of a file is its own, and the records of the whole file."""

    recognises: Callable[[str], bool]
    read: Callable[[BinaryIO], Iterator[Record]]


FORMATS: dict[str, Format] = {
    label_studio.NAME: Format(label_studio.recognises, label_studio.read),
    csv_rows.NAME: Format(csv_rows.recognises, csv_rows.read),
}


def detect(head: bytes) -> str:
    """Name of the format that the start of a file is in.

    head: the first HEAD_BYTES or more; a character cut at its end does no harm.
    Raises UnknownFormatError, or ExportUnreadableError for an empty file.
    """
    text = decode_text(head, whole=False)
    for name, candidate in FORMATS.items():
        if candidate.recognises(text):
            return name
    raise UnknownFormatError(
        f"the export is in none of the formats {', '.join(FORMATS)}: export from Label Studio as JSON, or"
        " write a CSV whose header has `label` and `frame_id` (or `video_id` and `frame_index`, or `image`)"
    )


def read_export(stream: BinaryIO, format: str | None = None) -> Iterator[Record]:
    """Records of an export: each source record ends in exactly one annotation or one broken record.

    format: a name in FORMATS; None detects it. The file is checked whole before this returns, so an
    ExportUnreadableError never comes after a record.
    """
    if format is None:
        head = stream.read(HEAD_BYTES)
        format = detect(head)
        stream = io.BytesIO(head + stream.read())
    if format not in FORMATS:
        raise UnknownFormatError(f"there is no export format {format!r}; choose one of {', '.join(FORMATS)}")
    return FORMATS[format].read(stream)

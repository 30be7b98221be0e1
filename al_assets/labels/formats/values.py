"""Checked values out of untrusted cells and JSON: names, numbers, times, boxes, frame references, text.

Not here: the layout of any format. Every refusal is a BrokenValueError whose text is fit for `label_rejects`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from al_assets.keys import FRAMES_PER_VIDEO
from al_assets.labels.formats.records import (
    Box,
    ExportUnreadableError,
    FrameReference,
    Mark,
    Outcome,
)
from al_assets.names import (
    BrokenValueError,
    clean_name,
    is_cannot_tell,
    is_reserved,
    shown,
)

ADDRESS_LENGTH = 2000
LAST_FRAME_ID = 2**63 - 1
EDGE = 0.01
"""How far a box may reach over the frame's edge and still be clipped: tools let the mouse slip a little."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ROUNDED = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")
_WHOLE = re.compile(r"[0-9]{1,30}(\.0*)?")


def storable(text: str) -> str:
    r"""The text with NUL and lone surrogates written as \uXXXX: PostgreSQL or UTF-8 refuse them."""
    return _UNSTORABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def decode_text(data: bytes, *, whole: bool = True) -> str:
    """Text of an export file: UTF-8 with or without BOM, or UTF-16 with BOM.

    whole: False for the start of a file, in which undecodable bytes are left out.
    Raises ExportUnreadableError where nothing is in it or the encoding is another.
    """
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding, errors="strict" if whole else "ignore")
    except UnicodeDecodeError as error:
        raise ExportUnreadableError(
            f"the export is not {encoding.removesuffix('-sig').upper()} text from byte {error.start} on:"
            " it is half-written or in another encoding; save it as UTF-8 and replace the file"
        ) from error
    if not text.strip(" \t\r\n\x00"):
        raise ExportUnreadableError("the export is empty; export again and replace the file")
    return text


def whole_number(value: object, what: str, *, below: int = LAST_FRAME_ID + 1) -> int:
    """A whole number in [0, below) from JSON or a cell; 12, 12.0, "12" and "12.0" are all twelve."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    elif isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value.strip().split(".")[0])
    if isinstance(value, bool) or not isinstance(value, int):
        hint = (
            "; a spreadsheet may have rounded it"
            if isinstance(value, str) and re.search("[eE,.]", value)
            else ""
        )
        raise BrokenValueError(f"{what} {shown(value)} is not a whole number{hint}")
    if not 0 <= value < below:
        raise BrokenValueError(f"{what} {shown(value)} is not in [0, {below})")
    return value


def real_number(value: object, what: str) -> float:
    """A finite number from JSON or a cell. Raises BrokenValueError."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise BrokenValueError(f"{what} {shown(value)} is not a finite number")


def moment(value: object, what: str) -> datetime | None:
    """An ISO 8601 time as aware UTC; None for null or blank. A time without zone is taken as UTC."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value.strip())
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise BrokenValueError(f"{what} {shown(value)} is not an ISO 8601 time such as 2026-11-21T10:30:00Z")


def fraction_box(x: float, y: float, width: float, height: float) -> Box:
    """A box in fractions of the frame, clipped to it; refused where it is empty or reaches far outside."""
    right, bottom = x + width, y + height
    if width <= 0 or height <= 0:
        raise BrokenValueError(f"the box {width:g} x {height:g} is empty")
    if min(x, y) < -EDGE or max(right, bottom) > 1 + EDGE:
        raise BrokenValueError(
            f"the box x={x:g}, y={y:g}, width={width:g}, height={height:g} leaves the frame;"
            " give fractions of the frame, not pixels"
        )
    return clip_box(x, y, right, bottom)


def clip_box(left: float, top: float, right: float, bottom: float) -> Box:
    """The part of a box that lies in the frame. Raises BrokenValueError where none does."""
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in (left, top, right, bottom))
    if right <= left or bottom <= top:
        raise BrokenValueError("the box lies outside the frame")
    return left, top, right - left, bottom - top


def frame_reference(fields: Mapping[str, object]) -> FrameReference:
    """The frame that a record names by `frame_id`, or `video_id` with `frame_index`, or `image`."""
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    if {"video_id", "frame_index"} <= given.keys() and _ROUNDED.fullmatch(str(given.get("frame_id"))[:40]):
        del given[
            "frame_id"
        ]  # spreadsheets save twelve digits as 1.67772E+11; the other two columns still know
    frame_id = whole_number(given["frame_id"], "frame_id") if "frame_id" in given else None
    video_id = clean_name(given["video_id"], "video_id") if "video_id" in given else None
    frame_index = (
        whole_number(given["frame_index"], "frame_index", below=FRAMES_PER_VIDEO)
        if "frame_index" in given
        else None
    )
    image = _address(given["image"]) if "image" in given else None
    if frame_id is None and image is None and (video_id is None or frame_index is None):
        raise BrokenValueError(
            "the record names no frame; give frame_id, or video_id with frame_index, or image"
        )
    return FrameReference(frame_id, video_id, frame_index, image)


def _address(value: object) -> str:
    if not isinstance(value, str) or len(value) > ADDRESS_LENGTH or _UNSTORABLE.search(value):
        raise BrokenValueError(
            f"image {shown(value)} is not a path or address of at most {ADDRESS_LENGTH} characters"
        )
    return value.strip()


def judgement(marks: Iterable[Mark]) -> tuple[Outcome, tuple[Mark, ...]]:
    """What a set of named marks says: the reserved names become outcomes, repeated marks count once.

    No mark at all is "nobody". A reserved name beside a class contradicts it and raises BrokenValueError.
    """
    kept = tuple(dict.fromkeys(marks))
    classes = tuple(mark for mark in kept if not is_reserved(mark.name))
    reserved = {
        "cannot_tell" if is_cannot_tell(mark.name) else "nobody" for mark in kept if is_reserved(mark.name)
    }
    if len(reserved) + bool(classes) > 1:
        names = ", ".join(shown(mark.name) for mark in kept[:5])
        raise BrokenValueError(f"the answer contradicts itself: {names} cannot stand together")
    if classes:
        return "labelled", classes
    return ("cannot_tell" if "cannot_tell" in reserved else "nobody"), ()

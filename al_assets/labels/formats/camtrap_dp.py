"""Camtrap-DP 1.0, the exchange format of camera traps, in a zip: what people observed in each picture.

Layout: https://camtrap-dp.tdwg.org/data/. A record is a row of observations.csv; the rows of one picture and one
classifier make one annotation. The class is the individual (individualID) where one is named, else the
scientificName, else "human" or "vehicle"; `blank` is nobody and `unknown` is cannot tell. Refused by reason: rows of a
machine, which are predictions; rows of an event, which name no picture; rows that nobody classified, and animals
without a name, which would say that all known classes are absent. A moment in a video is bboxTime (seconds, not in the
standard, written by some tools) or what eventStart is after the medium's timestamp. Our own keys may be columns of
observations or media, or observationTags. Not here: the tables themselves (camtrap_tables.py), or writing them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from al_assets.labels.formats.bundle import Bundle
from al_assets.labels.formats.camtrap_tables import package_of, table
from al_assets.labels.formats.records import (
    UNKNOWN_ANNOTATOR,
    Box,
    BrokenRecord,
    FrameReference,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import fraction_box, frame_reference, judgement, moment, real_number
from al_assets.labels.formats.xml_files import agreed_keys, names_frame
from al_assets.names import CANNOT_TELL, BrokenValueError, clean_name, shown

NAME = "camtrap_dp"
_SIDES = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
_NAMED_BY_TYPE = ("human", "vehicle")
_LONGEST_SECONDS = 10**8
_PREDICTION = "classified by a machine: a prediction is no label"
_EVENT = "the row is about an event, not about one picture; export observations of level media"
_OPEN = "nobody has classified it yet (unclassified)"


@dataclass(frozen=True, slots=True)
class _Row:
    position: int
    raw: str
    frame: FrameReference | None = None
    annotator: str = UNKNOWN_ANNOTATOR
    at: datetime | None = None
    mark: Mark | None = None
    problem: str | None = None

    @property
    def group(self) -> tuple[object, ...]:
        return ("row", self.position) if self.frame is None else (self.frame, self.annotator)


def recognises_bundle(names: Sequence[str]) -> bool:
    """Whether the files of a zip are this format: a datapackage.json with tables beside it."""
    return package_of(names) is not None and any(name.endswith(".csv") for name in names)


def read_bundle(bundle: Bundle) -> Iterator[Record]:
    """Records of a package. A broken row breaks the others of its annotation too, as half an answer would misread.

    Raises ExportUnreadableError before the first record.
    """
    media = {
        cells["mediaID"]: cells
        for cells, _ in table(bundle, "media", ("mediaID", "filePath"))
        if "mediaID" in cells
    }
    groups: dict[tuple[object, ...], list[_Row]] = {}
    needed = ("observationType", "mediaID")
    for position, (cells, raw) in enumerate(table(bundle, "observations", needed), 1):
        row = _row(cells, media, position, raw)
        groups.setdefault(row.group, []).append(row)
    return (record for rows in groups.values() for record in _annotation(rows))


def _row(cells: Mapping[str, str], media: Mapping[str, Mapping[str, str]], position: int, raw: str) -> _Row:
    try:
        medium = _medium(cells, media)
        frame = _frame(cells, medium)
        annotator = clean_name(cells.get("classifiedBy", UNKNOWN_ANNOTATOR), "classifiedBy")
    except BrokenValueError as error:
        return _Row(position, raw, problem=str(error))
    try:
        at = moment(cells.get("classificationTimestamp"), "classificationTimestamp")
        return _Row(position, raw, frame, annotator, at, _mark(cells))
    except BrokenValueError as error:
        return _Row(position, raw, frame, annotator, problem=str(error))


def _medium(cells: Mapping[str, str], media: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """The medium that a row is about. Raises BrokenValueError for rows that are no label at all."""
    if not cells:
        raise BrokenValueError("the row has more or fewer cells than the header")
    if cells.get("classificationMethod", "").casefold() == "machine":
        raise BrokenValueError(_PREDICTION)
    if cells.get("observationLevel", "media").casefold() == "event" or "mediaID" not in cells:
        raise BrokenValueError(_EVENT)
    if cells.get("observationType", "").casefold() == "unclassified":
        raise BrokenValueError(_OPEN)
    medium = media.get(cells["mediaID"])
    if medium is None:
        raise BrokenValueError(f"the table media has no mediaID {shown(cells['mediaID'])}")
    return medium


def _frame(cells: Mapping[str, str], medium: Mapping[str, str]) -> FrameReference:
    tags = (tag.partition(":") for tag in cells.get("observationTags", "").split("|"))
    keys = agreed_keys(chain(cells.items(), medium.items(), ((tag[0].strip(), tag[2]) for tag in tags)))
    if names_frame(keys):
        return frame_reference(keys)
    path, name = medium.get("filePath", ""), medium.get("fileName")
    if "://" in path and name is not None:  # an address of a server says nothing of our folders
        path = name
    image = frame_reference({"image": path or name}).image
    kind = medium.get("fileMediatype", "").casefold()
    if kind.startswith("image/"):
        return FrameReference(image=image)
    if not kind.startswith("video/"):
        raise BrokenValueError(f"fileMediatype {shown(kind)} is neither an image's nor a video's")
    if "video_id" in keys:
        image = clean_name(keys["video_id"], "video_id")
    return FrameReference(video_path=image, pts_ms=_milliseconds(cells, medium))


def _milliseconds(cells: Mapping[str, str], medium: Mapping[str, str]) -> int:
    """The moment of a video that a row is about, from its start."""
    if "bboxTime" in cells:
        seconds = real_number(cells["bboxTime"], "bboxTime")
    else:
        start, recorded = (
            moment(cells.get("eventStart"), "eventStart"),
            moment(medium.get("timestamp"), "timestamp"),
        )
        if start is None or recorded is None:
            raise BrokenValueError(
                "a row about a video needs bboxTime, or eventStart and the video's timestamp"
            )
        seconds = (start - recorded).total_seconds()
        whole = seconds == 0 and "bboxX" not in cells and cells.get("observationType", "") != "blank"
        if whole:
            raise BrokenValueError(
                "the row is about a whole video, not about a moment of it; give bboxTime or an eventStart within it"
            )
    if not 0 <= seconds < _LONGEST_SECONDS:
        raise BrokenValueError(f"the moment {seconds:g} s does not lie in the video")
    return round(seconds * 1000)


def _mark(cells: Mapping[str, str]) -> Mark | None:
    """The row's class; None for nobody."""
    kind = cells.get("observationType", "").casefold()
    name = cells.get("individualID") or cells.get("scientificName")
    if kind == "blank":
        if name is not None:
            raise BrokenValueError(f"a blank row names {shown(name)}")
        return None
    if kind == "unknown":
        return Mark(CANNOT_TELL, None)
    if kind not in ("animal", *_NAMED_BY_TYPE):
        raise BrokenValueError(f"observationType {shown(kind)} is not one of Camtrap-DP 1.0")
    if name is None and kind not in _NAMED_BY_TYPE:
        raise BrokenValueError("an animal without individualID and scientificName names no class")
    return Mark(clean_name(name or kind, "the observed name"), _box(cells))


def _box(cells: Mapping[str, str]) -> Box | None:
    if not any(side in cells for side in _SIDES):
        return None
    x, y, width, height = (real_number(cells.get(side), side) for side in _SIDES)
    return fraction_box(x, y, width, height)


def _annotation(rows: list[_Row]) -> Iterator[Record]:
    problem = next((row for row in rows if row.problem), None)
    frame = rows[0].frame
    try:
        if problem is not None or frame is None:
            raise BrokenValueError(
                f"row {problem.position if problem else '?'} of the same picture is broken"
            )
        marks = [row.mark for row in rows if row.mark is not None]
        if marks and len(marks) < len(rows):
            raise BrokenValueError("the picture contradicts itself: a blank row stands beside another")
        outcome, kept = judgement(marks)
    except BrokenValueError as error:
        for row in rows:
            yield BrokenRecord(row.position, row.problem or str(error), row.raw)
        return
    yield ParsedAnnotation(
        positions=tuple(row.position for row in rows),
        frame=frame,
        annotator=rows[0].annotator,
        annotated_at=max((row.at for row in rows if row.at is not None), default=None),
        outcome=outcome,
        marks=kept,
        raw="\n".join(row.raw for row in rows),
    )

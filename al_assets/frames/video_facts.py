"""What the owner knows of videos: `videos.csv`, read forgivingly, its faults in plain words. No files, no tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

METADATA_FILE = "videos.csv"
TEXT_LENGTH = 200
"""Longest site or camera, in characters."""
NAMED = 3
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class VideoFacts:
    """What the owner knows of a video."""

    site: str | None = None
    camera: str | None = None
    recorded_at: datetime | None = None
    """UTC without zone, to the millisecond, as tables hold it."""


def read_metadata(text: str) -> tuple[dict[str, VideoFacts], list[str]]:
    """Facts by path from `videos.csv` (path, site, camera, recorded_at), and its faults in plain words.

    Commas, semicolons or tabs; any order and case of columns. recorded_at is ISO 8601; without a zone it is
    UTC. A faulty row costs only itself.
    """
    header = io.StringIO(text.removeprefix("\ufeff"), newline="").readline()
    delimiter = max(_DELIMITERS, key=header.count)
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter)
    facts: dict[str, VideoFacts] = {}
    faults: list[str] = []
    try:
        rows.fieldnames = [(name or "").strip().lower() for name in rows.fieldnames or ()]
        if "path" not in rows.fieldnames:
            return {}, [f"{METADATA_FILE} needs a header with a column named path"]
        for row in rows:
            _take(row, rows.line_num, facts, faults)
    except csv.Error as error:
        faults.append(f"{METADATA_FILE} line {rows.line_num}: {error}; the rest was not read")
    return facts, faults


def unknown_paths(facts: Mapping[str, VideoFacts], listed: Collection[str]) -> list[str]:
    """A fault that names paths of the file at which nothing is: mostly misspelt ones."""
    strangers = sorted(path for path in facts if path not in listed)
    if not strangers:
        return []
    named = ", ".join(strangers[:NAMED]) + (" and more" if len(strangers) > NAMED else "")
    return [f"{METADATA_FILE} names {len(strangers)} paths that are not in videos/: {named}"]


def _take(row: Mapping[str, str | None], line: int, facts: dict[str, VideoFacts], faults: list[str]) -> None:
    path = _path(row.get("path") or "")
    if not path:
        if any(isinstance(value, str) and value.strip() for value in row.values()):
            faults.append(f"{METADATA_FILE} line {line} has no path")
        return
    if path in facts:
        faults.append(f"{METADATA_FILE} line {line} repeats {path}; the later line counts")
    try:
        recorded_at = _utc(row.get("recorded_at"))
    except (ValueError, OverflowError):
        faults.append(
            f"{METADATA_FILE} line {line}: recorded_at {str(row['recorded_at'])[:40]!r} is not ISO 8601"
        )
        recorded_at = None
    facts[path] = VideoFacts(_text(row.get("site")), _text(row.get("camera")), recorded_at)


def _path(written: str) -> str:
    """The path as the listing has it: people write `./`, `videos/`, back slashes and a closing slash."""
    text = written.strip().replace("\\", "/")
    path = text.removeprefix("./").removeprefix("videos/").rstrip("/")
    return path or ("." if text else "")


def _text(value: str | None) -> str | None:
    return (value or "").strip()[:TEXT_LENGTH].strip() or None


def _utc(value: str | None) -> datetime | None:
    if not (value or "").strip():
        return None
    moment = datetime.fromisoformat(str(value).strip())
    plain = (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)
    return plain.replace(microsecond=plain.microsecond // 1000 * 1000)

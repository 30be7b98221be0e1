"""The tables of a Camtrap-DP package: where datapackage.json says they are, row by row as text.

Layout: https://camtrap-dp.tdwg.org/data/ and https://specs.frictionlessdata.io/data-package/. Not here: what rows mean.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from al_assets.labels.formats.bundle import Bundle
from al_assets.labels.formats.records import ExportUnreadableError
from al_assets.labels.formats.values import decode_text, storable
from al_assets.names import shown

PACKAGE = "datapackage.json"
_MISSING = {"", "nan", "na"}
"""What the packages write for no value (`missingValues`), and what R writes."""

Row = tuple[Mapping[str, str], str]
"""Cells by column, without those that have no value; and the row as it stands."""


def package_of(names: Sequence[str]) -> str | None:
    """Name of the zip's datapackage.json, the outermost one; None where there is none."""
    found = [name for name in names if PurePosixPath(name).name == PACKAGE]
    return min(found, key=lambda name: (name.count("/"), name), default=None)


def table(bundle: Bundle, resource: str, needed: Sequence[str]) -> Iterator[Row]:
    """Rows of a table. needed: columns that it must have. Raises ExportUnreadableError, also while it is being read."""
    name = _path(bundle, resource)
    lines = _Lines(decode_text(bundle.read(name)))
    reader = csv.reader(lines, strict=True)
    try:
        columns = [column.strip() for column in next(reader)]
        missing = [column for column in needed if column not in columns]
        if missing or len(set(columns)) < len(columns):
            what = f"lacks the column {missing[0]}" if missing else "names a column twice"
            raise ExportUnreadableError(f"the table {shown(name)} {what}; export again as Camtrap-DP 1.0")
        lines.take()
        for cells in reader:
            raw = lines.take()
            if any(cell.strip() for cell in cells):
                yield _cells(columns, cells), raw
    except csv.Error as error:
        raise ExportUnreadableError(
            f"the table {shown(name)} cannot be read after row {reader.line_num} ({error}); export again and"
            " replace the zip"
        ) from error


def _cells(columns: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    """The cells that have a value. A row of another length has none, so that it is refused and not misread."""
    if len(cells) != len(columns):
        return {}
    pairs = ((column, cell.strip()) for column, cell in zip(columns, cells, strict=True))
    return {column: cell for column, cell in pairs if cell.casefold() not in _MISSING}


class _Lines:
    """The lines of a text, remembering those of the current row."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self._row: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._row.append(line)
        return line

    def take(self) -> str:
        raw = "".join(self._row).rstrip("\r\n")
        self._row = []
        return storable(raw)


def _path(bundle: Bundle, resource: str) -> str:
    """Name of the file that holds a table."""
    package = package_of(bundle.names)
    if package is None:
        raise ExportUnreadableError(f"the zip holds no {PACKAGE}; export again as Camtrap-DP")
    try:
        content = json.loads(decode_text(bundle.read(package)))
    except (ValueError, RecursionError) as error:
        raise ExportUnreadableError(
            f"the {PACKAGE} is not whole JSON; export again and replace the zip"
        ) from error
    resources = content.get("resources") if isinstance(content, dict) else None
    path: object = None
    for candidate in resources if isinstance(resources, list) else []:
        if isinstance(candidate, dict) and candidate.get("name") == resource:
            path = candidate.get("path")
    if isinstance(path, list) and len(path) == 1:
        path = path[0]
    name = str(PurePosixPath(package).parent / (path if isinstance(path, str) else f"{resource}.csv"))
    if name not in bundle.names:
        raise ExportUnreadableError(
            f"the zip lacks its table {resource} ({shown(name)}); export again, all files"
        )
    return name

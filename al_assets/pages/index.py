"""The index of reports, written anew whenever a report is. What it looks like is in `reports/index_page.py`."""

from __future__ import annotations

from al_assets.reports.html import INDEX
from al_assets.reports.index_page import FOLDER, Report, index_page
from resources.archive import Archive
from resources.storage import Storage


def make_index(storage: Storage) -> str:
    """The page that links every report in storage."""
    found = [Report(file.path.removeprefix(FOLDER), file.modified_at) for file in storage.list(FOLDER)]
    return index_page(found)


def write_index(archive: Archive) -> str:
    """Write the index beside the reports, and return its address. Called by each asset that writes a report."""
    path = f"{FOLDER}{INDEX}"
    archive.storage.write(path, make_index(archive.storage).encode())
    return archive.storage.uri(path)

"""`al archive verify`: is the archive whole? SQL against itself and against storage; looking changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from al_assets.findings import Finding
from al_assets.verification_files import FileChecks
from al_assets.verification_rows import check_rows
from resources.archive import Archive
from resources.queries.verification import open_rows


def verify(archive: Archive, *, deep: bool = False, now: datetime | None = None) -> Iterator[Finding]:
    """Findings as they are made. Rows are of one state of the database, while others may go on writing.

    deep: reads every video's fingerprint, every checkpoint and export, and recomputes content hashes of frames and
    training sets. now: UTC with zone, the clock's by default. Raises DatabaseError and StorageError where either
    cannot be read at all: a listing that failed is no empty archive.
    """
    with open_rows(archive.database) as state:
        yield from check_rows(state, deep=deep)
    yield from FileChecks(archive, deep, now or datetime.now(UTC)).run()

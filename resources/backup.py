"""`al db backup`: one state of the database as a file, whole or not at all. How is the dialect's business."""

from __future__ import annotations

from pathlib import Path

from resources import bulk
from resources.database import Database
from resources.new_file import new_file


def back_up(database: Database, file: Path, *, replace: bool = False) -> int:
    """Copy the database while it is in use; returns the bytes written. Raises DatabaseError, StorageError."""
    with new_file(file, replace=replace) as part:
        bulk.dialect(database.dialect_name).back_up(database.engine, part)
        return part.stat().st_size

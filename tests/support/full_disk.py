"""What a writer on a small disk does; runs in a mount namespace of its own, see test_full_disk. No test here.

Prints one JSON object: the errors of the writes that did not fit, and what stood before, between and after.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from resources import tables
from resources.database import Database
from resources.slice_writer import SliceWriter
from support.rows import NOW, count, frames, video_slice

MANY = 400_000  # 35 MB as rows


def blocks() -> Iterator[pd.DataFrame]:
    """More rows than stay in memory."""
    rows = frames(1, MANY)
    yield from (rows.iloc[start : start + 50_000] for start in range(0, MANY, 50_000))


def attempt(writer: SliceWriter) -> str:
    """The error of a write that does not fit."""
    try:
        writer.write("frames", video_slice(blocks()), now=NOW)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def main(database_folder: str, spool_folder: str, small: str) -> None:
    """Write a slice, one that does not fit, and again one that does."""
    tempfile.tempdir = spool_folder
    database = Database(url=f"sqlite:///{database_folder}/al.db")
    tables.metadata.create_all(database.engine)
    writer = SliceWriter(database)
    first = writer.write("frames", video_slice(frames(1, 300)), now=NOW)
    error = attempt(writer)
    between = count(database, "frames")
    left = sorted(os.listdir(spool_folder)) if spool_folder == small else []
    again = writer.write("frames", video_slice(frames(1, 300)), now=NOW)
    database.close()
    after = count(database, "frames"), count(database, "materializations")
    free = shutil.disk_usage(small).free
    print(json.dumps([error, between, left, first == again, after, free]))


if __name__ == "__main__":
    main(*(str(Path(argument).resolve()) for argument in sys.argv[1:]))

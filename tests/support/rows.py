"""Rows of `frames` and friends for tests of the SQL layer. No database here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.database import Database
from resources.slices import KeyRange, Rows, Slice
from resources.tables import metadata

NOW = datetime(2026, 3, 1, 12)


def frames(
    video_no: int = 1, n: int = 3, *, video_id: str | None = None, brightness: float = 0.5
) -> pd.DataFrame:
    """n rows of `frames`."""
    at = np.arange(n)
    return pd.DataFrame(
        {
            "frame_id": frame_range(video_no)[0] + at,
            "video_id": video_id or f"clip-{video_no}",
            "frame_index": at,
            "pts_ms": at * 40,
            "width": 640,
            "height": 480,
            "brightness": brightness,
            "sharpness": 12.5,
            "phash": at - 1,
            "duplicate_of": None,
            "image_path": None,
        }
    )


def video_slice(rows: Rows, video_no: int = 1) -> Slice:
    """The slice of one video in `frames`."""
    return Slice({"frame_id": KeyRange(*frame_range(video_no))}, {"frames": rows})


def breaks_after(n: int, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """A producer that fails after n rows, as a decoder does."""
    yield rows.iloc[:n]
    raise OSError("the video ends in the middle of a frame")


def embeddings(video_no: int, n: int, dimensions: int = 4) -> pa.Table:
    """n rows of `embeddings`."""
    vectors = np.arange(n * dimensions, dtype="<f2").reshape(n, dimensions)
    return pa.table(
        {
            "embedder_id": pa.array(["e1"] * n),
            "frame_id": pa.array(frame_range(video_no)[0] + np.arange(n)),
            "vector": pa.array([row.tobytes() for row in vectors], pa.binary()),
        }
    )


def count(database: Database, table: str, **where: object) -> int:
    """Rows of a table."""
    found = metadata.tables[table]
    conditions = [found.c[column] == value for column, value in where.items()]
    with database.read() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(found).where(*conditions)) or 0)

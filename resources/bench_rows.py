"""Rows for the measurements of reading and writing. No database."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from al_assets.keys import frame_range
from resources.arrow_types import table_schema
from resources.tables import frames

VIDEO_NO = 1


def sample_frames(rows: int) -> pa.Table:
    """Rows like those of one indexed video: what differs from frame to frame differs."""
    rng = np.random.default_rng(0)
    at = np.arange(rows)
    first = frame_range(VIDEO_NO)[0]
    duplicate = pa.array(first + at, mask=rng.random(rows) < 0.9)
    columns = {
        "frame_id": first + at,
        "video_id": pa.array(["clip-0123456789"] * rows),
        "frame_index": at,
        "pts_ms": at * 40,
        "width": np.full(rows, 1920),
        "height": np.full(rows, 1080),
        "brightness": rng.random(rows),
        "sharpness": rng.random(rows) * 100,
        "phash": rng.integers(-(2**63), 2**63 - 1, rows),
        "duplicate_of": duplicate,
        "image_path": pa.nulls(rows, pa.string()),
    }
    schema = table_schema(frames)
    return pa.table({name: pa.array(values) for name, values in columns.items()}).cast(schema)

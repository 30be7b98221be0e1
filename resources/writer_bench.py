"""How fast the SQL writer takes vectors, for `al bench ray`. Synthetic rows, a SQLite file, nothing of an engine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from al_assets.keys import frame_range
from resources import tables
from resources.database import Database
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, Slice

VECTOR_BYTES = 2560
"""1280 dimensions as float16."""


def write_vectors(folder: Path, frames: int) -> int:
    """Replace a video's slice of `embeddings` with this many vectors; returns them."""
    database = Database(url=f"sqlite:///{folder / 'written.db'}")
    tables.metadata.create_all(database.engine)
    first, last = frame_range(1)
    rng = np.random.default_rng(0)
    rows = pa.table(
        {
            "embedder_id": pa.array(["bench"] * frames),
            "frame_id": pa.array(first + np.arange(frames)),
            "vector": pa.array([rng.bytes(VECTOR_BYTES) for _ in range(frames)]),
        }
    )
    slice = Slice(
        {"embedder_id": "bench", "frame_id": KeyRange(first, last)}, {"embeddings": rows}, name="bench"
    )
    SliceWriter(database).write("embeddings", slice, now=datetime.now(UTC))
    database.close()
    return frames

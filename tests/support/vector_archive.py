"""An archive of rows whose frames have vectors around a few directions, and a model that serves. No assertion here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from al_assets.embeddings.vectors import pack
from al_assets.keys import frame_id
from resources.archive import Archive
from resources.tables import embeddings, frames
from support.archive_rows import ArchiveRows
from support.small_archives import empty_archive

EMBEDDER, MODEL, DIMENSIONS, GROUPS = "e1", "m", 16, 4


class VectorArchive:
    """Adds videos whose frames look like one of GROUPS directions each, in turn."""

    def __init__(self, folder: Path) -> None:
        self.archive: Archive = empty_archive(folder)
        self.rows = ArchiveRows(self.archive.database)
        self.rows.add("embedders", embedder_id=EMBEDDER, dimensions=DIMENSIONS)
        self.rows.add(
            "checkpoints", checkpoint_id=MODEL, embedder_id=EMBEDDER, task="multi_label", class_ids="[1]"
        )
        self.rows.add("serving", slot=1, checkpoint_id=MODEL)
        self.rows.classes("zero", "one")

    def video(self, number: int, count: int, *, split: str = "train", version: str = "a") -> list[int]:
        """A video of so many frames with vectors; frame n looks like direction n % GROUPS."""
        keys = [frame_id(number, n) for n in range(count)]
        self.rows.video(number, split=split, frames_version=version, content_hash=f"h{number}")
        self.vectors(number, keys, seed=number)
        covered = {"asset": "embeddings", "version": EMBEDDER, "frames_version": version}
        self.rows.add("video_coverage", video_id=f"v{number}", frames=count, **covered)
        return keys

    def vectors(self, number: int, keys: list[int], *, seed: int) -> None:
        """Frames with their vectors."""
        rng = np.random.default_rng(seed)
        centres = np.random.default_rng(0).normal(size=(GROUPS, DIMENSIONS)) * 4
        matrix = centres[np.arange(len(keys)) % GROUPS] + rng.normal(size=(len(keys), DIMENSIONS)) * 0.3
        filled = {"width": 8, "height": 8, "brightness": 0.0, "sharpness": 0.0, "phash": 0}
        named = [
            {"frame_id": key, "video_id": f"v{number}", "frame_index": n, "pts_ms": 1000 * n, **filled}
            for n, key in enumerate(keys)
        ]
        packed = pa.array(pack(matrix)).to_pylist()
        of = [
            {"embedder_id": EMBEDDER, "frame_id": k, "vector": v} for k, v in zip(keys, packed, strict=True)
        ]
        with self.archive.database.write() as connection:
            connection.execute(sa.insert(frames), named)
            connection.execute(sa.insert(embeddings), of)

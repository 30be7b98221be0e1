"""`al bench project`: vectors converted to a smaller embedder, against a bare matrix product plus a bare bulk write."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from al_assets.benches.cases import Result
from al_assets.conversion import Block, converted, split
from al_assets.embeddings.projection import Projection
from al_assets.embeddings.vectors import pack
from al_assets.keys import frame_range
from al_assets.vector_versions import VectorVersions, batch_of
from resources import migrations
from resources.archive import Archive
from resources.database import Database
from resources.projection_bench import product_and_write
from resources.queries.videos import coverage_row
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, Slice
from resources.storage import Storage

WIDE, SMALL, FRAMES_A_VIDEO = 1280, 256, 600
BASE, WANTED = "bench", "bench-pca256"
TURNS = 2


def measure_project(rows: int) -> tuple[Result, Result]:
    """Frames a second from stored vectors of 1,280 values to stored ones of 256, SQLite; the better of two turns."""
    rng = np.random.default_rng(0)
    matrix = np.linalg.qr(rng.normal(size=(WIDE, SMALL)))[0].astype(np.float32)
    versions = VectorVersions(BASE, WANTED, (WANTED,), {WANTED: Projection(matrix, 1.0)})
    with tempfile.TemporaryDirectory(prefix="al-bench-") as folder:
        database = Database(url=f"sqlite:///{folder}/al.db")
        migrations.upgrade(database)
        archive = Archive(database=database, storage=Storage(url=folder))
        count = max(1, rows // FRAMES_A_VIDEO)
        _fill(archive, count)
        total = count * FRAMES_A_VIDEO
        blocks, rest = split(archive, versions, archive.videos.all())
        assert not rest, "every video can be converted"
        ours, bare = 0.0, 0.0
        for _ in range(TURNS):
            ours = max(ours, total / _convert(archive, versions, blocks))
            bare = max(bare, total / product_and_write(Path(folder) / "bare.db", total, matrix))
        database.close()
    found = {"convert_frames_per_second": ours, "bare_product_and_write_frames_per_second": bare}
    return found, {"convert_vs_bare_product_and_write": ours / bare}


def _fill(archive: Archive, videos: int) -> None:
    """Videos whose frames have random vectors by the base; nothing else of them is read."""
    rng, writer = np.random.default_rng(0), SliceWriter(archive.database)
    rows = [(f"v{n}", n, f"v{n}.mp4", "e", f"h{n}", "e@1") for n in range(1, videos + 1)]
    with archive.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO videos (video_id, video_no, path, etag, content_hash, frames_version, kind, size_bytes, split,"
            " status, registered_at) VALUES (?, ?, ?, ?, ?, ?, 'video', 1, 'train', 'indexed', '2026-01-01 00:00:00')",
            rows,
        )
    for video in archive.videos.all():
        first, last = frame_range(video.video_no)
        keys = first + np.arange(FRAMES_A_VIDEO)
        vectors = batch_of(BASE, keys, pack(rng.random((FRAMES_A_VIDEO, WIDE), np.float32)))
        covered = pa.Table.from_pylist([coverage_row("embeddings", BASE, video, FRAMES_A_VIDEO)])
        where: dict[str, str | KeyRange] = {
            "embeddings.embedder_id": BASE,
            "embeddings.frame_id": KeyRange(first, last),
            "video_coverage.video_id": video.video_id,
        }
        rows_of = {"embeddings": vectors, "video_coverage": covered}
        writer.write("embeddings", Slice(where, rows_of), now=datetime.now(UTC))


def _convert(archive: Archive, versions: VectorVersions, blocks: list[Block]) -> float:
    writer, began = SliceWriter(archive.database), time.perf_counter()
    for part in converted(archive, versions, blocks):
        writer.write("embeddings", part, now=datetime.now(UTC))
    return time.perf_counter() - began

"""What converting vectors costs at the least: a matrix product and the driver's own insert into a bare SQLite table."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np

BLOCK = 8192


def product_and_write(file: Path, total: int, matrix: np.ndarray) -> float:
    """Seconds for the product of `total` vectors in memory and an insert of its rows, a transaction a block."""
    halves = np.random.default_rng(1).random((BLOCK, len(matrix)), np.float32).astype(np.float16)
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "CREATE TABLE embeddings (embedder_id TEXT, frame_id INTEGER, vector BLOB,"
            " PRIMARY KEY (embedder_id, frame_id)) WITHOUT ROWID"
        )
        began = time.perf_counter()
        for start in range(0, total, BLOCK):
            part = halves[: min(BLOCK, total - start)]
            small = (part.astype(np.float32) @ matrix).astype(np.float16)
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO embeddings VALUES (?, ?, ?)",
                (("bench", start + n, row.tobytes()) for n, row in enumerate(small)),
            )
            connection.execute("COMMIT")
        return time.perf_counter() - began

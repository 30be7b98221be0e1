"""Readers of vectors in a SQLite file. Few imports: spawned workers load this module."""

import os
import sqlite3
from pathlib import Path

import numpy as np


class SqliteReader:
    """Opened at first use; each query leaves a line: process, connection, number of keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection: sqlite3.Connection | None = None

    def __getstate__(self):
        return {"folder": self.folder, "connection": None}

    def vectors(self, frame_ids):
        if self.connection is None:
            self.connection = sqlite3.connect(self.folder / "vectors.db")
        marks = ",".join("?" * len(frame_ids))
        query = f"SELECT frame_id, vector FROM vectors WHERE frame_id IN ({marks}) ORDER BY frame_id"
        rows = self.connection.execute(query, frame_ids).fetchall()
        with (self.folder / "queries").open("a") as log:
            log.write(f"{os.getpid()} {id(self.connection)} {len(frame_ids)}\n")
        return np.stack([np.frombuffer(vector, np.float16) for _, vector in rows])

    def images(self, frame_ids):
        return [np.full((4, 6, 3), frame_id % 251, np.uint8) for frame_id in frame_ids]

    def queries(self) -> list[tuple[int, ...]]:
        return [tuple(map(int, line.split())) for line in (self.folder / "queries").read_text().splitlines()]


class EagerReader(SqliteReader):
    """Opens its connection too early, and so cannot travel."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.connection = sqlite3.connect(folder / "vectors.db")

    def __getstate__(self):
        return self.__dict__


def write_vectors(folder: Path, keys: np.ndarray, vectors: np.ndarray) -> None:
    """A file for the readers."""
    connection = sqlite3.connect(folder / "vectors.db")
    with connection:
        connection.execute("CREATE TABLE vectors (frame_id INTEGER PRIMARY KEY, vector BLOB)")
        rows = [(int(key), vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)]
        connection.executemany("INSERT INTO vectors VALUES (?, ?)", rows)
    connection.close()

"""Frames and their vectors, by key list or key range. No pixels; no labels but as exclusions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from al_assets.decoding_points import DecodingPoint
from al_assets.keys import frame_range
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.videos import READABLE
from resources.tables import decoding_points, embedders, embeddings, frames, videos

# Made once: building it anew took a mini-batch nearly as long as the query.
_FILES = sa.select(frames.c.frame_id, frames.c.video_id, frames.c.image_path).where(
    frames.c.frame_id.in_(sa.bindparam("frame_ids", expanding=True))
)

BLOCK_ROWS = 8192
DRAWN_VIDEOS = 500
"""Videos that a draw of frames reads at most."""


@dataclass(frozen=True)
class FrameQueries:
    """Reads of `frames`, `embedders` and `embeddings`."""

    database: Database

    def of_video(self, video_no: int) -> pa.Table:
        """All rows of a video in time order. Uses the clustered key of `frames`."""
        first, last = frame_range(video_no)
        query = sa.select(frames).where(frames.c.frame_id.between(first, last)).order_by(frames.c.frame_id)
        return self.database.fetch(query)

    def ids_of_video(self, video_no: int) -> np.ndarray:
        """Keys of a video's frames: (n,) int64, ascending. Uses the clustered key of `frames`."""
        first, last = frame_range(video_no)
        query = sa.select(frames.c.frame_id).where(frames.c.frame_id.between(first, last))
        return self.database.fetch(query.order_by(frames.c.frame_id))["frame_id"].to_numpy()

    def images_of(self, video_no: int) -> dict[str, int]:
        """Image path -> frame_index of a folder of stills, as numbered so far."""
        table = self.of_video(video_no)
        return dict(zip(table["image_path"].to_pylist(), table["frame_index"].to_pylist(), strict=True))

    def points_of(self, video_no: int, frames_version: str | None = None) -> list[DecodingPoint]:
        """Places from which a video can be decoded, in order: all, or those of one version of its frames."""
        first, last = frame_range(video_no)
        columns = [decoding_points.c[name] for name in DecodingPoint.__dataclass_fields__]
        query = sa.select(*columns).where(decoding_points.c.frame_id.between(first, last))
        if frames_version is not None:
            query = query.where(decoding_points.c.frames_version == frames_version)
        with self.database.read() as connection:
            return [DecodingPoint(*row) for row in connection.execute(query.order_by(columns[0]))]

    def details(self, frame_ids: Sequence[int]) -> pa.Table:
        """Rows of the named frames, in order of frame_id."""
        parts = [
            self.database.fetch(sa.select(frames).where(frames.c.frame_id.in_(ids)))
            for ids in in_chunks(sorted(set(frame_ids)))
        ]
        if not parts:
            return self.database.fetch(sa.select(frames).where(sa.false()))
        return pa.concat_tables(parts).sort_by("frame_id")

    def files_of(self, frame_ids: Sequence[int]) -> dict[int, tuple[str, str | None]]:
        """frame_id -> (video_id, image path of a folder's still) of the named frames; unknown ones are left out."""
        found: dict[int, tuple[str, str | None]] = {}
        for ids in in_chunks(frame_ids):
            with self.database.read() as connection:
                rows = connection.execute(_FILES, {"frame_ids": ids}).all()
            found.update((key, (video_id, path)) for key, video_id, path in rows)
        return found

    def count(self) -> int:
        """Number of frames in the archive."""
        with self.database.read() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(frames)) or 0)

    def more_than(self, number: int) -> bool:
        """Whether the archive has more than so many frames; looks at no more of them than that."""
        query = sa.select(frames.c.frame_id).order_by(frames.c.frame_id).offset(number).limit(1)
        with self.database.read() as connection:
            return connection.scalar(query) is not None

    def register_embedder(self, row: dict[str, object]) -> None:
        """Note an embedder on first use."""
        known = sa.select(embedders.c.embedder_id).where(embedders.c.embedder_id == row["embedder_id"])
        with self.database.write() as connection:
            if connection.scalar(known) is None:
                connection.execute(sa.insert(embedders).values(row))

    def dimensions(self, embedder_id: str) -> int:
        """Length of an embedder's vectors. Raises LookupError for an unknown one."""
        query = sa.select(embedders.c.dimensions).where(embedders.c.embedder_id == embedder_id)
        with self.database.read() as connection:
            found = connection.scalar(query)
        if found is None:
            raise LookupError(f"no embedder {embedder_id!r} in the database; materialise embeddings first")
        return int(found)

    def embedded_ids(self, embedder_id: str, video_no: int) -> np.ndarray:
        """Frames of a video that already have a vector: (n,) int64, ascending."""
        first, last = frame_range(video_no)
        query = (
            sa.select(embeddings.c.frame_id)
            .where(embeddings.c.embedder_id == embedder_id, embeddings.c.frame_id.between(first, last))
            .order_by(embeddings.c.frame_id)
        )
        return self.database.fetch(query)["frame_id"].to_numpy()

    def vectors(self, embedder_id: str, frame_ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of the named frames: ((n,) frame_ids that have one, ascending; (n, d) float16)."""
        columns = sa.select(embeddings.c.frame_id, embeddings.c.vector)
        parts = (
            rows
            for ids in in_chunks(sorted({int(key) for key in frame_ids}))
            for rows in self.database.raw_rows(
                columns.where(embeddings.c.embedder_id == embedder_id, embeddings.c.frame_id.in_(list(ids)))
            )
        )
        return self._matrix(embedder_id, parts)

    def having_vectors(self, embedder_id: str, frame_ids: Sequence[int]) -> np.ndarray:
        """Those of the named frames that have a vector: (n,) int64, ascending."""
        query = sa.select(embeddings.c.frame_id).where(embeddings.c.embedder_id == embedder_id)
        parts = [
            self.database.fetch(query.where(embeddings.c.frame_id.in_(list(ids))))["frame_id"].to_numpy()
            for ids in in_chunks(sorted({int(key) for key in frame_ids}))
        ]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def vectors_of_video(self, embedder_id: str, video_no: int) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of a video: ((n,) frame_ids ascending, (n, d) float16). Uses the clustered key."""
        return self.vectors_between(embedder_id, *frame_range(video_no))

    def vectors_between(self, embedder_id: str, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of frames from key `first` to `last`: ((n,) frame_ids ascending, (n, d) float16)."""
        query = (
            sa.select(embeddings.c.frame_id, embeddings.c.vector)
            .where(embeddings.c.embedder_id == embedder_id, embeddings.c.frame_id.between(first, last))
            .order_by(embeddings.c.frame_id)
        )
        return self._matrix(embedder_id, self.database.raw_rows(query))

    def vectors_of_videos(
        self, embedder_id: str, video_nos: Sequence[int], block_frames: int
    ) -> Iterator[tuple[list[int], np.ndarray, np.ndarray]]:
        """Blocks of whole videos: (video numbers, frame_ids, vectors); a block ends at about `block_frames`."""
        numbers: list[int] = []
        keys: list[np.ndarray] = []
        matrices: list[np.ndarray] = []
        for video_no in video_nos:
            ids, vectors = self.vectors_of_video(embedder_id, video_no)
            numbers, keys, matrices = [*numbers, video_no], [*keys, ids], [*matrices, vectors]
            if sum(map(len, keys)) >= block_frames:
                yield numbers, np.concatenate(keys), np.concatenate(matrices)
                numbers, keys, matrices = [], [], []
        if numbers:
            yield numbers, np.concatenate(keys), np.concatenate(matrices)

    def every_vector(self, embedder_id: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All vectors of an embedder in blocks of (frame_ids, (n, d) float16), of readable videos, in order."""
        query = (
            sa.select(embeddings.c.frame_id, embeddings.c.vector)
            .join(frames, frames.c.frame_id == embeddings.c.frame_id)
            .join(videos, videos.c.video_id == frames.c.video_id)
            .where(embeddings.c.embedder_id == embedder_id, videos.c.status.in_(READABLE))
            .order_by(embeddings.c.frame_id)
        )
        for batch in self.database.stream(query, BLOCK_ROWS):
            yield batch["frame_id"].to_numpy(), _halves(batch["vector"])

    def drawn_from_all(self, embedder_id: str, limit: int, seed: int) -> np.ndarray:
        """`drawn`, from videos of every split."""
        return self._drawn(embedder_id, videos.c.status.in_(READABLE), limit, seed)

    def drawn(self, embedder_id: str, split: str, limit: int, seed: int) -> np.ndarray:
        """Vectors (n <= limit, d) of frames of a split, evenly over time in up to DRAWN_VIDEOS videos drawn by seed.

        Reads keys of those videos only, however large the archive.
        """
        whose = sa.and_(videos.c.split == split, videos.c.status.in_(READABLE))
        return self._drawn(embedder_id, whose, limit, seed)

    def _drawn(self, embedder_id: str, whose: sa.ColumnElement[bool], limit: int, seed: int) -> np.ndarray:
        query = sa.select(videos.c.video_no).where(whose).order_by(videos.c.video_no)
        with self.database.read() as connection:
            numbers = np.array(list(connection.scalars(query)), dtype=np.int64)
        rng = np.random.default_rng(seed)
        numbers = np.sort(rng.permutation(numbers)[:DRAWN_VIDEOS])
        keys = [self.embedded_ids(embedder_id, int(number)) for number in numbers]
        total = sum(map(len, keys))
        every = max(1.0, total / max(limit, 1))
        picked = [ids[np.arange(rng.random() * every, len(ids), every).astype(np.int64)] for ids in keys]
        chosen = np.concatenate(picked)[:limit] if picked else np.empty(0, np.int64)
        return self.vectors(embedder_id, chosen.tolist())[1]

    def _matrix(
        self, embedder_id: str, parts: Iterable[Sequence[Sequence[Any]]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of (frame_id, vector) as ((n,) ascending, (n, d) float16); columns of Arrow would take twice as long."""
        numbers: list[np.ndarray] = []
        packed: list[bytes] = []
        for rows in parts:
            ids, vectors = zip(*rows, strict=True)
            numbers.append(np.array(ids, np.int64))
            packed.append(b"".join(vectors))
        if not numbers:
            return np.empty(0, np.int64), np.empty((0, self.dimensions(embedder_id)), np.float16)
        keys = np.concatenate(numbers)
        matrix = np.frombuffer(bytearray().join(packed), "<f2").reshape(len(keys), -1)
        if (keys[1:] > keys[:-1]).all():
            return keys, matrix
        order = np.argsort(keys, kind="stable")
        return keys[order], matrix[order]


def _halves(column: pa.Array) -> np.ndarray:
    """(n, d) float16 of packed vectors, which all have one length, without a copy."""
    _, offsets, content = column.buffers()
    first, last = np.frombuffer(offsets, np.int32)[[column.offset, column.offset + len(column)]]
    return np.frombuffer(content, "<f2")[first // 2 : last // 2].reshape(len(column), -1)


@dataclass(frozen=True)
class SqlVectors:
    """Reader of one embedder's vectors for the PyTorch dataset: pickles, and opens its own connection a process."""

    queries: FrameQueries
    embedder_id: str

    def vectors(self, frame_ids: Sequence[int]) -> np.ndarray:
        """(n, d) float16 in the order asked for; one query. Raises LookupError naming frames without a vector."""
        wanted = np.asarray(frame_ids, dtype=np.int64)
        keys, matrix = self.queries.vectors(self.embedder_id, wanted.tolist())
        at = np.searchsorted(keys, wanted)
        missing = (
            wanted[(at >= len(keys)) | (keys[np.minimum(at, max(len(keys) - 1, 0))] != wanted)]
            if len(keys)
            else wanted
        )
        if len(missing):
            raise LookupError(
                f"{len(missing)} frames have no vector by {self.embedder_id}, first {int(missing[0])}"
            )
        return matrix[at]

    def images(self, frame_ids: Sequence[int]) -> list[np.ndarray]:
        """Pixels are read by resources.pixels.StoragePixels, not from SQL."""
        raise LookupError("this reader has vectors only; read pixels with resources.pixels.StoragePixels")

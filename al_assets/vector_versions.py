"""Which embedders' vectors are written together, and how one comes from another: by a matrix, without pixels.

The wanted embedder's always; and those of a model in use where the same backbone gives them, so that a model goes on
seeing new videos during a switch. No decoding, no model, no asset here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from al_assets.embedder_choice import configured_embedder, embedders_in_use, wanted_embedder
from al_assets.embeddings.projection import Projection, ProjectionError, from_bytes
from al_assets.embeddings.vectors import FLOAT16, pack
from al_assets.settings import EmbeddingsSettings
from resources.archive import Archive
from resources.errors import FileMissingError

Keys = npt.NDArray[np.int64]
Halves = npt.NDArray[np.float16]


@dataclass(frozen=True)
class VectorVersions:
    """base: the embedder that the backbone is. written: embedders whose vectors are written, in order of their names.

    wanted: the one of these that every video shall have. projections: of each that is not the base, its matrix.
    """

    base: str
    wanted: str
    written: tuple[str, ...]
    projections: Mapping[str, Projection] = field(default_factory=dict)

    @classmethod
    def single(cls, embedder_id: str) -> VectorVersions:
        """Vectors as the backbone gives them, and no others."""
        return cls(embedder_id, embedder_id, (embedder_id,))

    def made(self, embedder_id: str, vectors: np.ndarray) -> Halves:
        """Vectors (n, r) float16 of an embedder from those of the base (n, d)."""
        if embedder_id == self.base:
            return np.asarray(vectors, dtype=FLOAT16)
        return self.projections[embedder_id](vectors).astype(FLOAT16)

    def stored(self, archive: Archive, video_no: int) -> Keys:
        """Frames of a video that have the vectors of every embedder written: (n,) ascending."""
        found = [archive.frames.embedded_ids(name, video_no) for name in self.written]
        common = found[0]
        for keys in found[1:]:
            common = np.intersect1d(common, keys, assume_unique=True)
        return common

    def to_embed(self, archive: Archive, video_no: int, keys: Keys) -> Keys:
        """Those of the frames `keys` that lack vectors of which the pixels must be seen."""
        if not len(keys) or self.written == (self.base,):
            return keys
        return np.setdiff1d(keys, archive.frames.embedded_ids(self.base, video_no), assume_unique=True)

    def rows(
        self, archive: Archive, keys: Keys, first: int, last: int, fresh: tuple[Keys, np.ndarray]
    ) -> Iterator[pa.RecordBatch]:
        """Rows of `embeddings` for frames `keys`, all in the range from first to last, embedder by embedder.

        fresh: frames embedded just now and their vectors by the base. A vector that stands is kept; of the others
        those are left out whose base vector is neither fresh nor stored.
        """
        if not len(keys):
            return
        base_keys, base = fresh
        if len(base_keys) < len(keys):
            there, matrix = archive.frames.vectors_between(self.base, first, last)
            more = np.isin(there, keys) & ~np.isin(there, base_keys)
            base_keys, base = _merged((base_keys, base), (there[more], matrix[more]))
        for name in self.written:
            if name == self.base:
                yield batch_of(name, base_keys, pack(base))
                continue
            kept, matrix = archive.frames.vectors_between(name, first, last)
            standing = np.isin(kept, keys)
            new = ~np.isin(base_keys, kept[standing])
            merged = _merged((kept[standing], matrix[standing]), (base_keys[new], self.made(name, base[new])))
            yield batch_of(name, merged[0], pack(merged[1]))


def vector_versions(archive: Archive, settings: EmbeddingsSettings) -> VectorVersions:
    """The versions that the settings and the models in use ask for. Raises ProjectionError for a file that is lost."""
    base, wanted = configured_embedder(settings), wanted_embedder(archive, settings)
    written = {wanted} | embedders_in_use(archive, base)
    projections = {name: load_projection(archive, name) for name in written - {base}}
    return VectorVersions(base, wanted, tuple(sorted(written)), projections)


def load_projection(archive: Archive, embedder_id: str) -> Projection:
    """The projection by which an embedder makes its vectors. Raises ProjectionError where its file is lost."""
    row = archive.embedders.get(embedder_id)
    if row is None or row.projection_uri is None:
        raise ProjectionError(f"{embedder_id} projects no other embedder's vectors")
    try:
        content = archive.storage.read(row.projection_uri)
    except FileMissingError as error:
        raise ProjectionError(
            f"{row.projection_uri} is gone from storage; restore it from a backup"
        ) from error
    return from_bytes(content, sha256=row.projection_sha256 or "")


def batch_of(embedder_id: str, keys: Keys, packed: pa.Array) -> pa.RecordBatch:
    """Rows of `embeddings`: one embedder's packed vectors of frames."""
    ids = pa.repeat(pa.scalar(embedder_id), len(keys))
    return pa.record_batch({"embedder_id": ids, "frame_id": pa.array(keys, pa.int64()), "vector": packed})


def _merged(one: tuple[Keys, np.ndarray], other: tuple[Keys, np.ndarray]) -> tuple[Keys, np.ndarray]:
    """Two sets of frames with their vectors as one, in order of frames."""
    if not len(one[0]) or not len(other[0]):
        return one if len(one[0]) else other
    keys = np.concatenate([one[0], other[0]])
    order = np.argsort(keys, kind="stable")
    return keys[order], np.concatenate([one[1], other[1]])[order]

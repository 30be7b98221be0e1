"""A linear map to fewer dimensions, fitted on a sample of vectors. No table, no label, no asset.

The first direction is that of the mean, the others are the principal components of what is left (Pearson 1901; as
scikit-learn computes them). The directions are orthonormal and nothing is subtracted from a vector: distances and
cosines stay what they were, up to the variance that is lost, and so do the thresholds that owners set by them. Had the
mean been subtracted, frames that look alike to `[selection] cosine` would not any more.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
SAMPLE_FRAMES = 20_000
"""Vectors that a projection is fitted on: 100 MB in single precision at 1,280 dimensions."""
VECTORS_A_DIMENSION = 4
"""Vectors needed for each dimension kept: with fewer the directions are those of the sample, not of the archive."""
NAME_DIGITS = 12


class ProjectionError(ValueError):
    """A projection's file is not what its row says, or vectors do not fit it."""


@dataclass(frozen=True, eq=False)
class Projection:
    """x -> x @ matrix. matrix: (d, r) float32 of orthonormal columns; variance_kept: share of the sample's, 0 to 1."""

    matrix: npt.NDArray[np.float32]
    variance_kept: float

    @classmethod
    def of(cls, vectors: Floats, dimensions: int) -> Projection:
        """Fitted on vectors (n, d), n >= VECTORS_A_DIMENSION * dimensions, 1 <= dimensions < d.

        The same vectors in the same order give the same projection. Raises ValueError for too few of them.
        """
        from sklearn.decomposition import PCA

        rows, width = vectors.shape
        if not 1 <= dimensions < width:
            raise ValueError(f"vectors of {width} values cannot be projected to {dimensions}")
        if rows < needed(dimensions):
            raise ValueError(
                f"{rows} vectors are too few for {dimensions} dimensions; {needed(dimensions)} do"
            )
        sample = np.asarray(vectors, dtype=np.float32)
        mean = sample.mean(axis=0, dtype=np.float64)
        length = float(np.linalg.norm(mean))
        # Where the mean is nothing, any direction is as good: the first axis stands in for it.
        along = (mean / length if length > 0 else np.eye(width)[0]).astype(np.float32)
        total = float(sample.var(axis=0, dtype=np.float64).sum())
        coordinate = sample @ along
        rest = sample - coordinate[:, None] * along
        kept = float(coordinate.var(dtype=np.float64))
        columns = [along[:, None]]
        if dimensions > 1:
            found = PCA(n_components=dimensions - 1, svd_solver="covariance_eigh").fit(rest)
            kept += float(found.explained_variance_.sum()) * (rows - 1) / rows
            columns.append(found.components_.T)
        # Single precision leaves the components a little off a right angle to the mean's direction.
        matrix, triangle = np.linalg.qr(np.concatenate(columns, axis=1).astype(np.float64))
        matrix *= np.where(np.diag(triangle) < 0, -1, 1)
        return cls(matrix.astype(np.float32), min(1.0, kept / total) if total > 0 else 1.0)

    @property
    def dimensions(self) -> int:
        """Length of the vectors that it gives."""
        return int(self.matrix.shape[1])

    @property
    def name(self) -> str:
        """`pca256-` and the first digits of the matrix's SHA-256: another matrix has another name."""
        content = np.ascontiguousarray(self.matrix, dtype="<f4").tobytes()
        return f"pca{self.dimensions}-{hashlib.sha256(content).hexdigest()[:NAME_DIGITS]}"

    def __call__(self, vectors: Floats) -> npt.NDArray[np.float32]:
        """(n, r) float32 of vectors (n, d). Raises ProjectionError for vectors of another length."""
        if vectors.ndim != 2 or vectors.shape[1] != len(self.matrix):
            raise ProjectionError(
                f"the projection {self.name} takes vectors of {len(self.matrix)} values, got {vectors.shape}"
            )
        return np.asarray(vectors, dtype=np.float32) @ self.matrix


def needed(dimensions: int) -> int:
    """Vectors without which no projection to so many dimensions is fitted."""
    return VECTORS_A_DIMENSION * dimensions


def embedder_name(source: str, projection: str) -> str:
    """Name of the embedder that projects another's vectors: at most 64 characters, as tables hold it.

    Of a long name the beginning is kept, and a hash of all of it in place of the rest.
    """
    name = f"{source}-{projection}"
    if len(name) <= 64:
        return name
    digest = hashlib.sha256(source.encode()).hexdigest()[:8]
    return f"{source[: 64 - len(projection) - len(digest) - 2]}-{digest}-{projection}"


def to_bytes(projection: Projection) -> bytes:
    """Content of its file: safetensors, nothing in it runs."""
    from safetensors.numpy import save

    content: bytes = save(
        {"matrix": projection.matrix, "variance_kept": np.array([projection.variance_kept], np.float64)}
    )
    return content


def from_bytes(content: bytes, *, sha256: str) -> Projection:
    """The projection of a file's content. Raises ProjectionError where the content is another than its row names."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if hashlib.sha256(content).hexdigest() != sha256:
        raise ProjectionError(
            "the projection's file is not the one that was written; restore it from a backup"
        )
    try:
        tensors = load(content)
        return Projection(tensors["matrix"], float(tensors["variance_kept"][0]))
    except (SafetensorError, KeyError, IndexError) as error:
        raise ProjectionError(
            f"the projection's file holds no projection ({error}); restore it from a backup"
        ) from error

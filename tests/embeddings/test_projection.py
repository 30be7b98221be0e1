"""Smaller vectors: distances and cosines stay, the file is the projection, and too little to fit on is refused."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from al_assets.embeddings.projection import Projection, ProjectionError, embedder_name, from_bytes, to_bytes


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Features as a backbone gives them: not negative, far from the origin, of few directions and some noise."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(600, 12)) @ rng.normal(size=(12, 80)) + 3 + 0.2 * rng.normal(size=(600, 80))
    return np.maximum(mixed, 0).astype(np.float16)


def cosines(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def test_cosines_and_distances_stay_what_they_were(vectors: np.ndarray) -> None:
    small = Projection.of(vectors, 40)(vectors)
    wide = vectors.astype(np.float32)
    assert small.shape == (600, 40)
    assert np.abs(cosines(small) - cosines(wide)).max() < 0.05
    gaps, small_gaps = (np.linalg.norm(v[1:] - v[:-1], axis=1) for v in (wide, small))
    assert (small_gaps <= gaps * 1.001).all()
    assert small_gaps.mean() > 0.95 * gaps.mean()


def test_the_share_of_variance_is_that_of_the_projected_vectors(vectors: np.ndarray) -> None:
    projection = Projection.of(vectors, 10)
    kept = projection(vectors).var(axis=0).sum() / vectors.astype(np.float32).var(axis=0).sum()
    assert projection.variance_kept == pytest.approx(kept, abs=1e-3)
    assert Projection.of(vectors, 40).variance_kept > projection.variance_kept


def test_the_same_vectors_give_the_same_projection_and_others_another_name(vectors: np.ndarray) -> None:
    names = [Projection.of(each, 8).name for each in (vectors, vectors, vectors[:500])]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("pca8-")


def test_a_file_holds_the_projection_and_a_changed_one_is_refused(vectors: np.ndarray) -> None:
    projection = Projection.of(vectors, 8)
    content = to_bytes(projection)
    sha256 = hashlib.sha256(content).hexdigest()
    back = from_bytes(content, sha256=sha256)
    assert (back.name, back.variance_kept) == (projection.name, projection.variance_kept)
    with pytest.raises(ProjectionError, match="restore it from a backup"):
        from_bytes(content[:-1] + b"\0\0", sha256=sha256)


@pytest.mark.parametrize(("rows", "dimensions"), [(100, 30), (600, 80), (600, 0)])
def test_too_few_vectors_and_no_fewer_dimensions_are_refused(
    vectors: np.ndarray, rows: int, dimensions: int
) -> None:
    with pytest.raises(ValueError, match=r"too few|cannot be projected"):
        Projection.of(vectors[:rows], dimensions)


def test_vectors_of_another_length_are_refused(vectors: np.ndarray) -> None:
    with pytest.raises(ProjectionError, match="takes vectors of 80 values"):
        Projection.of(vectors, 8)(vectors[:, :70])


def test_an_embedders_name_fits_its_column_and_stays_apart() -> None:
    assert embedder_name("net-12345678", "pca8-ab") == "net-12345678-pca8-ab"
    long = [embedder_name("n" * 60 + end, "pca256-0123456789ab") for end in "ab"]
    assert max(map(len, long)) <= 64
    assert long[0] != long[1]

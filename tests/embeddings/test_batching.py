"""Frames streamed through the real backbone."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_sample_image

from al_assets.embeddings.backbones import Backbone, load_backbone
from al_assets.embeddings.batching import VECTOR_SCHEMA, embed_frames
from al_assets.embeddings.vectors import unpack


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("efficientnet-lite0", threads=1)


@pytest.fixture(scope="module")
def frames() -> list[tuple[int, np.ndarray]]:
    photo = load_sample_image("flower.jpg")
    return [(100 + step, photo[20 * step :, 30 * step :]) for step in range(7)]


def test_frames_become_batches_of_packed_vectors(backbone, frames):
    batches = list(embed_frames(iter(frames), backbone, batch_size=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    table = pa.Table.from_batches(batches)
    assert table.schema == VECTOR_SCHEMA
    assert table["frame_id"].to_pylist() == [key for key, _ in frames]
    vectors = unpack(table["vector"], backbone.dimensions)
    np.testing.assert_allclose(vectors, backbone.embed([image for _, image in frames]), rtol=2e-3, atol=1e-3)


def test_batch_size_changes_nothing(backbone, frames):
    one, all_at_once = (pa.Table.from_batches(embed_frames(frames, backbone, batch_size=n)) for n in (1, 64))
    a, b = (unpack(table["vector"], 1280).astype(np.float32) for table in (one, all_at_once))
    np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-3)


def test_frames_are_taken_as_they_are_needed(backbone, frames):
    taken = []

    def stream():
        for frame in frames:
            taken.append(frame[0])
            yield frame

    batches = embed_frames(stream(), backbone, batch_size=2)
    next(batches)
    assert taken == [100, 101]


def test_no_frames_give_no_batches(backbone):
    assert list(embed_frames([], backbone, batch_size=4)) == []


def test_an_empty_batch_size_is_refused(backbone, frames):
    with pytest.raises(ValueError, match="batch_size"):
        next(embed_frames(frames, backbone, batch_size=0))

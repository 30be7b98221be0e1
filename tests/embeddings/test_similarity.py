"""Nearest vectors by cosine: exact over blocks, and by the index, which forgets and takes up what it is told."""

from pathlib import Path

import numpy as np
import pytest

from al_assets.embeddings.similarity import nearest, unit_rows
from al_assets.embeddings.similarity_index import SimilarityIndex, cells_of, training_rows

RNG = np.random.default_rng(0)
VECTORS = (RNG.normal(size=(20, 32))[RNG.integers(0, 20, 3000)] + RNG.normal(size=(3000, 32)) * 0.3).astype(
    np.float16
)
KEYS = np.arange(3000, dtype=np.int64) * 7 + 2**40


def by_hand(query: np.ndarray, count: int) -> list[int]:
    cosines = unit_rows(VECTORS) @ unit_rows(query[None])[0]
    return KEYS[np.lexsort((KEYS, -cosines))[:count]].tolist()


@pytest.mark.parametrize("block", [7, 500, 3000])
def test_blocks_of_any_size_give_the_same_neighbours(block: int) -> None:
    blocks = [(KEYS[at : at + block], VECTORS[at : at + block]) for at in range(0, 3000, block)]
    found = nearest(VECTORS[5], blocks, 12)
    assert found.frame_ids.tolist() == by_hand(VECTORS[5], 12)
    assert found.cosines[0] == pytest.approx(1, abs=1e-5)
    assert (np.diff(found.cosines) <= 0).all()


def test_a_vector_without_length_is_near_to_nothing() -> None:
    found = nearest(np.ones(3), [(np.array([1, 2]), np.array([[0.0, 0, 0], [1, 1, 0.9]]))], 2)
    assert found.frame_ids.tolist() == [2, 1]
    assert found.cosines[1] == 0


def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="values"):
        nearest(np.ones(3), [(np.array([1]), np.ones((1, 4)))], 2)


def test_no_frame_has_no_neighbour() -> None:
    assert len(nearest(np.ones(3), [], 4).frame_ids) == 0


def test_the_index_finds_what_is_nearest_and_survives_its_file(tmp_path: Path) -> None:
    index = SimilarityIndex.trained(VECTORS[::2], 3000, seed=1)
    index.add([(KEYS[:1500], VECTORS[:1500]), (KEYS[1500:], VECTORS[1500:])])
    index.write(tmp_path / "i.faiss")
    again = SimilarityIndex.read(tmp_path / "i.faiss", in_place=True)
    assert len(again) == 3000
    hits = [
        len(set(again.candidates(VECTORS[n], 200)) & set(by_hand(VECTORS[n], 10)))
        for n in range(0, 3000, 100)
    ]
    assert sum(hits) / len(hits) > 9


def test_frames_that_are_removed_are_found_no_more() -> None:
    index = SimilarityIndex.trained(VECTORS, 3000, seed=1)
    index.add([(KEYS, VECTORS)])
    index.remove(int(KEYS[0]), int(KEYS[999]))
    assert len(index) == 2000
    assert not set(index.candidates(VECTORS[3], 500)) & set(KEYS[:1000].tolist())


def test_an_index_of_thirty_million_frames_is_trained_on_a_bounded_sample() -> None:
    assert training_rows(30_000_000) < 200_000
    assert cells_of(10) == 16

"""Hashes and duplicates of real pictures."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from al_assets.frames.perceptual_hash import DuplicateFinder, hamming_distance, perceptual_hash, thumbnail


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    return [load_sample_image("china.jpg"), load_sample_image("flower.jpg")]


def test_a_hash_is_a_signed_64_bit_integer(photos):
    hashes = [perceptual_hash(image[:, ::step]) for image in photos for step in (1, -1)]
    assert all(-(2**63) <= value < 2**63 for value in hashes)
    assert len(set(hashes)) == 4


def test_a_hash_survives_size_light_and_compression(photos):
    for photo in photos:
        small = np.asarray(Image.fromarray(photo).resize((320, 214)))
        darker = (photo * 0.85).astype(np.uint8)
        noisy = np.clip(photo + np.random.default_rng(0).normal(0, 5, photo.shape), 0, 255).astype(np.uint8)
        for other in (small, darker, noisy):
            assert hamming_distance(perceptual_hash(photo), perceptual_hash(other)) <= 4


def test_different_pictures_differ_in_many_bits(photos):
    assert hamming_distance(*map(perceptual_hash, photos)) > 16
    digits = [np.repeat(np.repeat(d, 8, 0), 8, 1) for d in (load_digits().images[:10] * 15).astype(np.uint8)]
    hashes = [perceptual_hash(np.dstack([digit] * 3)) for digit in digits]
    assert min(hamming_distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 4


def test_black_frames_hash_alike_whatever_their_noise():
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 4, (240, 320, 3), dtype=np.uint8) for _ in range(5)]
    assert {perceptual_hash(frame) for frame in frames} == {0}


def test_hamming_distance_works_across_the_sign():
    assert hamming_distance(-1, 0) == 64
    assert hamming_distance(-(2**63), 0) == 1
    assert hamming_distance(5, 5) == 0


def test_a_repeated_frame_points_to_the_kept_one():
    finder = DuplicateFinder(2)
    assert [finder.duplicate_of(key, phash) for key, phash in [(10, 0), (11, 1), (12, 3), (13, 0b111)]] == [
        None,
        10,
        10,
        None,
    ]
    assert finder.duplicate_of(14, 0b111) == 13


def test_a_slow_drift_is_not_one_long_duplicate():
    finder = DuplicateFinder(2)
    hashes = [(1 << n) - 1 for n in range(9)]
    assert [finder.duplicate_of(n, phash) for n, phash in enumerate(hashes)] == [
        None,
        0,
        0,
        None,
        3,
        3,
        None,
        6,
        6,
    ]


def test_a_small_newcomer_makes_a_new_frame_though_the_hash_agrees(photos):
    empty = photos[0]
    visited = empty.copy()
    visited[200:224, 300:324] = 255 - visited[200:224, 300:324] // 4
    assert hamming_distance(perceptual_hash(empty), perceptual_hash(visited)) <= 4
    finder = DuplicateFinder(4)
    answers = [
        finder.duplicate_of(key, perceptual_hash(image), thumbnail(image))
        for key, image in enumerate([empty, empty, visited, visited])
    ]
    assert answers == [None, 0, None, 2]


def test_a_cloud_before_the_sun_makes_no_new_frame(photos):
    finder = DuplicateFinder(4)
    for key, image in enumerate([photos[0], (photos[0] * 0.9).astype(np.uint8)]):
        answer = finder.duplicate_of(key, perceptual_hash(image), thumbnail(image))
    assert answer == 0


def test_minus_one_finds_no_duplicates():
    finder = DuplicateFinder(-1)
    assert [finder.duplicate_of(key, 0) for key in range(3)] == [None] * 3


def test_an_impossible_distance_is_refused():
    with pytest.raises(ValueError, match="65"):
        DuplicateFinder(65)

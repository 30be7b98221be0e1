"""Rotation and mirroring as containers state them."""

import struct

import numpy as np
import pytest

from al_assets.frames.decoding import decode, probe
from al_assets.frames.orientation import Orientation, from_display_matrix
from support.clips import render

ONE = 1 << 16


@pytest.fixture
def picture() -> np.ndarray:
    """Four coloured quarters, so that each of the eight orientations looks different."""
    image = np.full((48, 64, 3), 30, np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32] = (230, 30, 30), (30, 230, 30), (30, 30, 230)
    return image


def quarters(image: np.ndarray) -> list[str]:
    """Colour names of the top left, top right, bottom left and bottom right quarter."""
    h, w = image.shape[:2]
    spots = [image[y, x] for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]
    return ["dark" if spot.max() < 100 else ("red", "green", "blue")[int(spot.argmax())] for spot in spots]


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_rotated_video_comes_upright(tmp_path, picture, container, degrees):
    stored = np.rot90(picture, -degrees // 90)
    clip = render(tmp_path / f"clip.{container}", [stored] * 3, rotation=degrees)
    info = probe(clip)
    assert (info.width, info.height, info.rotation) == (64, 48, degrees)
    for frame in decode(clip):
        assert frame.image.shape == (48, 64, 3)
        assert quarters(frame.image) == ["red", "green", "blue", "dark"]


def test_a_mirrored_video_comes_upright(tmp_path, picture):
    mirror = (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
    clip = render(tmp_path / "clip.mp4", [picture[:, ::-1]] * 3, display_matrix=mirror)
    assert quarters(next(decode(clip)).image) == ["red", "green", "blue", "dark"]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_matrix_means_what_it_does_to_a_point(rotation, mirrored):
    turn = {0: (1, 0, 0, 1), 90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), 270: (0, 1, -1, 0)}[rotation]
    a, b, c, d = turn if not mirrored else (-turn[0], -turn[1], turn[2], turn[3])
    matrix = struct.pack("=9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    orientation = from_display_matrix(matrix)
    assert orientation == Orientation(rotation, mirrored)

    image = np.zeros((3, 5), np.uint8)
    image[0, 1] = 1
    centred = np.array([1 - 2, 0 - 1])
    x, y = centred[0] * a + centred[1] * c, centred[0] * b + centred[1] * d
    upright = orientation.upright(image)
    assert upright[y + upright.shape[0] // 2, x + upright.shape[1] // 2] == 1


@pytest.mark.parametrize("matrix", [None, b"", b"\0" * 36])
def test_an_empty_matrix_is_upright(matrix):
    assert from_display_matrix(matrix) == Orientation()

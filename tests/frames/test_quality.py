"""Brightness and sharpness of real pictures."""

import numpy as np
import pytest
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_image

from al_assets.frames.quality import brightness, gray, sharpness


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return load_sample_image("china.jpg")


def test_black_is_0_and_white_is_1():
    assert brightness(np.zeros((40, 60, 3), np.uint8)) == 0.0
    assert brightness(np.full((40, 60, 3), 255, np.uint8)) == 1.0


def test_half_the_light_is_half_the_brightness(photo):
    assert brightness(photo // 2) == pytest.approx(brightness(photo) / 2, abs=0.005)


def test_sharpness_falls_with_blur(photo):
    levels = [
        sharpness(np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(radius))))
        for radius in (0, 2, 4, 8)
    ]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 10 * levels[-1]


def test_the_laplacian_is_the_textbook_one():
    image = np.zeros((5, 5), np.uint8)
    image[2, 2] = 10
    inner = np.array([[0, 10, 0], [10, -40, 10], [0, 10, 0]])
    assert sharpness(image) == pytest.approx(inner.var())


def test_a_flat_or_tiny_picture_has_no_sharpness():
    assert sharpness(np.full((40, 60, 3), 90, np.uint8)) == 0.0
    assert sharpness(np.zeros((2, 9, 3), np.uint8)) == 0.0


def test_measures_compare_across_resolutions(photo):
    large = np.asarray(Image.fromarray(photo).resize((1280, 854), Image.Resampling.BICUBIC))
    assert brightness(large) == pytest.approx(brightness(photo), abs=0.01)
    assert sharpness(large) == pytest.approx(sharpness(photo), rel=0.25)


def test_the_working_copy_is_small_and_never_enlarged(photo):
    assert gray(photo).shape == (171, 256)
    assert gray(photo[:20, :30]).shape == (20, 30)


def test_an_image_of_another_type_is_refused():
    with pytest.raises(ValueError, match="uint8"):
        brightness(np.zeros((4, 4, 3)))


def test_the_sharpest_picture_there_is_overflows_nothing():
    board = (np.indices((200, 200)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert sharpness(board) == pytest.approx(1020.0**2)

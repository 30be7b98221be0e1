"""JPEG stills of frames."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from al_assets.frames.stills import encode_jpeg


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return load_sample_image("china.jpg")


def test_a_still_shows_the_frame(photo):
    data = encode_jpeg(photo)
    assert data[:2] == b"\xff\xd8"
    again = np.asarray(Image.open(io.BytesIO(data)))
    assert np.abs(again.astype(int) - photo).mean() < 4


def test_the_same_frame_gives_the_same_bytes(photo):
    assert encode_jpeg(photo, max_side=200) == encode_jpeg(photo.copy(), max_side=200)


def test_a_still_is_shrunk_and_never_enlarged(photo):
    assert Image.open(io.BytesIO(encode_jpeg(photo, max_side=320))).size == (320, 214)
    assert Image.open(io.BytesIO(encode_jpeg(photo, max_side=5000))).size == (640, 427)


def test_lower_quality_is_smaller(photo):
    assert len(encode_jpeg(photo, quality=50)) < len(encode_jpeg(photo)) / 2


@pytest.mark.parametrize("options", [{"quality": 0}, {"quality": 101}, {"max_side": 0}])
def test_impossible_options_are_refused(photo, options):
    with pytest.raises(ValueError, match=next(iter(options)).split("_")[0]):
        encode_jpeg(photo, **options)


def test_what_is_no_rgb_image_is_refused(photo):
    with pytest.raises(ValueError, match="RGB"):
        encode_jpeg(photo[:, :, 0])

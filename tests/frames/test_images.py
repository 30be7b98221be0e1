"""Stills read from the formats that cameras write."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from al_assets.frames.images import UnreadableImageError, read_image


def encoded(image: np.ndarray, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return load_sample_image("flower.jpg")[::4, ::4].copy()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_lossless_image_comes_back_pixel_for_pixel(photo, kind):
    np.testing.assert_array_equal(read_image(io.BytesIO(encoded(photo, kind))), photo)


def test_a_jpeg_is_read_from_a_path(photo, tmp_path):
    path = tmp_path / "flower.JPG"
    path.write_bytes(encoded(photo, "JPEG", quality=95))
    assert np.abs(read_image(path).astype(int) - photo).mean() < 4


def test_a_jpeg_taken_sideways_comes_upright(photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = encoded(np.rot90(photo), "JPEG", quality=95, exif=exif)
    image = read_image(io.BytesIO(stored))
    assert image.shape == photo.shape
    assert np.abs(image.astype(int) - photo).mean() < 4


def test_gray_palette_and_transparent_images_become_rgb(photo):
    for mode in ("L", "P", "RGBA", "1"):
        buffer = io.BytesIO()
        Image.fromarray(photo).convert(mode).save(buffer, "PNG")
        image = read_image(buffer.getvalue() and io.BytesIO(buffer.getvalue()))
        assert (image.shape, image.dtype) == (photo.shape, np.uint8)


def test_sixteen_bits_are_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 256 * 4, dtype=np.uint16).reshape(4, 256)
    image = read_image(io.BytesIO(encoded(ramp, "PNG")))
    np.testing.assert_array_equal(image[:, :, 0], ramp >> 8)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: b"", "empty"),
        (lambda data: b"these are notes, not a picture", "not an image"),
        (lambda data: data[: len(data) // 2], "damaged or cut off"),
        (lambda data: data[:30], "not an image|damaged"),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_broken_image_says_why(photo, kind, spoil, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        read_image(io.BytesIO(spoil(encoded(photo, kind))))


def test_a_storage_that_fails_is_not_a_broken_image():
    class Lost(io.BytesIO):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionError("the storage is gone")

    with pytest.raises(ConnectionError):
        read_image(Lost())

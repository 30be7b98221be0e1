"""A video in a blob is decoded where it lies: what is fetched of it follows what is asked of it."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from al_assets.frames.decoding import decode, read_frames
from resources.block_reader import BLOCK_BYTES
from resources.storage import Storage

FRAMES = 160
RATE = 10


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 seconds of noise as MJPEG, some 50 MB, with the index at the end, where cameras put it."""
    return _film(tmp_path_factory.mktemp("film") / "long.mp4", sound=False)


@pytest.fixture(scope="module")
def film_with_sound_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with all of its sound behind all of its pictures, so that a player jumps to and fro."""
    return _film(tmp_path_factory.mktemp("film") / "sound.mp4", sound=True)


def _film(file: Path, *, sound: bool) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    with av.open(str(file), "w", options={"max_interleave_delta": "1"}) as container:
        pictures: Any = container.add_stream("mjpeg", rate=Fraction(RATE))
        pictures.width, pictures.height, pictures.pix_fmt = 640, 480, "yuvj420p"
        pictures.codec_context.qmin, pictures.codec_context.qmax = 1, 2
        voice: Any = container.add_stream("pcm_s16le", rate=48000, layout="mono") if sound else None
        for number in range(FRAMES):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(np.roll(noise, number, 0), "rgb24")))
        container.mux(pictures.encode())
        if voice is not None:
            for number in range(FRAMES):
                tone = np.full((1, 48000 // RATE), number, np.int16)
                packet = av.AudioFrame.from_ndarray(tone, "s16", "mono")
                packet.sample_rate, packet.pts = 48000, number * 48000 // RATE
                container.mux(voice.encode(packet))
            container.mux(voice.encode())
    return file


def in_blob(storage: Storage, file: Path) -> Any:
    storage.write("videos/a.mp4", file.read_bytes())
    return storage.source("videos/a.mp4")


def test_the_first_frames_of_a_long_video_take_a_small_part_of_it(
    azurite_storage: Storage, film: Path
) -> None:
    size = film.stat().st_size
    assert b"moov" in film.read_bytes()[-100_000:]
    with closing(in_blob(azurite_storage, film)) as source:
        found = [frame.image for frame in read_frames(source, [0, 3])]
        assert source.raw.fetched_bytes <= 3 * BLOCK_BYTES < size / 3
        assert not source.raw.is_local
    expected = [frame.image for frame in read_frames(film, [0, 3])]
    assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


def test_a_whole_video_is_fetched_once(azurite_storage: Storage, film: Path) -> None:
    with closing(in_blob(azurite_storage, film)) as source:
        assert sum(1 for _ in decode(source, wanted=lambda index, _: index % 10 == 0)) == FRAMES / 10
        assert source.raw.fetched_bytes == film.stat().st_size


def test_a_video_whose_sound_lies_elsewhere_is_fetched_once_too(
    azurite_storage: Storage, film_with_sound_behind: Path
) -> None:
    with closing(in_blob(azurite_storage, film_with_sound_behind)) as source:
        jumps = Jumps(source)
        with av.open(jumps) as container:
            kinds = [packet.stream.type for packet in container.demux() if packet.size]
        assert (kinds.count("video"), "audio" in kinds) == (FRAMES, True)
        assert jumps.far > 20
        assert source.raw.fetched_bytes <= film_with_sound_behind.stat().st_size


class Jumps:
    """Counts how often a reader moves farther than a block."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.far = 0

    def read(self, size: int) -> bytes:
        return bytes(self.file.read(size))

    def tell(self) -> int:
        return int(self.file.tell())

    def seek(self, offset: int, whence: int = 0) -> int:
        before = self.file.tell()
        after = self.file.seek(offset, whence)
        self.far += abs(after - before) > BLOCK_BYTES
        return int(after)

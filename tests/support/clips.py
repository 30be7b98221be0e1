"""Tiny real clips for tests, encoded with PyAV. No assertion and no product code belongs here.

Frames of `numbered` carry their own index as black and white bars, so that a test can read from the pixels
which frame it was given, whatever the codec did to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 8
"""Bars across a numbered frame: indices 0 to 255."""

_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "ultrafast", "crf": "18", "threads": "1"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=none"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "threads": "1"},
}


def numbered(n: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """`n` frames of `size` (width, height), each showing its index in `BITS` vertical bars."""
    return [numbered_frame(index, size) for index in range(n)]


def numbered_frame(index: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """The frame that shows `index`: (height, width, 3) uint8; the lowest bit is the leftmost bar."""
    width, height = size
    bits = np.array([(index >> bit) & 1 for bit in range(BITS)], dtype=np.uint8)
    bars = np.repeat(bits, -(-width // BITS))[:width] * np.uint8(200) + np.uint8(20)
    return np.ascontiguousarray(np.broadcast_to(bars[None, :, None], (height, width, 3)))


def read_number(image: np.ndarray) -> int:
    """The index that a (decoded) numbered frame shows."""
    width = image.shape[1]
    step = -(-width // BITS)
    centres = [min(width - 1, bit * step + step // 2) for bit in range(BITS)]
    levels = image[image.shape[0] // 4 : -image.shape[0] // 4 or None, centres].mean(axis=(0, 2))
    return int(sum(1 << bit for bit, level in enumerate(levels) if level > 120))


def render(
    path: Path | str,
    frames: Iterable[np.ndarray] | None = None,
    *,
    n: int = 12,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    rate: int | Fraction = 25,
    start_pts: int = 0,
    timestamps_ms: Sequence[int] | None = None,
    rotation: int | None = None,
    display_matrix: Sequence[int] | None = None,
    b_frames: int = 0,
    gop: int = 12,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode RGB `frames` (default: `n` numbered ones) to `path`; the suffix chooses the container.

    start_pts: timestamp of the first frame in milliseconds. timestamps_ms: one per frame, ascending, for a
    variable frame rate (rate is then only nominal). rotation: display matrix, degrees counter-clockwise
    (kept by mp4, mov and mkv); display_matrix: the whole matrix, nine integers. b_frames: how many frames in
    a row may be stored out of order.
    """
    path = Path(path)
    pictures = list(numbered(n, size) if frames is None else frames)
    height, width = pictures[0].shape[:2]
    exact = timestamps_ms is None and start_pts == 0
    times = timestamps_ms or [start_pts + round(i * 1000 / rate) for i in range(len(pictures))]
    settings = {
        **_OPTIONS.get(codec, {}),
        **({"bf": str(b_frames)} if b_frames else {}),
        **(options or {}),
    }
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=settings)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = 1 / Fraction(rate) if exact else Fraction(1, 1000)
        if b_frames:
            stream.codec_context.max_b_frames = b_frames
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if display_matrix is not None:
            stream.set_display_matrix(display_matrix)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = index if exact else times[index]
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def render_audio(path: Path | str, *, seconds: float = 1.0, codec: str = "aac", rate: int = 16000) -> Path:
    """A file with one audio stream (a quiet tone) and no picture."""
    tone = (np.sin(np.arange(int(seconds * rate)) * 0.1) * 3000).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Path(path)


def truncated(path: Path, share: float) -> Path:
    """A copy of `path` beside it that ends after `share` of its bytes."""
    data = path.read_bytes()
    cut = path.with_stem(f"{path.stem}-cut-{share}")
    cut.write_bytes(data[: int(len(data) * share)])
    return cut


def overwritten(path: Path, start: float, stop: float, seed: int = 0) -> Path:
    """A copy of `path` beside it whose bytes between two shares of its length are noise."""
    data = bytearray(path.read_bytes())
    low, high = int(len(data) * start), int(len(data) * stop)
    data[low:high] = np.random.default_rng(seed).bytes(high - low)
    broken = path.with_stem(f"{path.stem}-broken-{start}-{stop}-{seed}")
    broken.write_bytes(bytes(data))
    return broken

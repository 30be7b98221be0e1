"""Renders one clip: handwritten digits that come and go before a fixed camera, with the truth of every frame.

What an archive of such clips holds (how many, which sites, who visits when) is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 320, 240
FRAMES_PER_SECOND = Fraction(25, 2)
WALK_FRAMES = 5
"""Frames in which an individual walks in or out: nearly every sampled frame shows it whole or not at all."""
VISIBLE_SHARE = 0.6
"""Share of the body that must stand inside the picture before the truth counts the individual as present."""


@dataclass(frozen=True)
class Visit:
    """One stay of one individual, in frames [start, stop), drawn from one scan.

    scan: (8, 8) ink in [0, 1]; x, y: centre as fractions of the frame; size: side in pixels;
    colour: RGB in [0, 255]; side: -1 walks in from the left, 1 from the right; phase: start of sway, radians.
    """

    name: str
    scan: np.ndarray
    start: int
    stop: int
    x: float
    y: float
    size: int
    colour: tuple[float, float, float]
    side: int
    phase: float


@dataclass(frozen=True)
class Scene:
    """What a clip shows: background (HEIGHT, WIDTH, 3) in [0, 255], the visits, light (1 = day), noise."""

    background: np.ndarray
    visits: tuple[Visit, ...]
    frames: int
    light: float = 1.0
    noise: float = 3.0


def paint_background(
    rng: np.random.Generator, *, hue: tuple[float, float, float], clutter: int
) -> np.ndarray:
    """Background of a camera: soft texture around one colour with blurred stems and stones in front.

    Returns (HEIGHT, WIDTH, 3) float32 in [0, 255].
    """
    texture = np.zeros((HEIGHT, WIDTH), np.float32)
    for cells, strength in ((4, 14.0), (12, 9.0), (40, 5.0)):
        grid = rng.normal(0.0, strength, (cells * 3 // 4, cells)).astype(np.float32)
        texture += np.asarray(Image.fromarray(grid).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    slope = np.linspace(18.0, -18.0, HEIGHT, dtype=np.float32)[:, None]
    ground = np.clip(np.asarray(hue, np.float32) + (texture + slope)[..., None], 0, 255)
    picture = Image.fromarray(ground.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(clutter):
        shade = tuple(int(v) for v in np.clip(np.asarray(hue) + rng.normal(0, 28, 3), 0, 255))
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        if rng.random() < 0.5:
            draw.line((x, HEIGHT, x + rng.normal(0, 30), y), fill=shade, width=int(rng.integers(3, 8)))
        else:
            w, h = rng.uniform(15, 60, 2)
            draw.ellipse((x - w, y - h / 2, x + w, y + h / 2), fill=shade)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(1.2)), np.float32)


def present(scene: Scene, frame_index: int) -> tuple[str, ...]:
    """Names of the individuals that stand in a frame, sorted; () for an empty one."""
    return tuple(sorted({v.name for v in scene.visits if _visible_share(v, frame_index) >= VISIBLE_SHARE}))


def render_frames(scene: Scene, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The frames of a scene, (HEIGHT, WIDTH, 3) uint8 RGB; rng decides the sensor noise and nothing else."""
    background = scene.background * scene.light
    grain = rng.normal(0.0, scene.noise, (8, HEIGHT, WIDTH)).astype(np.int16)
    bodies = [_body(visit, scene.light) for visit in scene.visits]
    empty = background.astype(np.int16)
    for index in range(scene.frames):
        canvas = empty.copy()
        for visit, (ink, alpha) in zip(scene.visits, bodies, strict=True):
            if visit.start <= index < visit.stop:
                _paste(canvas, ink, alpha, _top_left(visit, index))
        canvas += np.roll(grain[rng.integers(8)], int(rng.integers(WIDTH)), axis=1)[..., None]
        yield np.clip(canvas, 0, 255).astype(np.uint8)


def render_clip(path: Path, scene: Scene, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Write a scene as H.264 in MP4 and return who stands in each frame, by native frame index.

    The same scene and rng give the same pixels to the encoder; x264's vector code may code a block differently with
    the alignment of memory, so that files of two runs can differ in a few of their bytes.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "21", "threads": "1"}
        for image in render_frames(scene, rng):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return [present(scene, index) for index in range(scene.frames)]


def _body(visit: Visit, light: float) -> tuple[np.ndarray, np.ndarray]:
    """Ink (3,) and alpha (size, size, 1) of a scan, enlarged smoothly: 8x8 scans have no hard edges."""
    enlarged = Image.fromarray(visit.scan.astype(np.float32)).resize(
        (visit.size, visit.size), Image.Resampling.BICUBIC
    )
    # A soft threshold gives strokes a body; a plain blur is hardly seen by ImageNet features.
    alpha = 1.0 / (1.0 + np.exp(-(np.asarray(enlarged) - 0.42) * 14.0))
    return np.asarray(visit.colour, np.float32) * light, (alpha * 0.95).astype(np.float32)[..., None]


def _top_left(visit: Visit, index: int) -> tuple[int, int]:
    """Row and column of the body's upper left corner; outside the frame while walking in or out."""
    into, out_of = index - visit.start, visit.stop - 1 - index
    away = max(0.0, 1.0 - min(into, out_of) / WALK_FRAMES)
    home = visit.x * WIDTH
    door = -visit.size / 2 if visit.side < 0 else WIDTH + visit.size / 2
    x = home + (door - home) * away + 3.0 * np.sin(visit.phase + index * 0.16)
    y = visit.y * HEIGHT + 2.0 * np.cos(visit.phase + index * 0.11)
    return round(y - visit.size / 2), round(x - visit.size / 2)


def _visible_share(visit: Visit, index: int) -> float:
    if not visit.start <= index < visit.stop:
        return 0.0
    top, left = _top_left(visit, index)
    rows = min(top + visit.size, HEIGHT) - max(top, 0)
    columns = min(left + visit.size, WIDTH) - max(left, 0)
    return max(rows, 0) * max(columns, 0) / visit.size**2


def _paste(canvas: np.ndarray, ink: np.ndarray, alpha: np.ndarray, corner: tuple[int, int]) -> None:
    top, left = corner
    size = alpha.shape[0]
    a, b = max(top, 0), min(top + size, HEIGHT)
    c, d = max(left, 0), min(left + size, WIDTH)
    if a >= b or c >= d:
        return
    part = alpha[a - top : b - top, c - left : d - left]
    region = canvas[a:b, c:d]
    region[...] = (region + (ink - region) * part).astype(np.int16)

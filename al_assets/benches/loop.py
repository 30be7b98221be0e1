"""`al bench loop`: the closed loop over a synthetic archive of any size, by the real jobs, stage by stage.

Frames and vectors with the structure of clips are written through the slice writer of the SQL IO manager; then a label
export is dropped and the job `learn` runs as it runs in production: import, training set, head, evaluation, decision,
scores of every frame, promotion, drift, selection with redundancy, tasks with stills decoded from a rendered clip, and
reports. A second export and a second `learn` are the steady state: a model serves, and another takes its place.
Evidently's report and the map are off: both read a bounded sample, so that neither's cost grows with the archive.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from al_assets import jobs
from al_assets.benches.cases import Result
from al_assets.benches.loop_archive import Shape, World, register, render_clip, write_frames, write_vectors
from al_assets.benches.loop_bare import bare_rates
from al_assets.benches.loop_watch import Stage, Watch
from al_assets.embeddings.assets import configured_embedder
from al_assets.headless import Headless
from al_assets.keys import frame_range
from al_assets.partitions import VIDEOS
from resources.environments import read_environment
from resources.queries.videos import Video

DIMENSIONS, CLASSES = 256, 300
LABELS_A_CLASS = 10
MOST_LABELLED = 20
"""A frame in so many at least stays without a label, in archives too small for LABELS_A_CLASS."""
ROUNDS = 2
BYTES_A_FRAME = 150
"""On disk, of `frames` and of the ledgers."""
SCORE_BYTES = 200
"""On disk, of one model's scores and predictions of a frame."""
SPARE = 1.25
SETTINGS = """task = "single_label"
[frames]
frames_per_second = 1.0
[drift]
report = false
[map]
points = 0
"""


class NoRoomError(OSError):
    """The disk has not enough room for the archive; the message says how much it takes."""


@dataclass(frozen=True)
class Round:
    """One `learn` run: its steps in order, and its seconds from the file's arrival to the end."""

    steps: tuple[Stage, ...]
    seconds: float

    def of(self, name: str) -> Stage:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)


def measure_loop(
    rows: int,
    dim: int = DIMENSIONS,
    classes: int = CLASSES,
    folder: Path | None = None,
    sizes: int = 1,
    rounds: int = ROUNDS,
) -> tuple[Result, Result]:
    """(measured, ratios) of the loop over `rows` frames with vectors of `dim` values and `classes` classes.

    folder: where the archive is made, and removed again (default: the folder for temporary files). sizes: 3 runs it
    over a hundredth and a tenth of the frames too, and tells what a frame more costs between them, in the last of the
    rounds. Raises NoRoomError.
    """
    shapes = [Shape(rows // 10**power, dim, classes) for power in reversed(range(sizes))]
    check_room(shapes[-1], folder, rounds)
    measured: Result = {}
    ratios: Result = {}
    seconds: list[float] = []
    for shape in shapes:
        measured, ratios, found = _measure(shape, folder, rounds)
        seconds.append(found)
    for shape, found in zip(shapes, seconds, strict=True):
        measured[f"loop_seconds_{shape.frames}_frames"] = found
    costs = []
    for (small, before), (large, after) in pairwise(zip(shapes, seconds, strict=True)):
        costs.append((after - before) / (large.frames - small.frames) * 1e6)
        measured[f"marginal_microseconds_up_to_{large.frames}_frames"] = costs[-1]
    if len(costs) > 1:
        ratios["marginal_cost_growth"] = costs[-1] / costs[-2]
    return measured, ratios


def needed_bytes(shape: Shape, rounds: int = ROUNDS) -> int:
    """Bytes of disk that the archive and the scores of a model a round take."""
    return int(shape.frames * (2 * shape.dimensions * 1.25 + BYTES_A_FRAME + rounds * SCORE_BYTES) * SPARE)


def check_room(shape: Shape, folder: Path | None, rounds: int = ROUNDS) -> None:
    """Raise NoRoomError where the disk is too full."""
    where = folder or Path(tempfile.gettempdir())
    if not where.is_dir():
        raise NoRoomError(f"there is no folder {where}; make it or name another one with --folder")
    needed, free = needed_bytes(shape, rounds) / 1e9, shutil.disk_usage(where).free / 1e9
    if needed > free:
        raise NoRoomError(
            f"{shape.frames} frames take {needed:.1f} GB in {where} and {free:.1f} GB are free; "
            "free space, name another folder with --folder, or ask for fewer frames"
        )


def _measure(shape: Shape, folder: Path | None, rounds: int) -> tuple[Result, Result, float]:
    """One size: measured, ratios and seconds of the second round."""
    with (
        tempfile.TemporaryDirectory(prefix="al-bench-loop-", dir=folder) as name,
        opened(Path(name)) as headless,
    ):
        database = Path(name) / "home" / "al.db"
        world = World(shape)
        with Watch((database, Path(f"{database}-wal"))) as watch:
            written: list[Stage] = []
            with watch.stage("fill", written):
                videos = fill(headless, world)
            runs = [run_round(headless, world, videos, number, watch) for number in range(1, rounds + 1)]
            bare = bare_rates(headless, shape.frames)
            return (*_told(shape, written[0], runs, bare, watch.peak_mib), runs[-1].seconds)


@contextmanager
def opened(folder: Path) -> Iterator[Headless]:
    """An installation in a new folder."""
    home = folder / "home"
    home.mkdir()
    (home / "al.toml").write_text(SETTINGS, encoding="utf-8")
    with Headless.open(read_environment({"AL_HOME": str(home)}, home)) as headless:
        yield headless
        headless.archive.database.close()


def fill(headless: Headless, world: World) -> Sequence[Video]:
    """The archive: a file, a row and a partition key a video, then frames and vectors."""
    archive, settings = headless.archive, headless.settings
    storage = Path(archive.storage.url)
    clip = storage.parent / "clip.mp4"
    render_clip(clip, world.shape.frames_a_video)
    register(archive, world.shape, clip, storage / "videos", settings.archive.split_seed)
    videos = archive.videos.all()
    write_frames(archive, world, videos, settings.frames.frames_per_second)
    videos = archive.videos.all()
    write_vectors(archive, world, videos, configured_embedder(settings.embeddings))
    headless.instance.add_dynamic_partitions(str(VIDEOS.name), [video.video_id for video in videos])
    return videos


def run_round(headless: Headless, world: World, videos: Sequence[Video], number: int, watch: Watch) -> Round:
    """Drop an export, and run `learn` on it."""
    began = time.perf_counter()
    headless.archive.storage.write(f"label_exports/round-{number}.csv", export(world, videos, number))
    headless.take_in_exports()
    result = headless.run(jobs.LEARN)
    seconds = time.perf_counter() - began
    return Round(tuple(watch.steps(headless.instance, result.run_id)), seconds)


def export(world: World, videos: Sequence[Video], number: int) -> bytes:
    """Answers to frames drawn from every video; the first round's are the most."""
    shape = world.shape
    wanted = min(LABELS_A_CLASS * shape.classes, shape.frames // MOST_LABELLED) // number
    rng = np.random.default_rng([number, 4])
    counts = rng.multinomial(wanted, np.full(len(videos), 1 / len(videos)))
    lines = ["frame_id,label,annotator"]
    for video, count in zip(videos, counts, strict=True):
        if not count:
            continue
        truth = world.truth(video.video_no)
        first = frame_range(video.video_no)[0]
        drawn = np.sort(rng.choice(len(truth), min(int(count), len(truth)), replace=False))
        lines += [f"{first + int(at)},class {int(truth[at]) + 1:03d},bench" for at in drawn]
    return ("\n".join(lines) + "\n").encode()


def _told(
    shape: Shape, filled: Stage, rounds: Sequence[Round], bare: Result, peak_mib: float
) -> tuple[Result, Result]:
    measured: Result = {
        "frames": float(shape.frames),
        "fill_seconds": filled.seconds,
        "fill_rows_per_second": 2 * shape.frames / filled.seconds,
        "fill_grown_mib": filled.grown_mib,
        "fill_peak_mib": filled.peak_mib,
    }
    for number, each in enumerate(rounds, 1):
        measured[f"round_{number}_seconds"] = each.seconds
        for step in each.steps:
            name = f"round_{number}_{step.name}"
            measured[f"{name}_seconds"] = step.seconds
            measured[f"{name}_frames_per_second"] = shape.frames / step.seconds
            measured[f"{name}_peak_mib"] = step.peak_mib
            measured[f"{name}_grown_mib"] = step.grown_mib
    scored = [shape.frames / each.of("predictions").seconds for each in rounds]
    measured |= bare | {"peak_mib": peak_mib}
    slower = min(bare["bare_kernel_frames_per_second"], bare["bare_ingest_frames_per_second"])
    return measured, {
        "rescoring_vs_slower_bare": max(scored) / slower,
        "rescoring_vs_bare_kernel": max(scored) / bare["bare_kernel_frames_per_second"],
        "rescoring_vs_bare_ingest": max(scored) / bare["bare_ingest_frames_per_second"],
    }

"""`al bench ray`: embedding by one and by two workers of a Ray cluster on this machine, and what could be the limit.

Beside them the same work in this process, the decoder alone, and the SQL writer alone. On as many cores as there are
workers, decoder and model share what there is: two workers show what the engine costs, not what a cluster brings.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from al_assets.benches.cases import Result, rates
from al_assets.embedding_work import EmbeddingWork, PartTask, job_of
from al_assets.settings import EmbeddingsSettings
from resources.compute import Compute
from resources.ray_engine import disconnect
from resources.storage import Storage
from resources.writer_bench import write_vectors

QUICK = 10_000
"""Rows below which a few frames do."""
ITEM = 8
CLIP_FRAMES = 240
EVERY = 5
"""Every fifth frame of a clip is embedded, about what sampling does."""


@dataclass(frozen=True)
class Counted:
    """The work, with the process that did it beside each result."""

    work: EmbeddingWork

    def __call__(self) -> Callable[[Sequence[PartTask]], Iterable[tuple[int, int]]]:
        """The function from an item to (process, frames)."""
        embed = self.work()

        def counted(item: Sequence[PartTask]) -> Iterator[tuple[int, int]]:
            for part in embed(item):
                yield os.getpid(), part.vectors.num_rows

        return counted


def measure_ray(rows: int) -> tuple[Result, Result]:
    """Frames a second of each, models loaded; raises LookupError where Ray is not installed."""
    if find_spec("ray") is None:
        raise LookupError("Ray is not installed, so there is nothing to measure; install al-assets[ray]")
    frames = 96 if rows < QUICK else 960
    with tempfile.TemporaryDirectory(prefix="al-bench-ray-") as folder:
        # A thread each: two workers of two threads on two cores would measure their quarrel.
        settings = EmbeddingsSettings(threads=1, decoders=0, batch_size=ITEM)
        work = EmbeddingWork(Storage(url=folder), settings)
        items = _items(Path(folder), frames)
        try:
            found = {
                "local_frames_per_second": _rate(Compute(), work, items, 1),
                "one_worker_frames_per_second": _rate(_on_ray(1), work, items, 1),
                "two_workers_frames_per_second": _rate(_on_ray(2), work, items, 2),
            }
        finally:
            disconnect()
        decoded = rates({"decoder_frames_per_second": lambda: _decoded(work, items)}, repeats=1)
        written = rates({"writer_frames_per_second": lambda: write_vectors(Path(folder), 16 * frames)})
    found |= decoded | written
    return found, {
        "one_worker_vs_local": found["one_worker_frames_per_second"] / found["local_frames_per_second"],
        "two_workers_vs_one": found["two_workers_frames_per_second"] / found["one_worker_frames_per_second"],
    }


def _on_ray(workers: int) -> Compute:
    # Half a CPU, so that a machine of one core has room for both.
    return Compute(engine="ray", address="", workers=workers, cpus=0.5)


def _items(folder: Path, frames: int) -> list[list[PartTask]]:
    """Items of a few frames of one rendered clip, read again and again."""
    from al_assets.demo.archive import render_archive

    (folder / "videos").mkdir()
    render_archive(folder / "videos", seed=3, clips=1)
    path = sorted(p.name for p in (folder / "videos").glob("*.mp4") if not p.name.startswith("real_"))[0]
    indices = np.arange(0, CLIP_FRAMES, EVERY, dtype=np.int64)
    starts = [number * ITEM % (len(indices) - ITEM) for number in range(frames // ITEM)]
    return [
        [PartTask(number, f"videos/{path}", indices[start : start + ITEM], indices[start : start + ITEM])]
        for number, start in enumerate(starts)
    ]


def _rate(compute: Compute, work: EmbeddingWork, items: list[list[PartTask]], workers: int) -> float:
    """Frames a second from the moment when every worker has given a result; what came before is loading."""
    seen: set[int] = set()
    began, frames = time.perf_counter(), 0
    for process, count in compute.stream(Counted(work), items):
        if len(seen) < workers:
            seen.add(process)
            began = time.perf_counter()
        else:
            frames += count
    return max(frames, 1) / (time.perf_counter() - began)


def _decoded(work: EmbeddingWork, items: list[list[PartTask]]) -> int:
    pictures = work.pictures()
    return sum(1 for item in items for _ in pictures(job_of(item)))

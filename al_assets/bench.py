"""`al bench`: each case measures our code against a plain reference in the same run and gives ratios.

The machines are shared and noisy: a ratio of two measurements taken in turns means something, a time does not.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("dagster", "torch", "torchvision", "sqlalchemy", "pandas", "numpy", "pyarrow", "av")
REPEATS = 3
DEFAULT_ROWS = 200_000
ROWS = {
    "io": 1_000_000,
    "dataset": 10_000_000,
    "design": 1_000_000,
    "views": 1_000_000,
    "margin": 30_000_000,
    "peers": 20_000,
    "auto": 40_000,
    "reference": 19_000,
    "selection": 100_000,
}


class UnknownCaseError(LookupError):
    """There is no such case; the message lists those there are."""


@dataclass(frozen=True)
class BenchResult:
    """One case: what was measured, our speed over the reference's, the machine, the versions."""

    case: str
    measured: dict[str, float]
    ratios: dict[str, float]
    machine: dict[str, Any]
    versions: dict[str, str]

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(asdict(self), indent=1)


def run_case(case: str, *, rows: int | None = None) -> BenchResult:
    """Run a case, at its own size unless told. Raises UnknownCaseError."""
    if case not in CASES:
        raise UnknownCaseError(f"no case {case!r}; there are: {', '.join(CASES)}")
    measured, ratios = CASES[case](rows or ROWS.get(case, DEFAULT_ROWS))
    machine = {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()}
    return BenchResult(
        case,
        {name: round(value, 3) for name, value in measured.items()},
        {name: round(value, 3) for name, value in ratios.items()},
        machine,
        {name: version(name) for name in PACKAGES},
    )


def rates(work: dict[str, Callable[[], int]], repeats: int = REPEATS) -> dict[str, float]:
    """Units a second of each piece of work, taken in turns; the best of the repeats, since noise only slows."""
    best = dict.fromkeys(work, 0.0)
    for _ in range(repeats):
        for name, run in work.items():
            began = time.perf_counter()
            units = run()
            best[name] = max(best[name], units / (time.perf_counter() - began))
    return best


def _clip(folder: Path) -> Path:
    """A rendered clip of 300 frames at 640x480, H.264."""
    from al_assets.demo.archive import render_archive

    render_archive(folder, seed=3, clips=1)
    return sorted(path for path in folder.glob("*.mp4") if not path.name.startswith("real_"))[0]


def bench_ingest(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Indexing (every frame decoded, two a second measured) against plain PyAV decoding of the same file."""
    import av

    from al_assets.frames.indexing import index_video

    with tempfile.TemporaryDirectory() as folder:
        clip = str(_clip(Path(folder)))

        def plain() -> int:
            with av.open(clip) as container:
                return sum(1 for _ in container.decode(video=0))

        def indexed() -> int:
            index = index_video(
                clip, video_no=1, video_id="clip", frames_per_second=2.0, duplicate_distance=2
            )
            for _ in index.batches():
                pass
            return index.outcome.decoded

        found = rates({"plain_decode_frames_per_second": plain, "index_frames_per_second": indexed})
    return found, {
        "index_vs_decode": found["index_frames_per_second"] / found["plain_decode_frames_per_second"]
    }


def bench_embed(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Embedding of frames of 640x480 against the bare model on tensors that are ready."""
    import torch

    from al_assets.embeddings.backbones import LITE0, load_backbone
    from al_assets.embeddings.batching import embed_frames

    backbone = load_backbone(LITE0)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (480, 640, 3), dtype=np.uint8) for _ in range(64)]
    ready = torch.from_numpy(np.stack([backbone.prepare(image) for image in images]))
    network = backbone._network

    def bare() -> int:
        with torch.inference_mode():
            for start in range(0, len(images), 32):
                network(ready[start : start + 32].permute(0, 3, 1, 2).float().sub_(127.0).div_(128.0))
        return len(images)

    def ours() -> int:
        return sum(batch.num_rows for batch in embed_frames(iter(enumerate(images)), backbone, batch_size=32))

    found = rates({"bare_model_images_per_second": bare, "embed_images_per_second": ours})
    return found, {
        "embed_vs_bare_model": found["embed_images_per_second"] / found["bare_model_images_per_second"]
    }


def bench_io(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Writing and reading tables against the raw driver, ADBC and pandas; COPY where AL_DATABASE_URL is PostgreSQL."""
    from resources.environments import read_environment
    from resources.io_bench import measure_io

    url = read_environment().database_url
    result = measure_io(rows, url if url.startswith("postgresql") else None)
    return result["measured"], result["ratios"]


def bench_score(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Scoring blocks of vectors into rows against the bare matrix product and sigmoid."""
    from al_assets.checkpoints.heads import Head
    from al_assets.predictions.assets import BLOCK_FRAMES
    from al_assets.predictions.scoring import score_block

    classes, dimensions = 30, 1280
    rng = np.random.default_rng(0)
    head = Head(
        task="multi_label",
        class_ids=tuple(range(1, classes + 1)),
        class_names=tuple(f"class {n}" for n in range(1, classes + 1)),
        embedder_id="bench",
        weight=rng.normal(0, 0.02, (classes, dimensions)).astype(np.float32),
        bias=np.full(classes, -2.0, np.float32),
        mean=np.zeros(dimensions, np.float32),
        scale=np.ones(dimensions, np.float32),
        temperature=np.ones(classes, np.float32),
        thresholds=np.full(classes, 0.5, np.float32),
    )
    blocks = max(1, min(rows, 65_536) // BLOCK_FRAMES)
    vectors = rng.normal(0, 1, (BLOCK_FRAMES, dimensions)).astype(np.float16)
    keys = np.arange(BLOCK_FRAMES, dtype=np.int64)

    def bare() -> int:
        for _ in range(blocks):
            logits = vectors.astype(np.float32) @ head.weight.T + head.bias
            1.0 / (1.0 + np.exp(-logits))
        return blocks * BLOCK_FRAMES

    def ours() -> int:
        for _ in range(blocks):
            score_block(head, keys, vectors, "ck-bench")
        return blocks * BLOCK_FRAMES

    found = rates({"bare_kernel_frames_per_second": bare, "score_frames_per_second": ours})
    return found, {
        "score_vs_bare_kernel": found["score_frames_per_second"] / found["bare_kernel_frames_per_second"]
    }


def bench_dataset(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """The PyTorch dataset against torchvision's ImageFolder in speed and a JSON of `rows` annotations in memory."""
    from al_assets.dataset_bench import measure_dataset

    return measure_dataset(rows)


def bench_views(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Sightings and co-occurrence month by month over `rows` frames, against a plain aggregate of the same rows."""
    from resources.environments import read_environment
    from resources.views_bench import measure_views

    result = measure_views(rows, read_environment().database_url)
    return result["measured"], result["ratios"]


def bench_labels(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Import of `rows` records as CSV and as Label Studio's JSON, against plain parsing and pandas' to_sql."""
    from al_assets.labels_bench import measure_labels

    return measure_labels(rows)


def bench_selection(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """1,000 picks of `rows` frames by each diversity strategy, against a bare k-center and scikit-activeml."""
    from al_assets.selection_bench import measure_selection

    return measure_selection(rows)


def bench_design(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Keys, indexes and pages as they are against their alternatives: sql/PHYSICAL_DESIGN.md quotes it."""
    from resources.design_bench import measure_design
    from resources.environments import read_environment

    url = read_environment().database_url
    result = measure_design(rows, url if url.startswith("postgresql") else None)
    return result["measured"], result["ratios"]


def bench_auto(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """The default strategy against random draws and the best simple ones, in points."""
    from al_assets.auto_bench import measure_auto

    return measure_auto(rows)


def bench_reference(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Gains over random draws in the protocol of the reference implementation, in points."""
    from al_assets.reference_bench import measure_reference

    return measure_reference(rows)


def bench_peers(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Strategy `auto` against scikit-activeml's in one protocol, with one head; a seed for each 2,000 of `rows`."""
    from al_assets.peers_bench import measure_peers

    return measure_peers(rows)


def bench_margin(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """The least certain 1,000 of `rows` scored frames in SQLite by their index, against a scan and a sort of all."""
    from resources.margin_bench import measure_margin

    result = measure_margin(rows)
    return result["measured"], result["ratios"]


CASES: dict[str, Callable[[int], tuple[dict[str, float], dict[str, float]]]] = {
    "ingest": bench_ingest,
    "embed": bench_embed,
    "io": bench_io,
    "score": bench_score,
    "dataset": bench_dataset,
    "views": bench_views,
    "labels": bench_labels,
    "design": bench_design,
    "selection": bench_selection,
    "peers": bench_peers,
    "margin": bench_margin,
    "auto": bench_auto,
    "reference": bench_reference,
}

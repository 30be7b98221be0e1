"""`al bench pipeline`: decoding in processes that feed one model, against the decoder and the model each alone.

All three are taken in turns in one run, each with the whole machine: the bare model with as many threads as it likes on
pictures that are ready, the decoder as one process that keeps nothing. Not here: SQL.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from al_assets import embedding_work
from al_assets.benches.cases import Result, rates
from al_assets.embedding_work import Embedding, EmbeddingWork, PartTask, decoders
from al_assets.embeddings.pictures import Pictures
from al_assets.settings import EmbeddingsSettings
from resources.storage import Storage

CODECS = {"h264": "libx264", "h265": "libx265"}
RATE, SECONDS = 25, 10
QUICK = 10_000


def measure_pipeline(rows: int) -> tuple[Result, Result]:
    """(measured, ratios): images/s of the decoder (`decode`), the bare model and the whole (`pipeline`, and `here` with
    decoding in the same process), for H.264 and H.265 at 640 x 480 with two frames a second taken of 25, and for
    frames that are small and all taken, where the model is the limit.

    Ratios: the whole against the slower of decoder and model (pipeline_vs_slower_*), against itself without processes
    (pipeline_vs_here_*), and against the bare model where that is the limit (pipeline_vs_model). rows: under 10,000 on
    a twentieth of the pictures, of which the second in which processes start then takes most.
    """
    quick = rows < QUICK
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "videos"
        root.mkdir()
        measured, ratios = Result(), Result()
        for name, codec in CODECS.items():
            _render(root / f"{name}.mp4", codec, 640, 480, RATE * (2 if quick else SECONDS))
            found = _measure(Path(folder), f"{name}.mp4", every=12, images=24 if quick else 600, quick=quick)
            slower = min(found["decode"], found["bare_model"])
            ratios[f"pipeline_vs_slower_{name}"] = found["pipeline"] / slower
            ratios[f"pipeline_vs_here_{name}"] = found["pipeline"] / found["here"]
            measured |= {f"{name}_{key}_images_per_second": rate for key, rate in found.items()}
        _render(root / "small.mp4", "libx264", 224, 224, 64)
        found = _measure(Path(folder), "small.mp4", every=1, images=64 if quick else 1024, quick=quick)
        ratios["pipeline_vs_model"] = found["pipeline"] / found["bare_model"]
        measured |= {f"small_{key}_images_per_second": rate for key, rate in found.items()}
    return measured, ratios


def _measure(root: Path, path: str, *, every: int, images: int, quick: bool) -> Result:
    settings = EmbeddingsSettings()
    work = EmbeddingWork(Storage(url=str(root)), settings)
    with av.open(str(root / "videos" / path)) as container:
        indices = np.arange(0, container.streams.video[0].frames, every)
    tasks = [
        PartTask(number, f"videos/{path}", indices + number * 10_000, indices)
        for number in range(max(2 * decoders(settings), -(-images // len(indices))))
    ]
    total = sum(len(task.keys) for task in tasks)
    here, apart = _embedding(work, 0), _embedding(work, max(1, decoders(settings)))
    bare = here._backbone
    ready = np.stack([picture for picture in work.pictures()(_first(tasks))][: settings.batch_size])

    def decode() -> int:
        return sum(1 for task in tasks for _ in _pictures(work.pictures(), task))

    def model() -> int:
        for _ in range(0, total, len(ready)):
            bare.embed_batch(ready)
        return -(-total // len(ready)) * len(ready)

    def embed(embedding: Embedding) -> Callable[[], int]:
        return lambda: sum(part.vectors.num_rows for part in embedding(tasks))

    for embedding in (here, apart):  # processes started, weights touched
        list(embedding(tasks[:1]))
    turns = {"decode": decode, "bare_model": model, "here": embed(here), "pipeline": embed(apart)}
    found = rates(turns, repeats=1 if quick else 3)
    apart.close()
    return found


def _first(tasks: list[PartTask]) -> Any:
    return embedding_work.job_of(tasks[:1])


def _pictures(pictures: Pictures, task: PartTask) -> Iterator[np.ndarray]:
    return pictures(embedding_work.job_of([task]))


def _embedding(work: EmbeddingWork, processes: int) -> Embedding:
    settings = work.settings.model_copy(update={"decoders": processes})
    made = EmbeddingWork(work.storage, settings, worth_frames=0)()
    assert isinstance(made, Embedding)
    return made


def _render(path: Path, codec: str, width: int, height: int, frames: int) -> None:
    """A clip of blurred noise that drifts, with a key frame every two seconds."""
    rng = np.random.default_rng(3)
    ground = rng.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    quiet = {"x265-params": "log-level=none:pools=none"} if codec == "libx265" else {}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE, options={"preset": "veryfast", **quiet})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 2 * RATE
        for number in range(frames):
            picture = np.roll(ground, (number, 2 * number), axis=(0, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())

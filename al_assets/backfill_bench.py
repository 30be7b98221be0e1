"""`al bench backfill`: what the platform adds a video when many short ones become frames and vectors.

Measured in the same process and in runs of the same size: the real graph (`ingest_videos` with its tables, storage and
IO manager, Dagster's own state in SQLite on disk), the same graph with empty bodies (what Dagster costs: a
materialisation a video and asset), and the bare work (decoding, measuring and embedding the same clips, no table, no
Dagster). What is left is ours: reading the register, slices, transactions, logs.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of the empty assets.
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import av
import dagster as dg
import numpy as np

from al_assets.arrivals import register_arrivals
from al_assets.automation import BATCHED, RETRY
from al_assets.embedding_work import EmbeddingWork, PartTask
from al_assets.embeddings.assets import embeddings
from al_assets.embeddings.configured import configured_embedder
from al_assets.frames.assets import frames, videos
from al_assets.frames.indexing import index_video
from al_assets.headless import NO_BOUNDS, QUIET
from al_assets.jobs import INGEST, INGEST_ASSETS
from al_assets.keys import frame_id
from al_assets.partitions import RANGE_END, RANGE_START, VIDEOS
from al_assets.settings import Settings, parse_settings
from resources import migrations
from resources.archive import Archive
from resources.compute import Compute
from resources.database import Database
from resources.queries.videos import Video
from resources.sql_io_manager import SqlIOManager
from resources.storage import Storage

ROWS_A_VIDEO = 20
"""The size of a case is given in rows; a video costs so many times more than a row of the other cases."""
VIDEOS_PER_RUN = 100
BACKBONE = "shufflenet_v2_x0_5"
"""A small network of random weights: its time is measured and taken off, and should not drown the rest."""


def measure_backfill(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds a video; rows / 20 videos of one frame, at least ten."""
    number = max(10, rows // ROWS_A_VIDEO)
    with tempfile.TemporaryDirectory(prefix="al-backfill-") as folder:
        return _measure(Path(folder), number)


def _measure(folder: Path, number: int) -> tuple[dict[str, float], dict[str, float]]:
    settings = parse_settings(
        {"embeddings": {"backbone": BACKBONE, "weights": str(_weights(folder)), "threads": 1}}
    )
    archive = _archive(folder, number)
    took = {"registration": _timed(lambda: _register(archive, settings))}
    found = archive.videos.all()
    bare = _bare(archive, settings, found[:2])
    bare()  # loads the libraries
    bare = _bare(archive, settings, found)
    (folder / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(folder / "dagster")) as instance:
        instance.add_dynamic_partitions(str(VIDEOS.name), [video.video_id for video in found])
        resources = {
            "archive": archive,
            "settings": settings,
            "compute": Compute(),
            "io_manager": SqlIOManager(database=archive.database),
        }
        real = _runs(instance, [videos, frames, embeddings], resources, found)
        empty = _runs(instance, [videos, *_empty_assets()], resources, found)
        took |= {"empty_bodies": _timed(empty), "bare_work": _timed(bare), "real_graph": _timed(real)}
    stand = archive.backfill.stand(
        settings.frames.frames_per_second, configured_embedder(settings.embeddings), None
    )
    if stand.with_vectors != number:
        raise RuntimeError(
            f"{stand.with_vectors} of {number} videos have vectors; this measured something else"
        )
    archive.database.close()
    each = {f"{name}_ms_a_video": seconds / number * 1000 for name, seconds in took.items()}
    each["above_empty_bodies_ms_a_video"] = each["real_graph_ms_a_video"] - each["empty_bodies_ms_a_video"]
    each["ours_ms_a_video"] = each["above_empty_bodies_ms_a_video"] - each["bare_work_ms_a_video"]
    least = each["empty_bodies_ms_a_video"] + each["bare_work_ms_a_video"]
    return {"videos": float(number), **each}, {
        "empty_and_bare_vs_real": least / each["real_graph_ms_a_video"]
    }


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _weights(folder: Path) -> Path:
    """Random weights of the small network, so that nothing is downloaded."""
    import torch

    from al_assets.embeddings.torchvision_gate import torchvision

    torch.manual_seed(0)
    file = folder / "weights.pt"
    torch.save(torchvision().models.get_model(BACKBONE, weights=None).state_dict(), file)
    return file


def _archive(folder: Path, number: int) -> Archive:
    """Clips of one frame, each with a content of its own: a `free` box behind the same film."""
    database = Database(url=f"sqlite:///{folder / 'al.db'}")
    migrations.upgrade(database)
    place = folder / "storage" / "videos"
    place.mkdir(parents=True)
    clip = folder / "clip.mp4"
    with av.open(str(clip), "w") as container:
        stream: Any = container.add_stream("libx264", rate=1, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    film = clip.read_bytes()
    for each in range(number):
        (place / f"clip-{each:06d}.mp4").write_bytes(film + struct.pack(">I4sQ", 16, b"free", each))
    return Archive(database=database, storage=Storage(url=str(folder / "storage")))


def _register(archive: Archive, settings: Settings) -> None:
    for _ in range(2):
        register_arrivals(archive, settings, archive.now(), bounds=NO_BOUNDS)


def _bare(archive: Archive, settings: Settings, chosen: Sequence[Video]) -> Callable[[], None]:
    """Decoding and measuring each clip, then decoding and embedding it, as the assets have it done."""
    zero = np.zeros(1, np.int64)

    def run() -> None:
        for video in chosen:
            source = archive.storage.source(f"videos/{video.path}")
            index = index_video(
                source,
                video_no=video.video_no,
                video_id=video.video_id,
                frames_per_second=settings.frames.frames_per_second,
                duplicate_distance=settings.frames.duplicate_distance,
            )
            list(index.batches())
        tasks = [
            PartTask(number, f"videos/{video.path}", np.array([frame_id(video.video_no, 0)]), zero)
            for number, video in enumerate(chosen)
        ]
        for first in range(0, len(tasks), VIDEOS_PER_RUN):
            # A run loads the model once.
            work = EmbeddingWork(archive.storage, settings.embeddings)()
            list(work(tasks[first : first + VIDEOS_PER_RUN]))

    return run


def _empty_assets() -> list[dg.AssetsDefinition]:
    """`frames` and `embeddings` as Dagster sees them, with nothing to do."""
    made: list[dg.AssetsDefinition] = []
    for name in INGEST_ASSETS:

        @dg.asset(
            name=name,
            partitions_def=VIDEOS,
            deps=[made[-1] if made else videos],
            backfill_policy=BATCHED,
            retry_policy=RETRY,
            metadata={"table": name, "partition_expr": "video_id"},
        )
        def body() -> dg.MaterializeResult:  # type: ignore[type-arg]
            """Gives nothing to write."""
            return dg.MaterializeResult(value=iter(()))

        made.append(body)
    return made


def _runs(
    instance: dg.DagsterInstance, assets: Sequence[Any], resources: dict[str, Any], chosen: Sequence[Video]
) -> Callable[[], None]:
    """Runs of `ingest_videos` over all videos, a batch each."""
    job = dg.Definitions(
        assets=list(assets),
        jobs=[dg.define_asset_job(INGEST, dg.AssetSelection.assets(*INGEST_ASSETS))],
        resources=resources,
        executor=dg.in_process_executor,
    ).resolve_job_def(INGEST)

    def run() -> None:
        for first in range(0, len(chosen), VIDEOS_PER_RUN):
            batch = chosen[first : first + VIDEOS_PER_RUN]
            tags = {
                RANGE_START: batch[0].video_id,
                RANGE_END: batch[-1].video_id,
            }
            with redirect_stderr(StringIO()):
                job.execute_in_process(instance=instance, tags=tags, run_config=QUIET)

    return run

"""`al bench ingest|embed|score`: decoding, embedding and scoring against the bare kernels beneath them.

Not here: anything that touches a database.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from al_assets.benches.cases import Result, rates

QUICK = 10_000
"""Rows below which a quarter of the images does."""


def _clip(folder: Path) -> Path:
    """A rendered clip of 300 frames at 640x480, H.264."""
    from al_assets.demo.archive import render_archive

    render_archive(folder, seed=3, clips=1)
    return sorted(path for path in folder.glob("*.mp4") if not path.name.startswith("real_"))[0]


def measure_ingest(rows: int) -> tuple[Result, Result]:
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


def measure_embed(rows: int) -> tuple[Result, Result]:
    """Embedding of frames of 640x480 against the bare model on tensors that are ready."""
    import torch

    from al_assets.embeddings.backbones import LITE0, load_backbone
    from al_assets.embeddings.batching import embed_frames

    backbone = load_backbone(LITE0)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (480, 640, 3), dtype=np.uint8) for _ in range(64 if rows >= QUICK else 16)]
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


def measure_score(rows: int) -> tuple[Result, Result]:
    """Scoring blocks of vectors into rows against the bare matrix product and sigmoid."""
    from al_assets.checkpoints.heads import Head
    from al_assets.predictions.scoring import score_block
    from al_assets.scoring_work import PART_FRAMES

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
    blocks = max(1, min(rows, 65_536) // PART_FRAMES)
    vectors = rng.normal(0, 1, (PART_FRAMES, dimensions)).astype(np.float16)
    keys = np.arange(PART_FRAMES, dtype=np.int64)

    def bare() -> int:
        for _ in range(blocks):
            logits = vectors.astype(np.float32) @ head.weight.T + head.bias
            1.0 / (1.0 + np.exp(-logits))
        return blocks * PART_FRAMES

    def ours() -> int:
        for _ in range(blocks):
            score_block(head, keys, vectors, "ck-bench")
        return blocks * PART_FRAMES

    found = rates({"bare_kernel_frames_per_second": bare, "score_frames_per_second": ours})
    return found, {
        "score_vs_bare_kernel": found["score_frames_per_second"] / found["bare_kernel_frames_per_second"]
    }

"""What rescoring is held against: the scoring kernel over vectors in memory, and the bulk ingest of the same rows.

Both as plain as they can be: numpy without statistics or rows, ADBC without checks, hashes or a ledger.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from al_assets.benches.cases import Result, rates
from al_assets.examples import load_checkpoint
from al_assets.headless import Headless
from al_assets.predictions.scoring import score_block
from resources.bare_ingest import bare_ingest

BLOCK = 8_192
MOST = 262_144
"""Frames that the bare work is measured on at most."""


def bare_rates(headless: Headless, frames: int) -> Result:
    """Frames a second of the bare kernel and of the bare ingest, in turns, on vectors of the archive."""
    archive = headless.archive
    serving = archive.models.serving()
    assert serving is not None
    head = load_checkpoint(archive, serving)
    keys, vectors = _some(headless, serving.embedder_id, min(frames, MOST))
    scores, predictions = score_block(head, keys, vectors, serving.checkpoint_id)

    def kernel() -> int:
        for start in range(0, len(vectors), BLOCK):
            logits = head.logits(vectors[start : start + BLOCK])
            shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
            shifted /= shifted.sum(axis=1, keepdims=True)
        return len(vectors)

    with tempfile.TemporaryDirectory(prefix="al-bench-", dir=headless.environment.home) as folder:
        numbers = iter(range(1_000))

        def ingest() -> int:
            rows = {"frame_scores": scores, "predictions": predictions}
            return bare_ingest(Path(folder) / f"{next(numbers)}.db", rows)

        found = rates({"bare_kernel_frames_per_second": kernel, "bare_ingest_frames_per_second": ingest})
    return found


def _some(headless: Headless, embedder_id: str, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the first videos, as many as asked for."""
    keys: list[np.ndarray] = []
    vectors: list[np.ndarray] = []
    for video in headless.archive.videos.all():
        if sum(map(len, keys)) >= frames:
            break
        own, matrix = headless.archive.frames.vectors_of_video(embedder_id, video.video_no)
        keys.append(own)
        vectors.append(matrix)
    return np.concatenate(keys)[:frames], np.concatenate(vectors)[:frames]

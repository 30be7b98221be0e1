"""The assets `predictions` and `serving_checkpoint`: what the model says of every frame, and which model is asked."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
import pyarrow as pa

from al_assets.automation import RETRY
from al_assets.checkpoints.assets import candidate_checkpoint
from al_assets.embeddings.assets import embeddings
from al_assets.examples import load_checkpoint
from al_assets.keys import frame_range, video_no_of
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.queries.videos import Video, coverage_row
from resources.slices import KeyList, KeyRange, Slice

if TYPE_CHECKING:  # loads torch, which the code server must not
    from al_assets.checkpoints.heads import Head

BLOCK_FRAMES = 8192
"""Frames a block: 40 MB of vectors at 1280 dimensions, so that memory is bounded by the block."""


@dg.asset(
    group_name="scoring",
    kinds={"pytorch", "sql"},
    deps=[candidate_checkpoint, embeddings],
    pool="gpu",
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "frame_scores"},
)
def predictions(context: dg.AssetExecutionContext, archive: Archive) -> dg.MaterializeResult:
    """Scores and predicted classes of every frame by the model to serve, and by the serving one meanwhile.

    Blocks are committed one by one under a version that no reader follows yet; a run that died goes on where
    it stopped.
    """
    models = {
        m.checkpoint_id: m for m in (archive.models.target(), archive.models.serving()) if m is not None
    }
    todo = {
        model.checkpoint_id: archive.videos.lacking_predictions(model.checkpoint_id, model.embedder_id)
        for model in models.values()
    }
    context.log.info(
        "; ".join(f"{name}: {len(ids)} videos to score" for name, ids in todo.items()) or "no model yet"
    )
    slices = (part for name, ids in todo.items() for part in score_videos(archive, models[name], ids))
    return dg.MaterializeResult(
        value=slices,
        metadata={"videos": sum(map(len, todo.values())), "models": ", ".join(todo) or "none yet"},
    )


def score_videos(archive: Archive, model: Checkpoint, video_ids: list[str]) -> Iterator[Slice]:
    """Slices of scores, one a block of consecutive videos."""
    head = load_checkpoint(archive, model)
    register = {video.video_no: video for video in archive.videos.get(video_ids)}
    for numbers in _consecutive(sorted(register)):
        blocks = archive.frames.vectors_of_videos(model.embedder_id, numbers, BLOCK_FRAMES)
        for done, keys, vectors in blocks:
            yield _slice(head, model.checkpoint_id, [register[n] for n in done], keys, vectors)


def _consecutive(numbers: list[int]) -> Iterator[list[int]]:
    """Runs of consecutive video numbers: a block's key range must not reach over a video it does not score."""
    run: list[int] = []
    for number in numbers:
        if run and number != run[-1] + 1:
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def _slice(
    head: "Head", checkpoint_id: str, block: list[Video], keys: np.ndarray, vectors: np.ndarray
) -> Slice:
    from al_assets.predictions.scoring import score_block

    scores, found = score_block(head, keys, vectors, checkpoint_id)
    counts = dict(zip(*np.unique(video_no_of(keys), return_counts=True), strict=True))
    coverage = [
        coverage_row("predictions", checkpoint_id, video, int(counts.get(video.video_no, 0)))
        for video in block
    ]
    span = KeyRange(frame_range(block[0].video_no)[0], frame_range(block[-1].video_no)[1])
    return Slice(
        where={
            "frame_scores.checkpoint_id": checkpoint_id,
            "frame_scores.frame_id": span,
            "predictions.checkpoint_id": checkpoint_id,
            "predictions.frame_id": span,
            "video_coverage.asset": "predictions",
            "video_coverage.version": checkpoint_id,
            "video_coverage.video_id": KeyList(tuple(video.video_id for video in block)),
        },
        rows={"frame_scores": scores, "predictions": found, "video_coverage": pa.Table.from_pylist(coverage)},
        name=f"checkpoint_id = {checkpoint_id}, frame_id {span.first}..{span.last}",
    )


@dg.asset(group_name="scoring", kinds={"sql"}, deps=[predictions], code_version="1")
def serving_checkpoint(context: dg.AssetExecutionContext, archive: Archive) -> dg.MaterializeResult:
    """The one checkpoint that every view follows; it moves when the model to serve has scored every frame."""
    target = archive.models.target()
    if target is None:
        return dg.MaterializeResult(metadata={"serving": "none yet", "moved": 0})
    missing = archive.videos.lacking_predictions(target.checkpoint_id, target.embedder_id)
    before = archive.models.serving()
    if before is not None and before.embedder_id != target.embedder_id:
        # A new embedder reaches the archive video by video: until it has, views would lose what it has not.
        missing += archive.videos.lacking("embeddings", target.embedder_id)
    moved = not missing and archive.models.serve(target.checkpoint_id, archive.now())
    serving = archive.models.serving()
    name = serving.checkpoint_id if serving else "none yet"
    context.log.info(
        f"serving {name}{' from now on' if moved else ''}; {len(missing)} videos lack the next one's scores"
    )
    return dg.MaterializeResult(
        metadata={
            "serving": name,
            "moved": int(moved),
            "videos_without_scores": len(missing),
            **archive.monitoring.table_metadata("serving"),
        }
    )

"""Scoring as work for the resource `compute`: blocks of frames planned from the ledger, and what scores one of them.

A block is a bounded number of frames however long or short videos are. Not here: the arithmetic
(predictions/scoring.py), or the asset that writes the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from al_assets.examples import load_checkpoint
from al_assets.keys import frame_range, video_no_of
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.queries.scoring import Unscored
from resources.slices import KeyList, KeyRange, Slice

if TYPE_CHECKING:  # loads torch, which the code server must not
    from al_assets.checkpoints.heads import Head

BLOCK_FRAMES = 32_768
"""Frames a block at most: 84 MB of vectors at 1280 dimensions, 6 MB of rows, and one transaction."""


@dataclass(frozen=True)
class Block:
    """Videos to score together: consecutive ones of a bounded number of frames, or a single one of any length."""

    videos: tuple[Unscored, ...]

    @property
    def span(self) -> KeyRange:
        """All keys that these videos may have."""
        return KeyRange(frame_range(self.videos[0].video_no)[0], frame_range(self.videos[-1].video_no)[1])


@dataclass(frozen=True)
class ScoringWork:
    """Called in each process that scores: loads the model, and gives the function from a block to its slices.

    most: frames a slice; a video of more has several, in order, and only the last says in the ledger that it is scored.
    """

    archive: Archive
    model: Checkpoint
    most: int = BLOCK_FRAMES

    def __call__(self) -> Callable[[Block], Iterable[Slice]]:
        """The model's file is read and checked once."""
        head = load_checkpoint(self.archive, self.model)

        def work(block: Block) -> Iterator[Slice]:
            *others, last = self._parts(block)
            for part in others:
                yield self._slice(head, part, ())
            yield self._slice(head, last, block.videos)

        return work

    def _parts(self, block: Block) -> list[KeyRange]:
        """The block's range of keys, cut where it holds more than `most` vectors."""
        if sum(video.frames for video in block.videos) <= self.most:
            return [block.span]
        (video,) = block.videos
        keys = self.archive.frames.embedded_ids(self.model.embedder_id, video.video_no)
        cuts = [int(key) for key in keys[self.most :: self.most]]
        starts, ends = [block.span.first, *cuts], [*(cut - 1 for cut in cuts), block.span.last]
        return [KeyRange(start, end) for start, end in zip(starts, ends, strict=True)]

    def _slice(self, head: Head, span: KeyRange, ends: Sequence[Unscored]) -> Slice:
        """Rows of a range of keys, and of the ledger for the videos that are scored whole with it."""
        from al_assets.predictions.scoring import score_block

        version = self.model.checkpoint_id
        keys, vectors = self.archive.frames.vectors_between(self.model.embedder_id, span.first, span.last)
        scores, found = score_block(head, keys, vectors, version)
        return Slice(
            where={
                "frame_scores.checkpoint_id": version,
                "frame_scores.frame_id": span,
                "predictions.checkpoint_id": version,
                "predictions.frame_id": span,
                "video_coverage.asset": "predictions",
                "video_coverage.version": version,
                "video_coverage.video_id": KeyList(tuple(video.video_id for video in ends)),
            },
            rows={
                "frame_scores": scores,
                "predictions": found,
                "video_coverage": self._covered(span, keys, ends),
            },
            name=f"checkpoint_id = {version}, frame_id {span.first}..{span.last}",
        )

    def _covered(self, span: KeyRange, keys: np.ndarray, ends: Sequence[Unscored]) -> pa.Table | None:
        if not ends:
            return None
        numbers, counts = np.unique(video_no_of(keys), return_counts=True)
        scored = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        number = ends[0].video_no
        if span.first > frame_range(number)[0]:  # it began in a slice before
            scored[number] = len(self.archive.frames.embedded_ids(self.model.embedder_id, number))
        return pa.Table.from_pylist(
            [
                {
                    "asset": "predictions",
                    "version": self.model.checkpoint_id,
                    "video_id": video.video_id,
                    "frames_version": video.frames_version,
                    "frames": scored.get(video.video_no, 0),
                }
                for video in ends
            ]
        )


def plan_blocks(unscored: Iterable[Unscored], most: int = BLOCK_FRAMES) -> Iterator[Block]:
    """Blocks of at most `most` frames; a video of more is alone in its block.

    A block's range of keys must not reach over a video that it does not score, so that its videos are consecutive.
    """
    together: list[Unscored] = []
    frames = 0
    for video in unscored:
        follows = together and video.video_no == together[-1].video_no + 1
        if together and (not follows or frames + video.frames > most):
            yield Block(tuple(together))
            together, frames = [], 0
        together.append(video)
        frames += video.frames
    if together:
        yield Block(tuple(together))

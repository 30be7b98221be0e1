"""Scoring as work for the resource `compute`: parts of the archive planned from the ledger, and what scores them.

A part is a bounded number of frames however long or short videos are. Not here: the arithmetic
(predictions/scoring.py), or the asset that writes the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from al_assets.examples import load_checkpoint
from al_assets.keys import frame_range, video_no_of
from resources.archive import Archive
from resources.compute import run_ahead
from resources.queries.models import Checkpoint
from resources.queries.scoring import Unscored
from resources.slices import KeyList, KeyRange, Slice

if TYPE_CHECKING:  # loads torch, which the code server must not
    from al_assets.checkpoints.heads import Head

PART_FRAMES = 32_768
"""Frames a part at most: 84 MB of vectors at 1280 dimensions, 6 MB of rows, and one transaction."""
PARTS = 8
"""Parts that a worker takes at once, about: it reads the next while it scores one."""
Vectors: TypeAlias = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Part:
    """A range of keys to score: consecutive videos, or a piece of a long one.

    ends: videos that are scored whole with it, none for a piece with more to come. keys: how many frames the one that
    ends has where this is its last piece, else 0. All is fixed when it is planned, so that a worker which takes the
    part over from one that died makes the same rows.
    """

    span: KeyRange
    ends: tuple[Unscored, ...]
    keys: int = 0


@dataclass(frozen=True)
class ScoringWork:
    """Called in each process that scores: loads the model, and gives the function from parts to their slices.

    Vectors are read a part ahead, by a thread of their own. whole: the pieces of a long video are one slice, since
    readers follow this model; its rows wait in memory, 110 bytes a frame. spare: cores left to the writer beside.
    """

    archive: Archive
    model: Checkpoint
    whole: bool = False
    spare: int = 0

    def __call__(self) -> Callable[[Sequence[Part]], Iterable[Slice]]:
        """The model's file is read and checked once."""
        head = load_checkpoint(self.archive, self.model)
        read = partial(self.archive.frames.vectors_between, self.model.embedder_id)

        def work(parts: Sequence[Part]) -> Iterator[Slice]:
            vectors = run_ahead(lambda: (read(part.span.first, part.span.last) for part in parts), 1)
            pieces: list[Slice] = []
            with closing(vectors), _fewer_threads(self.spare):
                for part, found in zip(parts, vectors, strict=True):
                    pieces.append(self._slice(head, part, found))
                    if part.ends or not self.whole:
                        yield _joined(pieces)
                        pieces = []

        return work

    def _slice(self, head: Head, part: Part, found: Vectors) -> Slice:
        """Rows of a part, and of the ledger for the videos that are scored whole with it."""
        from al_assets.predictions.scoring import score_block

        version, span, (keys, vectors) = self.model.checkpoint_id, part.span, found
        scores, predicted = score_block(head, keys, vectors, version)
        return Slice(
            where={
                "frame_scores.checkpoint_id": version,
                "frame_scores.frame_id": span,
                "predictions.checkpoint_id": version,
                "predictions.frame_id": span,
                "video_coverage.asset": "predictions",
                "video_coverage.version": version,
                "video_coverage.video_id": KeyList(tuple(video.video_id for video in part.ends)),
            },
            rows={
                "frame_scores": scores,
                "predictions": predicted,
                "video_coverage": self._covered(part, keys) if part.ends else None,
            },
            name=f"checkpoint_id = {version}, frame_id {span.first}..{span.last}",
        )

    def _covered(self, part: Part, keys: np.ndarray) -> pa.Table:
        numbers, counts = np.unique(video_no_of(keys), return_counts=True)
        scored = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        if part.keys:
            scored[part.ends[0].video_no] = part.keys
        return pa.Table.from_pylist(
            [
                {
                    "asset": "predictions",
                    "version": self.model.checkpoint_id,
                    "video_id": video.video_id,
                    "frames_version": video.frames_version,
                    "frames": scored.get(video.video_no, 0),
                }
                for video in part.ends
            ]
        )


@contextmanager
def _fewer_threads(spare: int) -> Iterator[None]:
    """torch on fewer cores: a product in as many parts as there are cores waits for the one that the writer shares."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - spare))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _joined(pieces: Sequence[Slice]) -> Slice:
    """Slices of neighbouring ranges as one, whose ledger is the last one's."""
    if len(pieces) == 1:
        return pieces[0]
    first, last = pieces[0], pieces[-1]
    spans = (first.where["frame_scores.frame_id"], last.where["frame_scores.frame_id"])
    assert isinstance(spans[0], KeyRange)
    assert isinstance(spans[1], KeyRange)
    span = KeyRange(spans[0].first, spans[1].last)
    rows = {
        name: pa.concat_tables([piece.rows[name] for piece in pieces])
        for name in ("frame_scores", "predictions")
    }
    return Slice(
        where={**last.where, "frame_scores.frame_id": span, "predictions.frame_id": span},
        rows={**rows, "video_coverage": last.rows["video_coverage"]},
        name=f"checkpoint_id = {last.where['frame_scores.checkpoint_id']}, frame_id {span.first}..{span.last}",
    )


def plan_parts(
    unscored: Iterable[Unscored], keys_of: Callable[[int], np.ndarray], most: int = PART_FRAMES
) -> Iterator[Part]:
    """Parts of at most `most` frames, in order.

    A part's range of keys must not reach over a video that it does not score, so that its videos are consecutive.
    keys_of: the keys of a video's vectors, ascending, by its number; asked for videos of more frames only.
    """
    together: list[Unscored] = []
    for video in unscored:
        follows = together and video.video_no == together[-1].video_no + 1
        if together and (not follows or sum(each.frames for each in together) + video.frames > most):
            yield _part(together)
            together = []
        if video.frames > most:
            yield from _pieces(video, keys_of(video.video_no), most)
        else:
            together.append(video)
    if together:
        yield _part(together)


def _part(videos: Sequence[Unscored]) -> Part:
    span = KeyRange(frame_range(videos[0].video_no)[0], frame_range(videos[-1].video_no)[1])
    return Part(span, tuple(videos))


def _pieces(video: Unscored, keys: np.ndarray, most: int) -> Iterator[Part]:
    first, last = frame_range(video.video_no)
    for cut in keys[most::most].tolist():
        yield Part(KeyRange(first, cut - 1), ())
        first = cut
    yield Part(KeyRange(first, last), (video,), len(keys))


def plan_items(parts: Iterable[Part], most: int = PARTS) -> Iterator[tuple[Part, ...]]:
    """Parts in groups of about `most`; the pieces of a video are in one group, since the ledger's row is the last's."""
    item: list[Part] = []
    for part in parts:
        item.append(part)
        if len(item) >= most and part.ends:
            yield tuple(item)
            item = []
    if item:
        yield tuple(item)

"""Vectors of one embedder made from another's by a matrix: many videos a transaction, nothing decoded.

Reading and the product run a bounded step ahead of the writing. A video whose frames lack some of the vectors that a
projection takes, or that is longer than a block, is not converted here: `embedding_slices.py` does it part by part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from al_assets.embeddings.vectors import pack
from al_assets.keys import frame_range
from al_assets.vector_versions import VectorVersions, batch_of
from resources.archive import Archive
from resources.compute import AHEAD, run_ahead
from resources.queries.videos import Video, coverage_row
from resources.slices import KeyList, KeyRange, Slice

BLOCK_FRAMES = 8192
"""Frames a block: 20 MB of vectors at 1,280 dimensions, and twice that in single precision."""


@dataclass(frozen=True)
class Block:
    """Videos of consecutive numbers that are converted together, and how many frames each has."""

    videos: tuple[Video, ...]
    frames: tuple[int, ...]

    @property
    def span(self) -> KeyRange:
        """Keys of their frames, and of no other video's."""
        return KeyRange(frame_range(self.videos[0].video_no)[0], frame_range(self.videos[-1].video_no)[1])


def split(
    archive: Archive, versions: VectorVersions, videos: Sequence[Video]
) -> tuple[list[Block], list[Video]]:
    """Of these videos those that can be converted, in blocks, and the others, both in order of their numbers.

    Converted are videos that lack nothing but the wanted embedder's vectors, and whose frames as they are now the base
    covers whole.
    """
    if versions.wanted == versions.base:
        return [], list(videos)
    ids = [video.video_id for video in videos]
    has = {name: archive.embedders.covering(name, ids) for name in {versions.base, *versions.written}}
    sizes, rest = {}, []
    for video in videos:
        frames = has[versions.base].get(video.video_id, BLOCK_FRAMES + 1)
        others = (has[name] for name in versions.written if name != versions.wanted)
        lacks_only_this = video.video_id not in has[versions.wanted] and all(
            video.video_id in o for o in others
        )
        if lacks_only_this and frames <= BLOCK_FRAMES:
            sizes[video] = frames
        else:
            rest.append(video)
    return list(_blocks(sizes)), rest


def _blocks(sizes: dict[Video, int]) -> Iterator[Block]:
    """Blocks of at most BLOCK_FRAMES frames: of consecutive numbers, since a block's key range is written whole."""
    block: list[Video] = []
    held = 0
    for video in sorted(sizes, key=lambda video: video.video_no):
        if block and (video.video_no != block[-1].video_no + 1 or held + sizes[video] > BLOCK_FRAMES):
            yield Block(tuple(block), tuple(sizes[each] for each in block))
            block, held = [], 0
        block.append(video)
        held += sizes[video]
    if block:
        yield Block(tuple(block), tuple(sizes[each] for each in block))


def converted(archive: Archive, versions: VectorVersions, blocks: Sequence[Block]) -> Iterator[Slice]:
    """The blocks' vectors by the wanted embedder as slices, made a step ahead of whoever writes them."""

    def made() -> Iterator[Slice]:
        return (slice_of(archive, versions, block) for block in blocks)

    return run_ahead(made, AHEAD)


def slice_of(archive: Archive, versions: VectorVersions, block: Block) -> Slice:
    """Vectors of a block's videos and what says that they are all there, to be written in one transaction."""
    name, span = versions.wanted, block.span
    keys, vectors = archive.frames.vectors_between(versions.base, span.first, span.last)
    rows = batch_of(
        name, keys, pack(versions.made(name, vectors)) if len(keys) else pa.array([], pa.binary())
    )
    covered = [
        coverage_row("embeddings", name, video, frames)
        for video, frames in zip(block.videos, block.frames, strict=True)
    ]
    _refuse_gaps(block, np.asarray(keys))
    return Slice(
        where={
            "embeddings.embedder_id": name,
            "embeddings.frame_id": span,
            "video_coverage.asset": "embeddings",
            "video_coverage.version": name,
            "video_coverage.video_id": KeyList(tuple(video.video_id for video in block.videos)),
        },
        rows={"embeddings": rows, "video_coverage": pa.Table.from_pylist(covered)},
        name=f"embedder_id = {name}, frame_id {span.first}..{span.last}",
    )


class VectorsChangedError(RuntimeError):
    """Vectors left, or came, between the look at what is there and the reading."""


def _refuse_gaps(block: Block, keys: np.ndarray) -> None:
    """Raise VectorsChangedError unless each video has as many vectors as its coverage says."""
    first = np.array([frame_range(video.video_no)[0] for video in block.videos])
    counts = np.diff(np.append(np.searchsorted(keys, first), len(keys)))
    if counts.tolist() != list(block.frames):
        raise VectorsChangedError(
            "vectors of these videos were written anew since this run began; start it again"
        )

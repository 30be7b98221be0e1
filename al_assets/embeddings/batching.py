"""Streams frames through a backbone in batches. Where frames come from and vectors go is not known here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa

from al_assets.embeddings.backbones import Backbone
from al_assets.embeddings.pictures import VIDEO_ERRORS, PictureJob, Pictures
from al_assets.embeddings.vectors import FLOAT16, pack

VECTOR_SCHEMA = pa.schema(
    [
        pa.field("frame_id", pa.int64(), nullable=False),
        pa.field("vector", pa.binary(), nullable=False),
    ]
)


def embed_frames(
    frames: Iterable[tuple[int, np.ndarray]], backbone: Backbone, *, batch_size: int
) -> Iterator[pa.RecordBatch]:
    """Record batches (frame_id, vector packed as float16) of at most `batch_size` frames, in order.

    frames: (frame_id, (h, w, 3) uint8 RGB); each is shrunk as it arrives, so that memory holds a batch of
    the backbone's small squares and never one of full frames.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; give 1 or more")
    prepared = ((frame_id, backbone.prepare(image)) for frame_id, image in frames)
    while batch := list(islice(prepared, batch_size)):
        keys = pa.array([frame_id for frame_id, _ in batch], pa.int64())
        vectors = pack(backbone.embed([image for _, image in batch]))
        yield pa.RecordBatch.from_arrays([keys, vectors], schema=VECTOR_SCHEMA)


@dataclass(frozen=True)
class Block:
    """Pictures (n, side, side, 3) that go through the model together, valid until the next block is asked for.

    runs: which job the pictures are of, in order: (job, pictures). ended: jobs of which no picture comes after this
    block, with the error that ended them early, if any. capacity: pictures of a full block.
    """

    pictures: np.ndarray
    runs: Sequence[tuple[int, int]]
    ended: Sequence[tuple[int, str | None]]
    capacity: int


@dataclass(frozen=True)
class EmbeddedPictures:
    """Vectors of some pictures packed as float16, none where `error` says why they could not be read.

    seconds since those before; waited: how many of them the model waited for pictures.
    """

    vectors: pa.Array
    error: str | None
    seconds: float
    waited: float


def blocks_of(jobs: Sequence[PictureJob], pictures: Pictures, *, batch_size: int) -> Iterator[Block]:
    """Pictures of jobs in blocks of `batch_size`, decoded in this thread; a block may hold several jobs' pictures."""
    batch = np.empty((batch_size, pictures.side, pictures.side, 3), np.uint8)
    filled, runs, ended = 0, Runs(), list[tuple[int, str | None]]()
    for number, job in enumerate(jobs):
        error = None
        try:
            for picture in pictures(job):
                batch[filled] = picture
                filled += 1
                runs.add(number)
                if filled == batch_size:
                    yield Block(batch, runs.take(), ended, batch_size)
                    filled, ended = 0, []
        except VIDEO_ERRORS as caught:
            error = str(caught)
        ended.append((number, error))
    if filled or ended:
        yield Block(batch[:filled], runs.take(), ended, batch_size)


class Runs:
    """Of which jobs the pictures of a block are."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []

    def add(self, job: int) -> None:
        """One picture more, of this job."""
        if self._runs and self._runs[-1][0] == job:
            self._runs[-1] = (job, self._runs[-1][1] + 1)
        else:
            self._runs.append((job, 1))

    def take(self) -> list[tuple[int, int]]:
        """The runs so far; begin again."""
        runs, self._runs = self._runs, []
        return runs


def embed_blocks(
    blocks: Iterator[Block],
    sizes: Sequence[Sequence[int]],
    backbone: Backbone,
    clock: Callable[[], float],
) -> Iterator[EmbeddedPictures]:
    """Vectors in order of the jobs, as soon as they are there: sizes [[2, 1], [3]] gives the first two pictures of job
    0, its third, and the three of job 1. Where a job ends early, what it did not come to has its error.
    """
    flow = _Flow(blocks, backbone, len(sizes), clock)
    began = clock()
    for job, parts in enumerate(sizes):
        for size in parts:
            while len(flow.vectors[job]) < size and job not in flow.ended:
                flow.step()
            taken, flow.vectors[job] = flow.vectors[job][:size], flow.vectors[job][size:]
            error = None if len(taken) == size else flow.ended[job] or "it has fewer frames than it had"
            yield EmbeddedPictures(*_packed(taken, error), clock() - began, flow.waited)
            flow.waited, began = 0.0, clock()


class _Flow:
    """Blocks on their way through the model, and the vectors that came out of it."""

    def __init__(
        self, blocks: Iterator[Block], backbone: Backbone, jobs: int, clock: Callable[[], float]
    ) -> None:
        self._blocks, self._backbone, self._clock = blocks, backbone, clock
        self._begun: deque[tuple[Block, Callable[[], np.ndarray]]] = deque()
        self.vectors = [np.empty((0, backbone.dimensions), FLOAT16) for _ in range(jobs)]
        self.ended: dict[int, str | None] = {}
        self.waited = 0.0

    def step(self) -> None:
        """Begin on the next block, and take the vectors of those before it for which there is no more room."""
        asked = self._clock()
        block = next(self._blocks, None)
        self.waited += self._clock() - asked
        if block is None and not self._begun:
            raise RuntimeError("pictures ended before their jobs did; this is a fault of the platform")
        if block is not None:
            self._begun.append((block, self._submitted(block)))
        while len(self._begun) > (0 if block is None else self._backbone.ahead):
            self._take(*self._begun.popleft())

    def _submitted(self, block: Block) -> Callable[[], np.ndarray]:
        if not len(block.pictures):
            return lambda: np.empty((0, self._backbone.dimensions), np.float32)
        return self._backbone.submit(block.pictures, block.capacity)

    def _take(self, block: Block, features: Callable[[], np.ndarray]) -> None:
        with np.errstate(over="ignore"):  # what float16 cannot hold is refused when it is packed
            made = features().astype(FLOAT16)
        at = 0
        for job, count in block.runs:
            self.vectors[job] = np.concatenate([self.vectors[job], made[at : at + count]])
            at += count
        self.ended.update(block.ended)


def _packed(vectors: np.ndarray, error: str | None) -> tuple[pa.Array, str | None]:
    if error is None:
        try:
            return pack(vectors), None
        except ValueError as fault:
            error = str(fault)
    return pack(vectors[:0]), error

"""The work behind the asset `embeddings`: from parts of videos to vectors, on whatever machine.

It pickles, reads storage and no table, and knows neither runs nor assets: `Compute` runs it here, in actors of a
cluster or in a remote job alike. What is to be embedded, and into which slices the vectors go, is the asset's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from al_assets.decoding_points import DecodingPoint
from al_assets.embeddings.backbones import Backbone
from al_assets.embeddings.batching import VECTOR_SCHEMA, Block, blocks_of, embed_blocks
from al_assets.embeddings.configured import configured_recipe, load_configured
from al_assets.embeddings.pictures import VIDEO_ERRORS, PictureJob, Pictures
from al_assets.settings import EmbeddingsSettings
from resources.picture_workers import PictureWorkers, cores
from resources.storage import Storage

WORTH_FRAMES = 3000
"""Frames to decode from which processes are started for it: each takes two seconds to start."""
MOST_DECODERS = 16
ITEM_FRAMES = 4096
"""Frames of an item, about: enough that the decoders' starting and ending at its borders does not tell."""
SHARED_ITEM_FRAMES = 512
"""The same where several workers take items, so that a small run has some for each."""


@dataclass(frozen=True)
class PartTask:
    """Frames of a video that are embedded together.

    number: any number by which the caller knows the part again. keys: frame_ids, indices: frame_index of each,
    ascending. path: the video in storage. images: paths of the stills, one each, for a folder of stills. point: where
    decoding may begin.
    """

    number: int
    path: str
    keys: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    images: tuple[str, ...] = ()
    point: DecodingPoint | None = None

    def follows(self, before: PartTask) -> bool:
        """Whether decoding comes to this part's frames on its way on from those of the part before."""
        same = self.path == before.path and int(before.indices[-1]) < int(self.indices[0])
        return same and (self.point is None or self.point.frame_index <= int(before.indices[-1]))


@dataclass(frozen=True)
class EmbedderFacts:
    """What the table `embedders` says of the embedder that made the vectors."""

    embedder_id: str
    backbone: str
    weights_sha256: str
    dimensions: int


@dataclass(frozen=True)
class EmbeddedPart:
    """Vectors of one part (VECTOR_SCHEMA, ascending), or in `error` why its video could not be read.

    seconds: from the part before it to this one; waited: how many of those the model waited for pictures.
    """

    number: int
    embedder: EmbedderFacts
    vectors: pa.RecordBatch
    error: str | None = None
    seconds: float = 0.0
    waited: float = 0.0
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class EmbeddingWork:
    """Makes the function that embeds: called once in each process that works, where it loads the model.

    That function takes an item, a sequence of parts, and gives each of them back embedded, in order.
    """

    storage: Storage
    settings: EmbeddingsSettings
    worth_frames: int = WORTH_FRAMES

    def __call__(self) -> Callable[[Sequence[PartTask]], Iterator[EmbeddedPart]]:
        """The function; raises UnknownBackboneError and WeightsError."""
        return Embedding(load_configured(self.settings), self.pictures(), self.settings, self.worth_frames)

    def pictures(self) -> Pictures:
        """Reader of the pictures as the backbone takes them, which needs no torch."""
        recipe = configured_recipe(self.settings)
        return Pictures(self.storage, recipe.input_size, recipe.bicubic)


class Embedding:
    """A loaded model and what feeds it: this thread, or processes that decode."""

    def __init__(
        self, backbone: Backbone, pictures: Pictures, settings: EmbeddingsSettings, worth_frames: int
    ) -> None:
        """Made by EmbeddingWork. worth_frames: frames to decode from which processes are started."""
        self._backbone, self._pictures, self._settings = backbone, pictures, settings
        self._worth_frames = worth_frames
        self._workers: PictureWorkers | None = None
        self.facts = EmbedderFacts(
            backbone.embedder_id, backbone.name, backbone.weights_sha256, backbone.dimensions
        )

    def __call__(self, tasks: Sequence[PartTask]) -> Iterator[EmbeddedPart]:
        """Each part embedded, in order; memory holds the vectors of a few."""
        passes = passes_of(tasks)
        sizes = [[len(task.keys) for task in each] for each in passes]
        made = embed_blocks(self._blocks(passes), sizes, self._backbone, perf_counter)
        for task, done in zip(tasks, made, strict=True):
            keys = pa.array(task.keys if done.error is None else [], pa.int64())
            vectors = pa.RecordBatch.from_arrays([keys, done.vectors], schema=VECTOR_SCHEMA)
            notes, self._backbone.notes[:] = tuple(self._backbone.notes), []
            yield EmbeddedPart(task.number, self.facts, vectors, done.error, done.seconds, done.waited, notes)

    def close(self) -> None:
        """End the processes that decode, if any were started; they also end with this object."""
        if self._workers is not None:
            self._workers.close()

    def _blocks(self, passes: Sequence[Sequence[PartTask]]) -> Iterator[Block]:
        jobs = [job_of(each) for each in passes]
        workers = self._ready(jobs)
        if workers is None:
            return blocks_of(jobs, self._pictures, batch_size=self._settings.batch_size)
        sizes = [len(job.indices) for job in jobs]
        shared = workers.blocks(jobs, sizes=sizes, names=[job.path for job in jobs])
        return (Block(each.pictures, each.runs, each.ended, workers.capacity) for each in shared)

    def _ready(self, jobs: Sequence[PictureJob]) -> PictureWorkers | None:
        """The processes that decode, if there are any or it is worth starting them."""
        if self._workers is not None and not self._workers.closed:
            return self._workers
        processes = decoders(self._settings)
        if not processes or sum(job.decoded for job in jobs) < self._worth_frames:
            return None
        side = self._pictures.side
        self._workers = PictureWorkers(
            self._pictures,
            shape=(side, side, 3),
            pictures=self._settings.batch_size,
            processes=processes,
            faults=VIDEO_ERRORS,
        )
        return self._workers


def on_cluster(settings: EmbeddingsSettings, cpus: float) -> EmbeddingsSettings:
    """The settings for a worker that is one of several on a machine: it decodes on the CPUs set aside for it."""
    if settings.decoders >= 0:
        return settings
    return settings.model_copy(update={"decoders": max(0, int(cpus) - 1)})


def decoders(settings: EmbeddingsSettings) -> int:
    """How many processes decode; 0 for none beside this one."""
    if settings.decoders >= 0:
        return settings.decoders
    return max(1, min(MOST_DECODERS, cores() - 1))


def passes_of(tasks: Iterable[PartTask]) -> list[list[PartTask]]:
    """Parts that are decoded in one pass over their video, in order."""
    passes: list[list[PartTask]] = []
    for task in tasks:
        if passes and task.follows(passes[-1][-1]):
            passes[-1].append(task)
        else:
            passes.append([task])
    return passes


def job_of(tasks: Sequence[PartTask]) -> PictureJob:
    """What is to be decoded for the parts of one pass."""
    indices = np.concatenate([task.indices for task in tasks]).tolist()
    images = tuple(image for task in tasks for image in task.images)
    return PictureJob(tasks[0].path, indices, images, tasks[0].point)


def items_of(tasks: Iterable[PartTask], frames: int = ITEM_FRAMES) -> Iterator[tuple[PartTask, ...]]:
    """Parts in groups of about `frames` frames, in order; what is decoded in one pass is in one group."""
    item: list[PartTask] = []
    for task in tasks:
        if sum(len(each.keys) for each in item) >= frames and not task.follows(item[-1]):
            yield tuple(item)
            item = []
        item.append(task)
    if item:
        yield tuple(item)

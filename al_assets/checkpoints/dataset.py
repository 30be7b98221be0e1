"""PyTorch dataset over labels and a reader of frames, safe in workers. No SQL, no storage.

Nothing is loaded up front. A sampler's list of positions arrives whole in `__getitems__` and is answered by one
call of the labels and, as one sorted list of frame keys, one of the reader (asked for in SunbeamDB/cellarr#38
and pytorch#20822). Labels are in memory (ArrayLabels) or in SQL (resources.queries.training_labels.SqlLabels).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, default_collate


class FrameReader(Protocol):
    """Reads frames by key. It must pickle, and opens its connection or files at first use, not before."""

    def vectors(self, frame_ids: Sequence[int]) -> npt.NDArray[np.floating]:
        """Vectors (n, d) in the order of `frame_ids`, which are distinct and ascending."""
        ...

    def images(self, frame_ids: Sequence[int]) -> list[npt.NDArray[np.uint8]]:
        """RGB images (h, w, 3) in the order of `frame_ids`, which are distinct and ascending."""
        ...


class Labels(Protocol):
    """What was said of which frame, by position. It must pickle, and shares no open handle with a forked worker."""

    def __len__(self) -> int:
        """Number of frames."""
        ...

    def at(
        self, positions: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """Frames at (n,) positions: (n,) frame_ids, (n, k) targets 1, 0 or -1 for not judged, (n,) weights.

        Positions count as in a list; IndexError beyond either end.
        """
        ...


class ArrayLabels:
    """Labels in memory: frame_ids (n,) int64, targets (n, k) int8, weights (n,) or None for 1."""

    def __init__(
        self,
        frame_ids: npt.NDArray[np.int64] | Sequence[int],
        targets: npt.NDArray[np.int8],
        weights: npt.NDArray[np.floating] | None = None,
    ) -> None:
        """Raises ValueError where lengths differ."""
        self.frame_ids = np.asarray(frame_ids, dtype=np.int64)
        self.targets = np.asarray(targets, dtype=np.int8)
        given = np.ones(len(self.frame_ids)) if weights is None else weights
        self.weights = np.asarray(given, dtype=np.float32)
        if self.frame_ids.ndim != 1 or not len(self.frame_ids) == len(self.targets) == len(self.weights):
            lengths = (len(self.frame_ids), len(self.targets), len(self.weights))
            raise ValueError(f"frame_ids, targets and weights must be of one length, got {lengths}")

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frame_ids)

    def at(
        self, positions: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """Frames at (n,) positions: frame_ids, targets, weights."""
        return self.frame_ids[positions], self.targets[positions], self.weights[positions]


class Sample(NamedTuple):
    """One frame, or a collated mini-batch of frames."""

    inputs: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


def collate(samples: list[Sample]) -> Sample:
    """A mini-batch, for `DataLoader(collate_fn=collate)`: as by default, but images as they come are not reordered.

    Decoded pixels lie channels last; a batch that stays so (n, 3, h, w, strides of torch.channels_last) is one
    plain copy, which takes half the time of PyTorch's own.
    """
    first = samples[0].inputs
    if first.ndim != 3 or first.is_contiguous():
        return cast(Sample, default_collate(samples))
    inputs, targets, weights = zip(*samples, strict=True)
    images = default_collate([image.permute(1, 2, 0) for image in inputs]).permute(0, 3, 1, 2)
    return Sample(images, default_collate(list(targets)), default_collate(list(weights)))


class FrameDataset(Dataset[Sample]):
    """Map-style dataset of frames.

    `what` chooses vectors (d,) in the dtype of the reader, or images as uint8 (3, h, w); `transform` is applied
    to each of them and must pickle for workers. dataset[2] is the third frame of the labels; a DataLoader of
    batch_size 32 calls labels and reader once for each 32. Draw long label lists with
    `shuffle.ShuffledPositions`: `DataLoader(shuffle=True)` makes a Python list of all positions.
    """

    def __init__(
        self,
        reader: FrameReader,
        labels: Labels,
        *,
        what: Literal["vectors", "images"] = "vectors",
        transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        """Raises TypeError for a reader that does not pickle."""
        self.labels, self.what, self.transform = labels, what, transform
        try:
            self._pickled = pickle.dumps(reader)
        except Exception as error:
            raise TypeError(
                f"the reader does not pickle ({error}); open its connection at first use"
            ) from error
        self._reader: FrameReader | None = reader
        self._inherited: FrameReader | None = None
        self._owner = os.getpid()

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.labels)

    def __getitem__(self, position: int) -> Sample:
        """The frame at a position, at the cost of queries of its own."""
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: Sequence[int]) -> list[Sample]:
        """The frames at positions, in their order, by one call of labels and reader each; repeats are read once."""
        frame_ids, targets, weights = self.labels.at(np.asarray(positions, dtype=np.int64))
        keys, places = np.unique(frame_ids, return_inverse=True)
        asked = keys.tolist()
        read = self._read(asked)
        if len(read) != len(asked):
            raise LookupError(f"asked for {len(asked)} {self.what} from frame {asked[0]} on, got {len(read)}")
        inputs = self._prepare(read, places.tolist())
        columns = inputs, torch.from_numpy(targets).unbind(), torch.from_numpy(weights).unbind()
        return [Sample(*sample) for sample in zip(*columns, strict=True)]

    def __getstate__(self) -> dict[str, Any]:
        """What travels to a spawned worker: labels and the unopened reader."""
        return {**self.__dict__, "_reader": None, "_inherited": None}

    def _read(self, frame_ids: list[int]) -> Sequence[Any] | npt.NDArray[Any]:
        reader = self._own_reader()
        return reader.vectors(frame_ids) if self.what == "vectors" else reader.images(frame_ids)

    def _own_reader(self) -> FrameReader:
        """This process's reader.

        A forked worker inherits open handles that it must neither use nor close (SQLite corrupts, PostgreSQL
        mixes answers: bionemo-recipes#1114), so it opens a copy of its own and keeps the inherited one
        untouched.
        """
        if self._reader is None or self._owner != os.getpid():
            self._inherited = self._reader
            self._reader, self._owner = pickle.loads(self._pickled), os.getpid()
        return self._reader

    def _prepare(self, read: Any, places: list[int]) -> list[torch.Tensor]:
        """A tensor for each place in what was read, none shared by two places: a transform may work in place."""
        if self.what == "vectors":
            frames = list(torch.from_numpy(np.array(read)).unbind())
        else:
            images = [np.require(image, requirements="W") for image in read]
            frames = [torch.from_numpy(image).permute(2, 0, 1) for image in images]
        repeated = len(places) > len(frames)
        tensors = [frames[place].clone() if repeated else frames[place] for place in places]
        return tensors if self.transform is None else [self.transform(tensor) for tensor in tensors]

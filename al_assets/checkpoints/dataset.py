"""PyTorch dataset over a reader of frames: one query a mini-batch, safe in workers. No SQL, no storage.

Nothing is loaded up front. A sampler's list of positions arrives whole in `__getitems__`, becomes one sorted
list of frame keys, and is answered by one call of the reader (asked for in SunbeamDB/cellarr#38 and
pytorch#20822).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset


class FrameReader(Protocol):
    """Reads frames by key. It must pickle, and opens its connection or files at first use, not before."""

    def vectors(self, frame_ids: Sequence[int]) -> npt.NDArray[np.floating]:
        """Vectors (n, d) in the order of `frame_ids`, which are distinct and ascending."""
        ...

    def images(self, frame_ids: Sequence[int]) -> list[npt.NDArray[np.uint8]]:
        """RGB images (h, w, 3) in the order of `frame_ids`, which are distinct and ascending."""
        ...


class Sample(NamedTuple):
    """One frame, or a collated mini-batch of frames."""

    inputs: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


class FrameDataset(Dataset[Sample]):
    """Map-style dataset of frames.

    frame_ids: (n,) int64; targets: (n, k) int8; weights: (n,) or None for 1. `what` chooses vectors (d,) in
    the dtype of the reader, or images as uint8 (3, h, w); `transform` is applied to each of them and must
    pickle for workers. dataset[2] is the frame frame_ids[2]; a DataLoader of batch_size 32 calls the reader
    once for each 32.
    """

    def __init__(
        self,
        reader: FrameReader,
        frame_ids: npt.NDArray[np.int64] | Sequence[int],
        targets: npt.NDArray[np.int8],
        weights: npt.NDArray[np.floating] | None = None,
        *,
        what: Literal["vectors", "images"] = "vectors",
        transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        """Raises ValueError where lengths differ and TypeError for a reader that does not pickle."""
        self.frame_ids = np.asarray(frame_ids, dtype=np.int64)
        self.targets = torch.from_numpy(np.array(targets, dtype=np.int8))
        self.weights = (
            torch.ones(len(self.frame_ids)) if weights is None else torch.tensor(np.float32(weights))
        )
        if self.frame_ids.ndim != 1 or not len(self.frame_ids) == len(self.targets) == len(self.weights):
            lengths = (len(self.frame_ids), len(self.targets), len(self.weights))
            raise ValueError(f"frame_ids, targets and weights must be of one length, got {lengths}")
        self.what, self.transform = what, transform
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
        return len(self.frame_ids)

    def __getitem__(self, position: int) -> Sample:
        """The frame at a position, at the cost of a query of its own."""
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: Sequence[int]) -> list[Sample]:
        """The frames at positions, in their order, by one call of the reader; repeats are read once."""
        chosen = np.asarray(positions, dtype=np.int64)
        keys, place = np.unique(self.frame_ids[chosen], return_inverse=True)
        asked = keys.tolist()
        read = self._read(asked)
        if len(read) != len(asked):
            raise LookupError(f"asked for {len(asked)} {self.what} from frame {asked[0]} on, got {len(read)}")
        inputs = self._prepare(read, place.tolist())
        return [
            Sample(one, self.targets[at], self.weights[at])
            for one, at in zip(inputs, chosen.tolist(), strict=True)
        ]

    def __getstate__(self) -> dict[str, Any]:
        """What travels to a spawned worker: keys, targets and the unopened reader."""
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
        """A tensor for each place in what was read; vectors are views of one copy of the block."""
        if self.what == "vectors":
            block = torch.from_numpy(np.array(read)).unbind()
            tensors = [block[place] for place in places]
        else:
            tensors = [torch.from_numpy(np.array(read[place])).permute(2, 0, 1) for place in places]
        return tensors if self.transform is None else [self.transform(tensor) for tensor in tensors]

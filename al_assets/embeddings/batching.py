"""Streams frames through a backbone in batches. Where frames come from and vectors go is not known here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import pyarrow as pa

from al_assets.embeddings.backbones import Backbone
from al_assets.embeddings.vectors import pack

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

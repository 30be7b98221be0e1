"""A block of vectors becomes rows of `frame_scores` and `predictions`. No reading, no writing.

Everything is array arithmetic over the block; there is no loop over frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from al_assets.checkpoints.heads import Head, VectorError
from al_assets.predictions.ranking import TOP, Ranked, rank

FRAME_SCORE_SCHEMA = pa.schema(
    [
        pa.field("checkpoint_id", pa.string(), nullable=False),
        pa.field("frame_id", pa.int64(), nullable=False),
        pa.field("top_class_id", pa.int32(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("runner_up_class_id", pa.int32()),
        pa.field("margin", pa.float32(), nullable=False),
        pa.field("entropy", pa.float32(), nullable=False),
        pa.field("top_five", pa.binary(), nullable=False),
    ]
)
PREDICTION_SCHEMA = pa.schema(
    [
        pa.field("checkpoint_id", pa.string(), nullable=False),
        pa.field("frame_id", pa.int64(), nullable=False),
        pa.field("instance", pa.int32(), nullable=False),
        pa.field("class_id", pa.int32(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        *(pa.field(f"box_{side}", pa.float32()) for side in ("x", "y", "width", "height")),
    ]
)
_ENTRY = np.dtype([("class_id", "<i4"), ("probability", "<f4")])


def score_block(
    head: Head, frame_ids: npt.NDArray[np.int64], vectors: npt.NDArray[np.floating], checkpoint_id: str
) -> tuple[pa.Table, pa.Table]:
    """(frame_scores, predictions) of frames with vectors (n, d), float16 or float32, in the order given.

    single-label: one prediction a frame, its likeliest class. multi-label: one for each class at or over its
    threshold, most confident first, so a frame may have none. Equal logits go to the class that comes first in the
    head. Raises VectorError naming the frames whose vectors hold NaN or infinity, and where vectors and frame_ids or
    the head do not fit.
    """
    keys = np.asarray(frame_ids, dtype=np.int64)
    if keys.shape != (len(vectors),):
        raise VectorError(f"{len(keys)} frame_ids for {len(vectors)} vectors")
    head.check_width(vectors)
    ranked = rank(head, vectors)
    if ranked is None:
        raise _unscorable(head, keys, vectors)
    class_ids = np.asarray(head.class_ids, dtype=np.int32)
    scores = _frame_scores(keys, class_ids[ranked.classes], ranked, checkpoint_id)
    if head.task == "single_label":
        return scores, _predictions(
            keys,
            np.zeros(len(keys)),
            class_ids[ranked.classes[:, 0]],
            ranked.probabilities[:, 0],
            checkpoint_id,
        )
    rows = ranked.present_rows
    firsts = np.searchsorted(rows, rows, side="left")
    return scores, _predictions(
        keys[rows],
        np.arange(len(rows)) - firsts,
        class_ids[ranked.present_classes],
        ranked.present_probabilities,
        checkpoint_id,
    )


def _unscorable(head: Head, keys: npt.NDArray[np.int64], vectors: npt.NDArray[np.floating]) -> VectorError:
    """What is wrong with a block of which some logits are not finite, with the frames named."""
    try:
        head.logits(vectors)
    except VectorError as error:
        named = ", ".join(str(keys[row]) for row in error.rows[:5]) + (", …" if len(error.rows) > 5 else "")
        return VectorError(
            f"{len(error.rows)} vectors hold NaN or infinity: frames {named}; embed these frames again",
            error.rows,
        )
    return VectorError("the head's answers are not finite; train it again")


def _frame_scores(
    keys: npt.NDArray[np.int64], classes: npt.NDArray[np.int32], ranked: Ranked, checkpoint_id: str
) -> pa.Table:
    n, k = classes.shape
    columns = [
        _constant(checkpoint_id, n),
        pa.array(keys),
        pa.array(classes[:, 0]),
        pa.array(ranked.probabilities[:, 0]),
        pa.array(classes[:, 1]) if k > 1 else pa.nulls(n, pa.int32()),
        pa.array(ranked.margin),
        pa.array(ranked.entropy),
        pack_top_five(classes, ranked.probabilities),
    ]
    return pa.Table.from_arrays(columns, schema=FRAME_SCORE_SCHEMA)


def _predictions(
    keys: npt.NDArray[np.int64],
    instances: npt.NDArray[Any],
    classes: npt.NDArray[np.int32],
    confidences: npt.NDArray[np.float32],
    checkpoint_id: str,
) -> pa.Table:
    columns = [
        _constant(checkpoint_id, len(keys)),
        pa.array(keys),
        pa.array(instances.astype(np.int32)),
        pa.array(classes),
        pa.array(confidences),
        *(pa.nulls(len(keys), pa.float32()) for _ in range(4)),
    ]
    return pa.Table.from_arrays(columns, schema=PREDICTION_SCHEMA)


def pack_top_five(classes: npt.NDArray[np.int32], probabilities: npt.NDArray[np.float32]) -> pa.Array:
    """Binary column: the first five of ranked classes (n, k) with their probabilities, 8 bytes each.

    Each entry is a little-endian int32 class_id and a float32 probability, likeliest first; a model of three
    classes has three entries.
    """
    n, width = len(classes), min(TOP, classes.shape[1])
    entries = np.empty((n, width), dtype=_ENTRY)
    entries["class_id"], entries["probability"] = classes[:, :width], probabilities[:, :width]
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(width * _ENTRY.itemsize)
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(entries.tobytes())]
    return pa.Array.from_buffers(pa.binary(), n, buffers)


def unpack_top_five(packed: bytes) -> list[tuple[int, float]]:
    """[(class_id, probability), ...] of one frame, likeliest first. Raises ValueError for other bytes."""
    if len(packed) % _ENTRY.itemsize:
        raise ValueError(f"top_five has {len(packed)} bytes, not a multiple of {_ENTRY.itemsize}")
    entries = np.frombuffer(packed, dtype=_ENTRY)
    return [(int(entry["class_id"]), float(entry["probability"])) for entry in entries]


def _constant(value: str, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), n)

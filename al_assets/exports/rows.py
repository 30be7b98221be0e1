"""Rows of the tables with the names that files show: videos, sites, classes. No file, no format, no query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from al_assets.keys import frame_index_of, video_no_of

_UTC = pa.timestamp("us", "UTC")
_FRAME = [
    pa.field("frame_id", pa.int64(), nullable=False),
    pa.field("video_id", pa.string(), nullable=False),
    pa.field("video_path", pa.string(), nullable=False),
    pa.field("frame_index", pa.int32(), nullable=False),
    pa.field("image_path", pa.string()),
    pa.field("pts_ms", pa.int64(), nullable=False),
    pa.field("width", pa.int32(), nullable=False),
    pa.field("height", pa.int32(), nullable=False),
    pa.field("site", pa.string()),
    pa.field("camera", pa.string()),
    pa.field("recorded_at", _UTC),
]
_BOX = [pa.field(f"box_{side}", pa.float32()) for side in ("x", "y", "width", "height")]
BOX = tuple(field.name for field in _BOX)

ANNOTATIONS = pa.schema(
    [
        *_FRAME,
        pa.field("class_id", pa.int32(), nullable=False),
        pa.field("class_name", pa.string(), nullable=False),
        pa.field("present", pa.bool_(), nullable=False),
        *_BOX,
        pa.field("agreement", pa.float64(), nullable=False),
        pa.field("annotators", pa.int32(), nullable=False),
        pa.field("annotation_id", pa.int64(), nullable=False),
        pa.field("annotated_at", _UTC),
    ]
)
"""One row per frame and class that was judged, present or absent; boxes are fractions of the frame."""

PREDICTIONS = pa.schema(
    [
        *_FRAME,
        pa.field("checkpoint_id", pa.string(), nullable=False),
        pa.field("instance", pa.int32()),
        pa.field("class_id", pa.int32()),
        pa.field("class_name", pa.string()),
        pa.field("confidence", pa.float32()),
        *_BOX,
    ]
)
"""One row per predicted instance; a scored frame on which the model sees no class has one row without a class."""


@dataclass(frozen=True)
class Names:
    """What keys stand for.

    videos: video_no, video_id, path, kind, site, camera, recorded_at of the videos that are part of the archive.
    classes: class_id, shown_class_id (itself, or what it was merged into), name of the shown class.
    """

    videos: pa.Table
    classes: pa.Table

    def __post_init__(self) -> None:
        for name in ("videos", "classes"):
            object.__setattr__(self, name, getattr(self, name).combine_chunks())


def with_names(batch: pa.RecordBatch, names: Names, schema: pa.Schema, **constants: Any) -> pa.RecordBatch:
    """Rows of `schema` from rows of keys; rows of videos or classes that are not among the names are left out.

    batch: frame_id, pts_ms, width, height, image_path, class_id and the schema's own columns. constants: columns
    that have the same value in every row.
    """
    numbers = pa.array(video_no_of(batch.column("frame_id").to_numpy()))
    video = pc.index_in(numbers, names.videos["video_no"].cast(pa.int64()))
    shown = pc.index_in(batch.column("class_id"), names.classes["class_id"].cast(pa.int32()))
    # A class that the table does not have would pass for none.
    known = pc.and_(video.is_valid(), pc.or_(shown.is_valid(), batch.column("class_id").is_null()))
    batch, video, shown = batch.filter(known), video.filter(known), shown.filter(known)
    found: dict[str, pa.Array] = {
        **{name: batch.column(name) for name in batch.schema.names},
        **{name: pa.repeat(pa.scalar(value), batch.num_rows) for name, value in constants.items()},
        **{name: _taken(names.videos[name], video) for name in ("video_id", "site", "camera", "recorded_at")},
        "video_path": _taken(names.videos["path"], video),
        "frame_index": pa.array(frame_index_of(batch.column("frame_id").to_numpy())),
        "class_id": _taken(names.classes["shown_class_id"], shown),
        "class_name": _taken(names.classes["name"], shown),
    }
    columns = [_typed(found[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def whole_frames(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, ordered by frame_id, cut so that all rows of a frame are in one batch."""
    held: pa.RecordBatch | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        if held is not None:
            batch = pa.concat_batches([held, batch])
        keys = batch.column("frame_id").to_numpy()
        cut = int(np.searchsorted(keys, keys[-1]))
        if cut:
            yield batch.slice(0, cut)
        held = batch.slice(cut)
    if held is not None:
        yield held


def one_row_a_class(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Annotation rows, one a frame and class: of classes that were merged into one, present outranks absent.

    Of equals the one that more people judged is kept. batch: whole frames, ordered by frame_id.
    """
    keys, classes = batch.column("frame_id").to_numpy(), batch.column("class_id").to_numpy()
    present = batch.column("present").to_numpy(zero_copy_only=False)
    annotators = batch.column("annotators").to_numpy()
    order = np.lexsort((-annotators, ~present, classes, keys))
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(keys[order]) != 0) | (np.diff(classes[order]) != 0)
    return batch.take(pa.array(order[first]))


def frame_starts(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """(frames,) position of each frame's first row."""
    keys = batch.column("frame_id").to_numpy()
    return np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.empty(0, np.int64)


def _taken(values: pa.ChunkedArray, positions: pa.Array) -> pa.Array:
    found = values.take(positions)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _typed(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(kind) and not pa.types.is_boolean(values.type):
        return pc.not_equal(values, 0)
    if kind == _UTC and pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp("us")).cast(_UTC)
    return values.cast(kind)

"""`al export`: labels or predictions of one state of the archive as a file. Layouts live in exports/.

The state is read twice, for the snapshot's id that stands at the head of the file and then for the rows; both
passes see the same rows and hold one batch of them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, get_args

import pyarrow as pa
import pyarrow.compute as pc

from al_assets.exports.coco_file import CocoFile
from al_assets.exports.csv_file import AnnotationCsv, PredictionCsv
from al_assets.exports.parquet_file import ParquetFile
from al_assets.exports.rows import (
    ANNOTATIONS,
    PREDICTIONS,
    Names,
    frame_starts,
    one_row_a_class,
    whole_frames,
    with_names,
)
from al_assets.exports.snapshot import Kind, Snapshot
from resources.archive import Archive
from resources.content_hash import ContentHash
from resources.new_file import new_file
from resources.pixels import still_path
from resources.queries.exports import ExportState, open_state

Format = Literal["coco", "csv", "parquet"]
FORMATS: tuple[str, ...] = get_args(Format)
EXPORT_BITS = 32
"""annotation_id is export_id * 2**32 + position."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to export. checkpoint_id: of predictions, None for the serving one; site and video_id narrow it down."""

    kind: Kind
    format: Format
    output: Path
    checkpoint_id: str | None = None
    site: str | None = None
    video_id: str | None = None
    replace: bool = False


@dataclass(frozen=True)
class _Source:
    """Rows of one state, as often as they are asked for: whole frames in order of frame_id."""

    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]
    classes: dict[int, str]
    """Classes that the rows may name; for annotations those found while reading are added."""
    checkpoint_id: str | None = None


class _Writer(Protocol):
    def add(self, batch: pa.RecordBatch) -> None: ...


def export(archive: Archive, wish: Wish) -> Snapshot:
    """Write the file, whole or not at all. Raises NothingToExportError, StorageError."""
    if wish.format not in FORMATS:
        raise ValueError(f"there is no format {wish.format!r}; choose one of {', '.join(FORMATS)}")
    with new_file(wish.output, replace=wish.replace) as part, open_state(archive.database) as state:
        source = _annotations(state, wish) if wish.kind == "annotations" else _predictions(state, wish)
        snapshot = _survey(state, source, wish)
        with part.open("wb") as sink:
            _write(sink, wish, source, snapshot)
    return snapshot


def _annotations(state: ExportState, wish: Wish) -> _Source:
    names, video_no = _names(state, wish)
    undone = pa.array(state.undone_exports(), pa.int64())

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in whole_frames(state.labels(video_no)):
            export_id = pc.shift_right(batch.column("annotation_id"), EXPORT_BITS)
            standing = batch.filter(pc.invert(pc.is_in(export_id, undone)))
            yield one_row_a_class(with_names(standing, names, ANNOTATIONS))

    return _Source(ANNOTATIONS, batches, {})


def _predictions(state: ExportState, wish: Wish) -> _Source:
    checkpoint_id, told = state.checkpoint(wish.checkpoint_id)
    names, video_no = _names(state, wish)
    shown = {row["class_id"]: (row["shown_class_id"], row["name"]) for row in names.classes.to_pylist()}

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in whole_frames(state.predictions(checkpoint_id, video_no)):
            yield with_names(batch, names, PREDICTIONS, checkpoint_id=checkpoint_id)

    classes = dict(shown[class_id] for class_id in json.loads(told) if class_id in shown)
    return _Source(PREDICTIONS, batches, classes, checkpoint_id)


def _names(state: ExportState, wish: Wish) -> tuple[Names, int | None]:
    videos = state.videos(wish.site, wish.video_id)
    return Names(videos, state.classes()), None if wish.video_id is None else videos["video_no"][0].as_py()


def _survey(state: ExportState, source: _Source, wish: Wish) -> Snapshot:
    """The first pass: what is there, and its id."""
    content, frames = ContentHash(source.schema), 0
    for batch in source.batches():
        content.update(batch)
        frames += len(frame_starts(batch))
        for row in _distinct(batch):
            source.classes[row["class_id"]] = row["class_name"]
    newest = state.newest_write()
    filters = {"site": wish.site, "video_id": wish.video_id}
    return Snapshot(
        kind=wish.kind,
        content_hash=content.hexdigest(),
        rows=content.rows,
        frames=frames,
        classes=dict(sorted(source.classes.items())),
        checkpoint_id=source.checkpoint_id,
        filters={name: value for name, value in filters.items() if value is not None},
        materialization_id=newest[0] if newest else None,
        as_of=newest[1] if newest else None,
    )


def _distinct(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    table = pa.Table.from_batches([batch.select(["class_id", "class_name"])])
    named = table.group_by(["class_id", "class_name"]).aggregate([]).to_pylist()
    return (row for row in named if row["class_id"] is not None)


def _write(sink: BinaryIO, wish: Wish, source: _Source, snapshot: Snapshot) -> None:
    if wish.format == "coco":
        with (
            tempfile.TemporaryFile(dir=wish.output.parent) as scratch,
            CocoFile(sink, scratch, snapshot, still_path) as coco,
        ):
            _fill(coco, source)
    elif wish.format == "parquet":
        with ParquetFile(sink, snapshot, source.schema) as parquet:
            _fill(parquet, source)
    else:
        with (AnnotationCsv if wish.kind == "annotations" else PredictionCsv)(sink, snapshot) as csv:
            _fill(csv, source)


def _fill(writer: _Writer, source: _Source) -> None:
    for batch in source.batches():
        writer.add(batch)

"""Rows as CSV: labels in the form that our own importer reads, predictions in a form that it refuses.

Reading is labels/formats/csv_rows.py. Text that a spreadsheet would run as a formula is written behind an
apostrophe, which that importer takes away again.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from al_assets.exports.rows import BOX, frame_starts
from al_assets.exports.snapshot import Snapshot
from al_assets.labels.formats.csv_cells import FORMULA, JUDGED

ANNOTATOR = "consensus"
_SIDES = ("x", "y", "width", "height")
_FRAME = [("video_id", pa.string()), ("frame_index", pa.int32()), ("image", pa.string())]
_BOX = [(side, pa.float32()) for side in _SIDES]
_KNOWN = [
    ("video_path", pa.string()),
    ("pts_ms", pa.int64()),
    ("site", pa.string()),
    ("camera", pa.string()),
    ("recorded_at", pa.string()),
    ("snapshot", pa.string()),
]
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class CsvFile(ABC):
    """A CSV file with a header; the last column of every row is the snapshot's id."""

    SCHEMA: ClassVar[pa.Schema]

    def __init__(self, sink: BinaryIO, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._writer = csv.CSVWriter(sink, self.SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    @abstractmethod
    def add(self, batch: pa.RecordBatch) -> None:
        """Write rows: whole frames, ordered by frame_id."""

    def _write(self, batch: pa.RecordBatch, columns: dict[str, pa.Array]) -> None:
        """Write the columns, and with them what is known of the frame."""
        still = batch.column("image_path")
        found = {
            "video_id": batch.column("video_id"),
            # A folder of stills in another archive may number its images otherwise, so they go by their name.
            "frame_index": pc.if_else(still.is_null(), batch.column("frame_index"), None),
            "image": still,
            **{side: batch.column(name) for side, name in zip(_SIDES, BOX, strict=True)},
            **{name: batch.column(name) for name in ("video_path", "pts_ms", "site", "camera")},
            "recorded_at": pc.strftime(batch.column("recorded_at"), _TIME),
            "snapshot": pa.repeat(self._snapshot.id, batch.num_rows),
            **columns,
        }
        arrays = [_safe(found[field.name]).cast(field.type) for field in self.SCHEMA]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self.SCHEMA))


class AnnotationCsv(CsvFile):
    """A label export: a row per class that is present; a frame on which every judged class is absent says nobody.

    The column `judged_classes` lists what was judged where that is less than every class of the file, and on the
    first frame, so that a class that is nowhere present is known too.
    """

    SCHEMA = pa.schema(
        [
            *_FRAME,
            ("label", pa.string()),
            ("annotator", pa.string()),
            ("annotated_at", pa.string()),
            *_BOX,
            (JUDGED, pa.string()),
            ("agreement", pa.float64()),
            ("annotators", pa.int32()),
            *_KNOWN,
        ]
    )

    def __init__(self, sink: BinaryIO, snapshot: Snapshot) -> None:
        super().__init__(sink, snapshot)
        self._class_ids = np.array(sorted(snapshot.classes), np.int64)
        self._names = np.array([snapshot.classes[int(key)] for key in self._class_ids], object)
        self._begun = False

    def add(self, batch: pa.RecordBatch) -> None:
        """Write rows of ANNOTATIONS: whole frames, ordered by frame_id."""
        starts = frame_starts(batch)
        if not len(starts):
            return
        present = batch.column("present").to_numpy(zero_copy_only=False)
        seen = np.logical_or.reduceat(present, starts)
        judged = np.repeat(self._judged(batch, starts), np.diff(np.r_[starts, batch.num_rows]))
        shown = present.copy()
        shown[starts] |= ~seen
        rows = batch.filter(pa.array(shown))
        here = pa.array(present[shown])
        self._write(
            rows,
            {
                "label": pc.if_else(here, rows.column("class_name"), None),
                **{
                    side: pc.if_else(here, rows.column(name), None)
                    for side, name in zip(_SIDES, BOX, strict=True)
                },
                "annotator": pa.repeat(ANNOTATOR, rows.num_rows),
                "annotated_at": pc.strftime(rows.column("annotated_at"), _TIME),
                JUDGED: pa.array(judged[shown], pa.string()),
                "agreement": rows.column("agreement"),
                "annotators": rows.column("annotators"),
            },
        )

    def _judged(self, batch: pa.RecordBatch, starts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """(frames,) the classes judged on each frame as JSON, None where all of them were."""
        frame = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, batch.num_rows]))
        matrix = np.zeros((len(starts), len(self._class_ids)), np.bool_)
        matrix[frame, np.searchsorted(self._class_ids, batch.column("class_id").to_numpy())] = True
        patterns, which = np.unique(matrix, axis=0, return_inverse=True)
        whole = [bool(pattern.all()) for pattern in patterns]
        texts = [
            json.dumps(list(self._names[pattern]), ensure_ascii=False) if not every else None
            for pattern, every in zip(patterns, whole, strict=True)
        ]
        found = np.array(texts, object)[which.reshape(-1)]
        if not self._begun:
            found[0] = json.dumps(list(self._names[matrix[0]]), ensure_ascii=False)
            self._begun = True
        return found


class PredictionCsv(CsvFile):
    """A row per predicted instance, and one without a class for a scored frame that shows none.

    The class is in `class_name` and there is no `label`: dropped into label_exports/ by mistake, the model's
    guesses must not become people's word.
    """

    SCHEMA = pa.schema(
        [
            *_FRAME,
            ("checkpoint_id", pa.string()),
            ("instance", pa.int32()),
            ("class_name", pa.string()),
            ("confidence", pa.float32()),
            *_BOX,
            *_KNOWN,
        ]
    )

    def add(self, batch: pa.RecordBatch) -> None:
        """Write rows of PREDICTIONS."""
        if batch.num_rows:
            own = ("checkpoint_id", "instance", "class_name", "confidence")
            self._write(batch, {name: batch.column(name) for name in own})


def _safe(column: pa.Array) -> pa.Array:
    """Text that no spreadsheet runs."""
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(
        pc.match_substring_regex(column, FORMULA), pc.binary_join_element_wise("'", column, ""), column
    )

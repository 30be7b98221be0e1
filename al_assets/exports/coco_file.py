"""Rows as one COCO file, written piece by piece: nothing of it is held but the frame at hand.

The layout is that of cocodataset.org (images, annotations with bbox in pixels, categories). Where no box was drawn
the annotation belongs to the whole image and has no bbox, as in COCO Camera Traps
(lila.science/coco-camera-traps); images list what was judged absent as LVIS does
(`neg_category_ids`, lvisdataset.org/dataset). A box around the whole frame would claim what nobody said.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import pairwise
from types import TracebackType
from typing import Any, BinaryIO, Self

import pyarrow as pa

from al_assets.exports.rows import BOX, frame_starts
from al_assets.exports.snapshot import Snapshot

FORMAT_VERSION = "1.0"
_FRAME = ("frame_id", "video_id", "video_path", "frame_index", "image_path", "pts_ms", "width", "height")
_PLACE = ("site", "camera", "recorded_at")


class CocoFile:
    """Writes images as they come and annotations into `scratch`, which follows them when the file is closed.

    sink, scratch: binary files, empty; scratch is read back. still: path of a video frame's still under the storage
    root, given video_id and frame_index.
    """

    def __init__(
        self, sink: BinaryIO, scratch: BinaryIO, snapshot: Snapshot, still: Callable[[str, int], str]
    ) -> None:
        self._sink, self._scratch, self._still = sink, scratch, still
        self._images = self._annotations = 0
        as_of = snapshot.as_of
        info = {
            "description": f"{snapshot.kind} exported from an active-learning archive",
            "version": FORMAT_VERSION,
            **({} if as_of is None else {"year": as_of.year, "date_created": f"{as_of:%Y-%m-%d %H:%M:%S}"}),
            "snapshot": snapshot.told(),
        }
        categories = [{"id": key, "name": name} for key, name in sorted(snapshot.classes.items())]
        self._put(sink, b'{\n"info": ', info)
        self._put(sink, b',\n"categories": ', categories)
        sink.write(b',\n"images": [')

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            return
        self._sink.write(b'\n],\n"annotations": [')
        self._scratch.seek(0)
        shutil.copyfileobj(self._scratch, self._sink)
        self._sink.write(b"\n]\n}\n")

    def add(self, batch: pa.RecordBatch) -> None:
        """Write rows of ANNOTATIONS or PREDICTIONS: whole frames, ordered by frame_id."""
        human = "present" in batch.schema.names
        own = (
            ("present", "agreement", "annotators", "annotation_id")
            if human
            else ("confidence", "checkpoint_id")
        )
        rows = batch.select([*_FRAME, *_PLACE, "class_id", *BOX, *own]).to_pylist()
        starts = [*frame_starts(batch).tolist(), len(rows)]
        for start, stop in pairwise(starts):
            frame = rows[start:stop]
            absent = [row["class_id"] for row in frame if human and not row["present"]]
            self._image(frame[0], absent if human else None)
            for row in frame:
                if row["class_id"] is not None and row.get("present", True):
                    self._annotation(row)

    def _image(self, row: Mapping[str, Any], absent: list[int] | None) -> None:
        image: dict[str, Any] = {
            "id": row["frame_id"],
            "file_name": f"videos/{row['image_path']}"
            if row["image_path"] is not None
            else self._still(row["video_id"], row["frame_index"]),
            "width": row["width"],
            "height": row["height"],
            "video_id": row["video_id"],
            "video_path": row["video_path"],
            "frame_index": row["frame_index"],
            "pts_ms": row["pts_ms"],
        }
        if row["site"] is not None:
            image["location"] = row["site"]
        if row["camera"] is not None:
            image["camera"] = row["camera"]
        if row["recorded_at"] is not None:
            at = row["recorded_at"] + timedelta(milliseconds=row["pts_ms"])
            image["datetime"] = f"{at:%Y-%m-%d %H:%M:%S}"
        if absent is not None:
            image["neg_category_ids"] = absent
        self._put(self._sink, b",\n" if self._images else b"\n", image)
        self._images += 1

    def _annotation(self, row: Mapping[str, Any]) -> None:
        annotation: dict[str, Any] = {
            "id": self._annotations + 1,
            "image_id": row["frame_id"],
            "category_id": row["class_id"],
        }
        x, y, width, height = (row[name] for name in BOX)
        if x is not None:
            across, down = row["width"], row["height"]
            box = [round(side, 3) for side in (x * across, y * down, width * across, height * down)]
            annotation |= {"bbox": box, "area": round(box[2] * box[3], 3), "iscrowd": 0}
        if "confidence" in row:
            annotation |= {"score": round(row["confidence"], 6), "checkpoint_id": row["checkpoint_id"]}
        else:
            annotation |= {name: row[name] for name in ("agreement", "annotators", "annotation_id")}
        self._put(self._scratch, b",\n" if self._annotations else b"\n", annotation)
        self._annotations += 1

    @staticmethod
    def _put(target: BinaryIO, before: bytes, value: Any) -> None:
        target.write(before + json.dumps(value, ensure_ascii=False, allow_nan=False).encode())

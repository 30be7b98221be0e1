"""Small archives as rows: every test states the values it is about, the rest is filled in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from al_assets.keys import frame_id
from resources.database import Database
from resources.tables import metadata
from support import tsql

NOW = datetime(2026, 5, 1, 12)
_FILLERS = {int: 0, float: 0.0, str: "", bytes: b"", datetime: NOW}


class ArchiveRows:
    """Adds rows to a database, one short statement each."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, table_name: str, **values: Any) -> None:
        """One row; columns that are not given get null or, where that is refused, a value of no meaning."""
        table = metadata.tables[table_name]
        row = {c.name: _FILLERS[c.type.python_type] for c in table.columns if not c.nullable} | values
        with self.database.write() as connection:
            connection.execute(sa.insert(table), row)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """All rows of a statement, which is to be one of SQL Server's too."""
        assert tsql.faults(statement) == [], statement
        with self.database.read() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def video(self, number: int, times_ms: Sequence[int] = (), **values: Any) -> list[int]:
        """A video `v<number>` whose frames stand at these times; returns their frame_ids."""
        video_id = f"v{number}"
        defaults = {"status": "indexed", "split": "train", "kind": "video", "path": f"{video_id}.mp4"}
        self.add("videos", **{"video_id": video_id, "video_no": number} | defaults | values)
        ids = [frame_id(number, 5 * n) for n in range(len(times_ms))]
        for n, (key, pts_ms) in enumerate(zip(ids, times_ms, strict=True)):
            size = {"width": 640, "height": 480}
            self.add("frames", frame_id=key, video_id=video_id, frame_index=5 * n, pts_ms=pts_ms, **size)
        return ids

    def classes(self, *names: str) -> None:
        """Classes 1, 2, ... with these names."""
        for class_id, name in enumerate(names, 1):
            self.add("classes", class_id=class_id, name=name, aliases="[]", active=1)

    def export(self, export_id: int, status: str = "imported", **values: Any) -> None:
        """A label export."""
        self.add("label_exports", export_id=export_id, status=status, imported_at=NOW, **values)

    def label(self, frame: int, class_id: int, present: int = 1, export_id: int = 1, **values: Any) -> None:
        """The consensus on a frame and class; its latest annotation belongs to the export."""
        defaults = {"agreement": 1.0, "annotators": 1, "annotation_id": export_id * 2**32}
        self.add("labels", frame_id=frame, class_id=class_id, present=present, **defaults | values)

    def annotation(
        self, annotation_id: int, frame: int, annotator: str, outcome: str, *marks: int, **values: Any
    ) -> None:
        """An annotation of export 1 that marks these classes and judged classes 1 to 9."""
        row = {"export_id": 1, "judged_through": 9} | values
        self.add(
            "annotations",
            annotation_id=annotation_id,
            frame_id=frame,
            annotator=annotator,
            outcome=outcome,
            **row,
        )
        for mark, class_id in enumerate(marks):
            self.add("annotation_labels", annotation_id=annotation_id, mark=mark, class_id=class_id)

    def serve(self, checkpoint_id: str, task: str = "multi_label") -> None:
        """A checkpoint that serves."""
        self.add("checkpoints", checkpoint_id=checkpoint_id, task=task)
        self.add("serving", slot=1, checkpoint_id=checkpoint_id)

    def predict(self, checkpoint_id: str, frame: int, *instances: tuple[int, float]) -> None:
        """Predicted instances (class_id, confidence) on a frame."""
        for instance, (class_id, confidence) in enumerate(instances):
            self.add(
                "predictions",
                checkpoint_id=checkpoint_id,
                frame_id=frame,
                instance=instance,
                class_id=class_id,
                confidence=confidence,
            )

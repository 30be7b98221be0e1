"""An archive of a video and a folder of stills with labels and predictions, to be exported. No assertion here."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from al_assets.keys import frame_id
from resources.archive import Archive
from resources.database import Database
from resources.storage import Storage
from resources.tables import checkpoints
from support.archive_rows import ArchiveRows

CLASSES = ("zéro", "=one", "two 狐")
SIZE = {"width": 640, "height": 480}
BOX = {"box_x": 0.25, "box_y": 0.5, "box_width": 0.125, "box_height": 0.25}
FIRST, SECOND, THIRD, STILL = (frame_id(1, 0), frame_id(1, 5), frame_id(1, 10), frame_id(2, 7))
ANSWERED = datetime(2026, 4, 1, 9, 30)


def labelled_archive(database: Database, storage: Storage) -> Archive:
    """zéro with a box and not the others; nobody; one judged absent only; a still that shows =one and two."""
    rows = ArchiveRows(database)
    rows.video(1, site="=wood", camera="c1", recorded_at=datetime(2026, 3, 1, 12), path="é 1.mp4")
    for index in (0, 5, 10):
        rows.add(
            "frames", frame_id=frame_id(1, index), video_id="v1", frame_index=index, pts_ms=80 * index, **SIZE
        )
    rows.video(2, kind="images", path="cam")
    rows.add("frames", frame_id=STILL, video_id="v2", frame_index=7, image_path="cam/é.png", **SIZE)
    rows.classes(*CLASSES)
    rows.export(1)
    for position, key in enumerate((FIRST, SECOND, THIRD, STILL)):
        rows.annotation(2**32 + position, key, "anna", "labelled", annotated_at=ANSWERED)
    judge(rows, FIRST, 0, 1, 0, 0)
    judge(rows, SECOND, 1, 0, 0, 0)
    judge(rows, THIRD, 2, 0)
    judge(rows, STILL, 3, 0, 1, 1)
    return Archive(database=database, storage=storage)


def judge(rows: ArchiveRows, frame: int, position: int, *present: int) -> None:
    """The consensus on classes 1, 2, ... of a frame; class 1 has the box where it is present."""
    for class_id, here in enumerate(present, 1):
        box = BOX if here and class_id == 1 else {}
        rows.label(frame, class_id, here, annotation_id=2**32 + position, **box)


def serve_model(database: Database) -> None:
    """A checkpoint `m` that scored the video's frames and sees something on the first one."""
    rows = ArchiveRows(database)
    rows.serve("m")
    with database.write() as connection:
        connection.execute(sa.update(checkpoints).values(class_ids="[1, 2, 3]"))
    for key in (FIRST, SECOND, THIRD):
        rows.add("frame_scores", checkpoint_id="m", frame_id=key)
    rows.predict("m", FIRST, (1, 0.75), (2, 0.5))

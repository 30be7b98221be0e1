"""The register of videos and the ledger of exports on each database: one walk through all their statements."""

from __future__ import annotations

import logging

import pytest

from al_assets.keys import frame_id
from al_assets.labels.assets import import_all
from al_assets.labels.formats.records import FrameReference
from resources.archive import Archive
from resources.database import Database
from resources.storage import Storage
from support.archive_rows import ArchiveRows
from support.small_archives import SmallArchive

LOG = logging.getLogger(__name__)


@pytest.fixture
def archive(database: Database, local_storage: Storage) -> SmallArchive:
    return SmallArchive(Archive(database=database, storage=local_storage))


def test_videos_are_registered_moved_copied_replaced_and_retired(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.drop("videos/b.mp4", "A")
    archive.drop("videos/cam/1.png", "still")
    archive.drop("videos/videos.csv", "path,site,recorded_at\na.mp4,forest,2026-05-01T10:00:00.123\n")
    archive.look()
    assert archive.statuses() == {"a.mp4": "registered", "b.mp4": "copy", "cam": "registered"}
    original, folder = archive.video("a.mp4"), archive.video("cam")
    ArchiveRows(archive.archive.database).add(
        "frames", frame_id=frame_id(folder.video_no, 0), video_id=folder.video_id, image_path="cam/1.png"
    )
    archive.touch("videos/b.mp4")
    archive.remove("videos/a.mp4")
    archive.move("videos/cam", "videos/east")
    archive.look()
    assert archive.video("b.mp4").video_id == original.video_id
    assert archive.archive.frames.images_of(folder.video_no) == {"east/1.png": 0}
    (key,) = archive.archive.lookup.resolve([FrameReference(None, None, None, "east/1.png")])
    assert key == frame_id(folder.video_no, 0)
    archive.drop("videos/b.mp4", "B")
    archive.look()
    archive.drop("videos/b.mp4", "A")
    archive.look()
    assert archive.video("b.mp4").video_id == original.video_id
    assert archive.look(1)[0].summary == "nothing changed"
    assert archive.archive.videos.retire(folder.video_id) == 1
    assert archive.archive.videos.by_status() == {"registered": 1, "retired": 1, "superseded": 2}


def test_exports_are_claimed_imported_set_aside_and_undone(archive: SmallArchive) -> None:
    (key, other) = ArchiveRows(archive.archive.database).video(1, [0, 1000])
    header = "frame_id,label,annotated_at\n"
    archive.drop("label_exports/a.csv", f"{header}{key},zero,2026-05-01\n99,zero,\n")
    archive.drop("label_exports/half.csv", f"{header}{key},ze")
    archive.take_in_exports()
    assert import_all(archive.archive, archive.settings, run_id="one", log=LOG) == 1
    archive.drop("label_exports/b.csv", f"{header}{key},zero,2026-05-01\n{other},\u00e9,2026-05-02\n")
    archive.take_in_exports()
    assert import_all(archive.archive, archive.settings, run_id="two", log=LOG) == 1
    assert archive.archive.labels.undo(1) == 1
    assert import_all(archive.archive, archive.settings, run_id="three", log=LOG) == 1
    statuses = {export.uri.rsplit("/", 1)[-1]: export.status for export in archive.archive.labels.exports()}
    assert statuses == {"a.csv": "undone", "half.csv": "quarantined", "b.csv": "imported"}
    assert archive.archive.labels.classes()["name"].tolist() == ["zero", "\u00e9"]

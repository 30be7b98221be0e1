"""The frames, stills and videos that exports name, as rows of a small archive. No assertion belongs here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from al_assets.keys import frame_id, frame_index_of
from al_assets.labels.formats.records import FrameReference
from resources.archive import Archive
from support.archive_rows import ArchiveRows
from support.imports import FRAMES

SECONDS = range(0, 31_000, 1000)
"""Of a video's sampled frames, whose numbers are 0, 5, ..., 150."""


def add_named_frames(archive: Archive, references: Iterable[FrameReference]) -> None:
    """What the references name beyond video 1 with its six frames; one still a path, one folder a video."""
    rows, named = ArchiveRows(archive.database), list(references)
    for key in sorted({each.frame_id for each in named if each.frame_id is not None} - {*FRAMES}):
        rows.add("frames", frame_id=key, video_id="v1", frame_index=frame_index_of(key), pts_ms=0)
    for number, path in enumerate(sorted({each.video_path for each in named if each.video_path}), 2):
        rows.video(number, SECONDS, path=path)
    folders: dict[str, list[str]] = {}
    for path in sorted({each.image for each in named if each.image and each.frame_id is None}):
        folders.setdefault(str(PurePosixPath(path).parent), []).append(path)
    for number, (folder, stills) in enumerate(folders.items(), 100):
        rows.video(number, path=folder, kind="images")
        for place, path in enumerate(stills):
            key = frame_id(number, place)
            rows.add("frames", frame_id=key, video_id=f"v{number}", frame_index=place, image_path=path)

"""An archive whose batches are out for labelling, with stills, for tests of the labelling tool. No assertion here."""

from __future__ import annotations

import io
import json
import logging
from datetime import datetime
from typing import Any

from PIL import Image, ImageDraw

from al_assets.keys import frame_index_of
from al_assets.labelling.note import NOTE
from al_assets.labelling_look import Look, look
from al_assets.labelling_sync import synchronise
from al_assets.selection.labelling_tasks import TaskRow, label_studio_tasks
from resources.archive import Archive
from resources.labelling_tool import LabelStudio
from resources.pixels import still_path
from support.archive_rows import NOW, ArchiveRows
from support.imports import Imports
from support.label_studio import Server

LOG = logging.getLogger("tool")


class ToolArchive(Imports):
    """One video of six frames and classes zero and one; batches of its frames are sent out when a test says so."""

    def __init__(self, archive: Archive, tool: LabelStudio, **settings: Any) -> None:
        super().__init__(archive)
        self.rows = ArchiveRows(archive.database)
        self.settings = type(self.settings).model_validate(
            {"classes": {"names": ["zero", "one"]}, "labelling": {"settle_minutes": 0, **settings}}
        )
        self.tool = tool

    def send(
        self,
        batch_id: int,
        frames: list[int],
        *,
        blind: bool = False,
        arm: str = "strategy",
        created_at: datetime = NOW,
    ) -> None:
        """A batch of these frames, with its stills and its tasks as `labelling_tasks` writes them."""
        folder = f"labelling_tasks/batch-{batch_id:05d}"
        self.rows.add(
            "selection_batches",
            batch_id=batch_id,
            tasks_uri=folder,
            run_id=f"run-{batch_id}",
            created_at=created_at,
        )
        rows = []
        for rank, frame in enumerate(frames):
            self.rows.add("selections", batch_id=batch_id, frame_id=frame, rank=rank, arm=arm)
            path = still_path("v1", frame_index_of(frame))
            self.archive.storage.write(path, picture(frame))
            rows.append(
                TaskRow(
                    batch_id=batch_id,
                    rank=rank,
                    frame_id=frame,
                    video_id="v1",
                    frame_index=frame_index_of(frame),
                    pts_ms=1000 * rank,
                    image_url=self.archive.storage.uri(path),
                    still=path,
                    width=160,
                    height=120,
                    clip_url=self.archive.storage.uri("videos/v1.mp4"),
                    checkpoint_id="ckpt-1",
                    suggestions=(("zero", 0.9),),
                    arm=arm,
                )
            )
        text = json.dumps(label_studio_tasks(rows, blind=blind))
        self.archive.storage.write(f"{folder}/label_studio.json", text.encode())

    def sync(self, attempts: int = 1) -> dict[str, Any]:
        """What a run of `sync_labels` does."""
        with self.tool.connect(timeout_seconds=30, attempts=attempts) as server:
            return synchronise(self.archive, self.settings, self.tool, server, LOG)

    def look(self) -> Look:
        """What a tick sees."""
        with self.tool.connect(timeout_seconds=30) as server:
            return look(self.archive, self.settings, self.tool, server)

    @property
    def project(self) -> int:
        """Number of the archive's project."""
        return int(json.loads(self.archive.storage.read(NOTE))["project"])

    @property
    def fetched(self) -> list[dict[str, Any]]:
        """Tasks in the fetched file."""
        path = f"label_exports/label_studio/project-{self.project}.json"
        found: list[dict[str, Any]] = json.loads(self.archive.storage.read(path))
        return found


def frames_of(server: Server, archive: ToolArchive) -> list[int]:
    """Frames of the tasks in the archive's project, oldest task first."""
    return [task["data"]["frame_id"] for task in server.tasks(archive.project)]


def picture(frame: int) -> bytes:
    """A small JPEG that shows its frame's number."""
    image = Image.new("RGB", (160, 120), (30, 60, 90))
    ImageDraw.Draw(image).text((20, 50), str(frame), fill="white")
    data = io.BytesIO()
    image.save(data, "JPEG")
    return data.getvalue()

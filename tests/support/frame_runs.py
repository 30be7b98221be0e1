"""A small archive whose frames are made by real runs of the asset. No assertion about rows belongs here."""

from __future__ import annotations

import io
from pathlib import Path

import dagster as dg
import numpy as np
from PIL import Image

from al_assets.frames import assets
from al_assets.partitions import VIDEOS
from resources.archive import Archive
from resources.sql_io_manager import SqlIOManager
from resources.storage import Storage
from support.clips import numbered_frame, render
from support.small_archives import SmallArchive

START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


class Runs(SmallArchive):
    """A small archive whose `frames` are made by a real run."""

    def __init__(self, archive: Archive, instance: dg.DagsterInstance) -> None:
        super().__init__(archive, frames={"frames_per_second": 10})
        self.instance = instance

    def clip(self, path: str, n: int = 12, first: int = 0) -> Path:
        """A clip of numbered frames at `videos/<path>`."""
        target = self.root / "videos" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        render(target, [numbered_frame(first + i) for i in range(n)], rate=10)
        return self.touch(f"videos/{path}")

    def still(self, path: str, seed: int) -> None:
        """A still at `videos/<path>` that shows noise of its own."""
        buffer = io.BytesIO()
        noise = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(buffer, "png")
        self.drop(f"videos/{path}", buffer.getvalue())

    def index(self, *, expect: bool = True, storage: Storage | None = None) -> dg.ExecuteInProcessResult:
        """Run `frames` for the range of all videos ever registered."""
        keys = [video.video_id for video in self.archive.videos.all() if video.status != "copy"]
        name = str(VIDEOS.name)
        self.instance.add_dynamic_partitions(name, keys)
        order = self.instance.get_dynamic_partitions(name)
        database = self.archive.database
        job = dg.Definitions(
            assets=[assets.videos, assets.frames],
            jobs=[dg.define_asset_job("ingest_videos", dg.AssetSelection.assets("frames"))],
            resources={
                "archive": Archive(database=database, storage=storage or self.archive.storage),
                "settings": self.settings,
                "io_manager": SqlIOManager(database=database),
            },
        ).resolve_job_def("ingest_videos")
        result = job.execute_in_process(
            instance=self.instance, tags={START: order[0], END: order[-1]}, raise_on_error=False
        )
        assert result.success == expect
        return result

    def frames(self, path: str) -> list[int]:
        """frame_index of the rows of the video at a path."""
        return self.archive.frames.of_video(self.video(path).video_no)["frame_index"].to_pylist()

    def state(self, path: str) -> tuple[str, str | None]:
        """Status and error of the video at a path."""
        with self.archive.database.read() as connection:
            query = "SELECT status, error FROM videos WHERE video_id = ?"
            status, error = connection.exec_driver_sql(query, (self.video(path).video_id,)).one()
        return status, error

"""Ticks of `video_arrivals`, and rows in place of what its runs would make. No assertion belongs here."""

from __future__ import annotations

import dagster as dg

from al_assets.embeddings.assets import configured_embedder
from resources.queries.videos import coverage_row
from sensors.video_arrivals import make_video_arrivals
from support.archive_rows import ArchiveRows
from support.ticks import Ticks


def tick(ticks: Ticks) -> list[dg.RunRequest]:
    return ticks.tick(make_video_arrivals(ticks.settings))


def ids(ticks: Ticks) -> list[str]:
    return [video.video_id for video in ticks.archive.videos.known()]


def drop(ticks: Ticks, *names: str) -> None:
    for name in names:
        ticks.drop(f"videos/{name}.mp4", f"content of {name}")


def ingest(ticks: Ticks, *paths: str) -> None:
    """What a good run of ingest_videos leaves: frames and vectors that cover the videos."""
    embedder, rate = configured_embedder(ticks.settings.embeddings), ticks.settings.frames.frames_per_second
    for video in ticks.archive.videos.known():
        if not paths or video.path in paths:
            with ticks.archive.database.write() as connection:
                connection.exec_driver_sql(
                    f"UPDATE videos SET status = 'indexed', frames_version = etag || '@{rate:g}'"
                    f" WHERE video_id = '{video.video_id}'"
                )
            (now,) = ticks.archive.videos.get([video.video_id])
            ArchiveRows(ticks.archive.database).add(
                "video_coverage", **coverage_row("embeddings", embedder, now, 1)
            )


def serve(ticks: Ticks, name: str = "model-1") -> None:
    rows = ArchiveRows(ticks.archive.database)
    embedder = configured_embedder(ticks.settings.embeddings)
    rows.add("checkpoints", checkpoint_id=name, class_ids="[]", embedder_id=embedder, task="multi_label")
    rows.add("serving", slot=1, checkpoint_id=name)

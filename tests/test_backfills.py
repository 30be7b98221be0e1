"""Backfills as Dagster sees them: the owner's batches, unpartitioned assets once, pools, and where an archive is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from al_assets.definitions import build_defs
from al_assets.settings import parse_settings
from resources.archive import Archive
from resources.environments import read_environment
from resources.queries.monitoring import VIDEO_DRIFT
from resources.queries.videos import coverage_row
from support.archive_rows import NOW, ArchiveRows
from support.small_archives import empty_archive


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> dg.AssetGraph:  # type: ignore[name-defined]
    home = tmp_path_factory.mktemp("home")
    settings = parse_settings({"sensors": {"videos_per_run": 7}})
    return build_defs(read_environment({"AL_HOME": str(home)}, home), settings).resolve_asset_graph()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    empty = empty_archive(tmp_path)
    yield empty
    empty.database.close()


def test_a_backfill_of_videos_runs_in_the_owners_batches(graph: dg.AssetGraph) -> None:  # type: ignore[name-defined]
    for name in ("frames", "embeddings"):
        policy = graph.get(dg.AssetKey(name)).backfill_policy
        assert policy is not None
        assert policy.max_partitions_per_run == 7


def test_pools_hold_what_runs_a_model_and_what_writes_much(graph: dg.AssetGraph) -> None:  # type: ignore[name-defined]
    pools: dict[str, set[str]] = {}
    for key in graph.executable_asset_keys:
        for pool in graph.get(key).pools or ():
            pools.setdefault(pool, set()).add(key.to_user_string())
    assert pools["gpu"] == {"checkpoint", "embeddings", "predictions"}
    assert {"labels", "training_set"} <= pools["sql_write"]


def test_the_stand_counts_what_covers_a_video_as_its_frames_are_now(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    for number in range(1, 5):
        rows.video(number, etag="e", frames_version="e@1", size_bytes=100)
    rows.video(5, etag="e", status="registered", size_bytes=1_000)
    rows.video(6, etag="e", status="copy", size_bytes=1_000)
    for video in archive.videos.get(["v1", "v2"]):
        rows.add("video_coverage", **coverage_row("embeddings", "e1", video, 30))
    stand = archive.backfill.stand(1.0, "e1", None)
    assert (stand.videos, stand.with_frames, stand.with_vectors, stand.with_scores) == (5, 4, 2, None)
    assert (stand.size_bytes, stand.vector_bytes, stand.vector_frames) == (1_400, 200, 60)


def test_the_speed_is_of_what_was_committed_lately(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    for minute, count in ((-90, 1_000), (-30, 61), (-10, 41)):
        moment = NOW + timedelta(minutes=minute)
        rows.add(
            "materializations",
            materialization_id=count,
            asset="embeddings",
            slice=f"{minute}",
            rows=count,
            committed_at=moment,
        )
    speed = archive.backfill.speed("embeddings", NOW - timedelta(hours=1))
    assert (speed.slices, speed.frames) == (2, 100)
    assert speed.first == NOW - timedelta(minutes=30)


def test_the_drift_of_a_video_is_that_of_its_newest_comparison(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    for day, flags in ((0, (1, 1)), (1, (1, 0))):
        for statistic, drifted in enumerate(flags):
            rows.add(
                "drift_results",
                check_name=VIDEO_DRIFT,
                subject="v1",
                reference_id=f"ck-{day}",
                statistic=f"s{statistic}",
                drifted=drifted,
                measured_at=NOW + timedelta(days=day),
            )
    assert archive.backfill.drift() == {"v1": 0.5}

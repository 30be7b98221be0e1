"""Only what is stale is made again: after each change exactly the videos concerned are asked for, and worked on."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from al_assets import code_versions
from al_assets.staleness import stale_lines, why_frames
from resources.queries.staleness import StaleFrames
from support.clips import numbered, render
from support.daemon import Daemon, jobs_of

CLIPS = ("a.mp4", "b.mp4", "c.mp4")
SETTINGS = "[frames]\nframes_per_second = {rate}\n[drift]\nreport = false\n"


def bring(daemon: Daemon, name: str, add: int) -> None:
    """A clip of 20 frames, two seconds long, with pictures of its own."""
    frames = [frame // 2 + add for frame in numbered(20)]
    render(daemon.platform.environment.home / "storage" / "videos" / name, frames, rate=10)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with three clips that have frames and vectors."""
    home = tmp_path_factory.mktemp("ingested") / "home"
    with Daemon(home, SETTINGS.format(rate=2)) as daemon:
        daemon.round()
        for number, name in enumerate(CLIPS):
            bring(daemon, name, 40 * number)
        daemon.until_quiet()
        assert written(daemon) == (3, 3)
    return home


@pytest.fixture
def home(ingested: Path, tmp_path: Path) -> Path:
    """Its copy, to be changed."""
    return Path(shutil.copytree(ingested, tmp_path / "home"))


def written(daemon: Daemon) -> tuple[int, int]:
    """Slices of frames and of vectors that were ever written."""
    count = "SELECT COUNT(*) FROM materializations WHERE asset = '{}'"
    frames, vectors = (int(str(daemon.one(count.format(asset)))) for asset in ("frames", "embeddings"))
    return frames, vectors


def lines(daemon: Daemon) -> list[str]:
    """What `al status` says is stale."""
    return [value for _, value in stale_lines(daemon.archive, daemon.platform.settings)]


def embedded(daemon: Daemon) -> int:
    """Images that the newest run showed to the backbone."""
    event = daemon.instance.get_latest_materialization_event(dg.AssetKey("embeddings"))
    assert event is not None
    assert event.asset_materialization is not None
    images = event.asset_materialization.metadata.get("images")
    return int(str(images.value)) if images is not None else 0


def test_another_sampling_rate_reads_every_video_and_embeds_only_new_frames(home: Path) -> None:
    with Daemon(home, SETTINGS.format(rate=4)) as daemon:
        assert lines(daemon) == [
            "frames of 3 videos: sampled at 2 a second, the settings say 4 (a.mp4, b.mp4, c.mp4)"
        ]
        assert jobs_of(daemon.until_quiet()) == ["ingest_videos"]
        assert written(daemon) == (6, 6)
        new = daemon.archive.frames.count() - 12
        assert embedded(daemon) == new > 6
        assert lines(daemon) == ["nothing"]


def test_another_file_and_a_touched_one_make_one_video(home: Path) -> None:
    with Daemon(home, SETTINGS.format(rate=2)) as daemon:
        bring(daemon, "b.mp4", 100)
        (home / "storage" / "videos" / "a.mp4").touch()
        assert jobs_of(daemon.until_quiet()) == ["ingest_videos"]
        assert written(daemon) == (4, 4)
        assert lines(daemon) == ["nothing"]


def test_another_version_of_the_frames_code_reads_every_video_and_embeds_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_versions, "FRAMES", "2")
    with Daemon(home, SETTINGS.format(rate=2)) as daemon:
        assert lines(daemon) == [
            "frames of 3 videos: read by code version 1, this is 2 (a.mp4, b.mp4, c.mp4)"
        ]
        assert jobs_of(daemon.until_quiet()) == ["ingest_videos"]
        assert written(daemon) == (6, 6)
        assert embedded(daemon) == 0


def test_another_embedder_embeds_every_video_and_reads_no_frames_and_both_stand(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_versions, "PICTURES", "2")
    with Daemon(home, SETTINGS.format(rate=2)) as daemon:
        (line,) = lines(daemon)
        assert line.startswith("vectors of 3 videos: embedded by efficientnet-lite0-")
        assert jobs_of(daemon.until_quiet()) == ["ingest_videos:embeddings"]
        assert written(daemon) == (3, 6)
        assert embedded(daemon) == 12
        found = daemon.rows("SELECT embedder_id, COUNT(*) AS n FROM embeddings GROUP BY embedder_id")
        assert found["n"].tolist() == [12, 12]
        assert sorted(name.endswith("-v2") for name in found["embedder_id"]) == [False, True]


def test_a_run_of_vectors_alone_is_checked_for_vectors(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_versions, "PICTURES", "2")
    with Daemon(home, SETTINGS.format(rate=2)) as daemon:
        (request,) = daemon.ask("video_arrivals")
        checked = {e.asset_check_key.name for e in daemon.run(request).get_asset_check_evaluations()}
        assert {"vectors_are_up_to_date", "rows_match_upstream"} <= checked
        assert "frames_are_up_to_date" not in checked


@pytest.mark.parametrize(
    ("version", "why"),
    [
        (None, None),
        ("old@1", "the file changed"),
        ("e@t@2", "sampled at 2 a second, the settings say 1"),
        ("e@t@1@2", "read by code version 2, this is 1"),
    ],
)
def test_why_frames_are_stale_is_told_from_their_version(version: str | None, why: str | None) -> None:
    assert why_frames(StaleFrames("a.mp4", "e@t", version), 1.0) == why

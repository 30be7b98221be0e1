"""`al videos` and `al status` from the command line: bulk registration, what failed, trying it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from al_assets.archives import make_archive
from al_assets.headless import Headless
from resources.environments import read_environment
from support.clips import render
from support.command_line import Al


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a good and a broken video."""
    place = tmp_path / "home" / "storage" / "videos"
    place.mkdir(parents=True)
    render(place / "good.mp4", n=2)
    (place / "broken.mp4").write_bytes(b"no video at all")
    return tmp_path / "home"


@pytest.fixture
def al(al: Al, home: Path) -> Al:
    """`al` in that home."""
    return al


def broken(home: Path) -> str:
    archive = make_archive(read_environment())
    return next(video.video_id for video in archive.videos.known() if video.path == "broken.mp4")


def test_all_of_a_folder_is_registered_and_has_its_keys_at_once(al: Al, home: Path) -> None:
    status, out, _ = al("videos", "register", "--wait", "0")
    assert (status, out.splitlines()[-1]) == (0, "2 new; 2 partition keys added, 2 in all")
    assert al("videos", "register", "--wait", "0")[1] == "nothing changed; 0 partition keys added, 2 in all\n"


def test_a_failed_video_is_listed_and_read_again_alone(al: Al, home: Path) -> None:
    al("videos", "register", "--wait", "0")
    assert al("videos", "failed")[1] == "every video could be read\n"
    key = broken(home)
    status, out, _ = al("videos", "retry", key)
    assert status == 1
    assert out.startswith("broken.mp4: failed: ")
    assert "broken.mp4" in al("videos", "failed")[1]
    render(home / "storage" / "videos" / "broken.mp4", n=2)
    assert al("videos", "retry", "--all")[:2] == (0, "broken.mp4: is ingested\n")


def test_retry_wants_to_know_which_and_knows_a_stranger(al: Al, home: Path) -> None:
    assert "name video_ids or say --all" in al("videos", "retry")[2]
    assert "there is no video nobody" in al("videos", "retry", "nobody")[2]


def test_status_says_what_stands_and_what_is_left(al: Al, home: Path) -> None:
    al("videos", "register", "--wait", "0")
    with Headless.open(read_environment()) as headless:
        headless.instance.add_dynamic_partitions("videos", ["another"])
    out = al("status")[1]
    assert "of 2 videos 0 with frames, 0 with vectors, no model serves" in out
    assert "2 videos to go; the time left is unknown" in out
    assert "none under way" in out

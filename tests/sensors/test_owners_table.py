"""`videos.csv` beside the videos: what it fills in, what it decides, and when it is not trusted yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from al_assets.settings import parse_settings
from support.small_archives import SmallArchive, empty_archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[SmallArchive]:
    archive = empty_archive(tmp_path)
    yield SmallArchive(archive)
    archive.database.close()


def split_by_site(archive: SmallArchive) -> SmallArchive:
    archive.settings = parse_settings({"archive": {"split_by": "site"}})
    return archive


def test_the_owners_table_fills_the_register_and_its_faults_are_told(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.drop("videos/videos.csv", "\ufeffpath,site,camera\na.mp4,forest,north\nlost.mp4,town,\n")
    faults = archive.faults()
    assert (archive.video("a.mp4").site, archive.video("a.mp4").camera) == ("forest", "north")
    assert faults == ["videos.csv names 1 paths that are not in videos/: lost.mp4"]


def test_a_table_that_comes_later_fills_in_what_it_knows(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.look()
    archive.drop("videos/videos.csv", "path,site\na.mp4,forest\n")
    archive.look()
    assert archive.video("a.mp4").site == "forest"


def test_a_table_that_is_no_text_is_a_fault_and_stops_nothing(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.drop("videos/videos.csv", "path,site\na.mp4,forêt\n".encode("utf-16"))
    assert archive.faults() == ["videos.csv is not UTF-8; save it as UTF-8"]
    assert archive.statuses() == {"a.mp4": "registered"}


def test_split_by_site_waits_for_a_table_that_is_still_being_written(archive: SmallArchive) -> None:
    split_by_site(archive)
    archive.drop("videos/a.mp4", "A")
    archive.look(1)
    archive.drop("videos/videos.csv", "path,site\na.mp4,for")
    archive.look(1)
    archive.drop("videos/videos.csv", "path,site\na.mp4,forest\n")
    archive.look(1)
    assert archive.statuses() == {}
    archive.look(1)
    assert archive.video("a.mp4").site == "forest"


def test_all_videos_of_a_site_are_on_one_side(archive: SmallArchive) -> None:
    split_by_site(archive)
    lines = ["path,site"]
    for number in range(24):
        archive.drop(f"videos/{number:02}.mp4", f"content {number}")
        lines.append(f"{number:02}.mp4,site {number % 6}")
    archive.drop("videos/videos.csv", "\n".join(lines))
    archive.look()
    sides: dict[str | None, set[str]] = {}
    for video in archive.archive.videos.all():
        sides.setdefault(video.site, set()).add(video.split)
    assert len(sides) == 6
    assert all(len(side) == 1 for side in sides.values())
    assert {side for found in sides.values() for side in found} == {"train", "validation", "test"}


def test_videos_without_a_site_are_named_where_sites_decide(archive: SmallArchive) -> None:
    split_by_site(archive)
    archive.drop("videos/a.mp4", "A")
    assert archive.faults() == ["1 videos have no site in videos.csv and were split one by one, first a.mp4"]

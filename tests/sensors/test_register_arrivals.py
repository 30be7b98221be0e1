"""Files dropped into `videos/`, moved about and taken away, and what the register says of them."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from al_assets import arrivals
from al_assets.arrivals import READERS, Bounds, register_arrivals
from al_assets.settings import parse_settings
from resources.archive import Archive
from resources.errors import StorageError
from resources.queries.registrar import SplitRule
from resources.storage import Storage
from support.small_archives import START, SmallArchive, empty_archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[SmallArchive]:
    archive = empty_archive(tmp_path)
    yield SmallArchive(archive)
    archive.database.close()


class OneLocked(Storage):
    """Storage that lists a.mp4 and does not let it be read."""

    def fingerprint(self, path: str, shown: tuple[str, int] | None = None) -> str:
        if path.endswith("a.mp4"):
            raise StorageError("permission denied")
        return super().fingerprint(path, shown)


def still(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), shade, np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def test_a_file_is_registered_at_the_second_look(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    first, second = archive.look()
    assert (first.new, len(second.new)) == ((), 1)
    assert archive.statuses() == {"a.mp4": "registered"}


def test_a_file_still_growing_is_not_read(archive: SmallArchive) -> None:
    for content in ("A", "AA", "AAA"):
        archive.drop("videos/a.mp4", content)
        archive.look(1)
    assert archive.statuses() == {}
    archive.look(1)
    assert archive.video("a.mp4").content_hash == archive.archive.storage.fingerprint("videos/a.mp4")


def test_looking_again_changes_and_writes_nothing(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.look()
    with closing(sqlite3.connect(archive.root.parent / "al.db")) as beside:
        before = beside.execute("PRAGMA data_version").fetchone()
        assert archive.look(1)[0].summary == "nothing changed"
        assert beside.execute("PRAGMA data_version").fetchone() == before


def test_a_moved_file_keeps_its_id(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.look()
    before = archive.video("a.mp4")
    archive.move("videos/a.mp4", "videos/site/a.mp4")
    archive.look()
    assert archive.video("site/a.mp4").video_id == before.video_id
    assert archive.video("site/a.mp4").missing_at is None


def test_a_copy_is_noted_and_is_no_video_of_its_own(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.look()
    archive.drop("videos/b.mp4", "A")
    archive.look()
    assert archive.statuses() == {"a.mp4": "registered", "b.mp4": "copy"}
    assert archive.video("b.mp4").superseded_by == archive.video("a.mp4").video_id
    assert archive.video("b.mp4").split == archive.video("a.mp4").split


def test_empty_files_are_not_copies_of_one_another(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "")
    archive.drop("videos/b.mp4", "")
    archive.look()
    assert archive.statuses() == {"a.mp4": "registered", "b.mp4": "registered"}


def test_a_replaced_file_is_a_new_video_and_the_old_one_says_by_which(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.look()
    old = archive.video("a.mp4")
    archive.drop("videos/a.mp4", "B")
    archive.look()
    new = archive.video("a.mp4")
    assert new.video_no == old.video_no + 1
    (superseded,) = archive.archive.videos.get([old.video_id])
    assert (superseded.status, superseded.superseded_by) == ("superseded", new.video_id)


def test_a_file_renamed_over_another_supersedes_it_by_the_renamed_one(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.drop("videos/b.mp4", "B")
    archive.look()
    a, b = archive.video("a.mp4"), archive.video("b.mp4")
    archive.move("videos/b.mp4", "videos/a.mp4")
    archive.look()
    assert archive.video("a.mp4").video_id == b.video_id
    assert archive.archive.videos.get([a.video_id])[0].superseded_by == b.video_id


def test_content_put_back_is_the_video_it_was(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.look()
    first = archive.video("a.mp4")
    archive.drop("videos/a.mp4", "B")
    archive.look()
    archive.drop("videos/a.mp4", "A")
    archive.look()
    back = archive.video("a.mp4")
    assert (back.video_id, back.status, back.superseded_by) == (first.video_id, "registered", None)
    assert archive.archive.videos.by_status() == {"registered": 1, "superseded": 1}


def test_a_touched_file_keeps_its_frames(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.look()
    video = archive.video("a.mp4")
    with archive.archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE videos SET status = 'indexed', frames_version = etag || '@1'")
    assert archive.archive.videos.lacking_frames(1.0) == []
    archive.touch("videos/a.mp4")
    archive.look()
    assert archive.video("a.mp4").etag != video.etag
    assert archive.archive.videos.lacking_frames(1.0) == []


def test_a_removed_file_is_missing_and_back_when_it_is(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.look()
    away = archive.root / "away.mp4"
    archive.move("videos/a.mp4", "away.mp4")
    archive.look(1)
    gone = archive.video("a.mp4")
    assert gone.missing_at == archive.now
    assert archive.archive.videos.lacking_frames(1.0) == []
    away.rename(archive.root / "videos/a.mp4")
    archive.look(1)
    assert archive.video("a.mp4").missing_at is None
    assert archive.archive.videos.lacking_frames(1.0) == [gone.video_id]


def test_a_failed_listing_raises_and_takes_nothing_away(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.look()
    archive.root.rename(archive.root.with_name("unmounted"))
    with pytest.raises(StorageError, match="does not exist"):
        archive.look(1)
    assert archive.video("a.mp4").missing_at is None


def test_a_folder_of_stills_grows_as_the_same_video(archive: SmallArchive) -> None:
    archive.drop("videos/cam/1.png", still(10))
    archive.look()
    before = archive.video("cam")
    archive.drop("videos/cam/2.png", still(20))
    archive.look()
    after = archive.video("cam")
    assert (after.video_id, after.kind) == (before.video_id, "images")
    assert (after.etag, after.content_hash) != (before.etag, before.content_hash)


def test_folders_whose_stills_have_the_same_names_and_sizes_are_different_videos(
    archive: SmallArchive,
) -> None:
    for folder, shade in (("east", 10), ("west", 90)):
        archive.drop(f"videos/{folder}/IMG_1.bmp.png", still(shade))
        archive.drop(f"videos/{folder}/IMG_2.png", still(50))
    sizes = {len(still(shade)) for shade in (10, 90)}
    assert len(sizes) == 1
    archive.look()
    assert archive.statuses() == {"east": "registered", "west": "registered"}


def test_a_file_that_cannot_be_read_is_a_fault_and_holds_up_no_other(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.drop("videos/b.mp4", "B")
    archive.settings = parse_settings({"sensors": {"videos_per_tick": 1}})
    archive.archive = Archive(database=archive.archive.database, storage=OneLocked(url=str(archive.root)))
    assert archive.faults() == ["a.mp4 cannot be read: permission denied"]
    archive.look(2)
    assert archive.statuses() == {"b.mp4": "registered"}


def test_a_path_that_no_table_can_hold_is_a_fault(archive: SmallArchive) -> None:
    archive.drop("/".join(["videos", *["d" * 200] * 3, "a.mp4"]), "A")
    archive.drop("videos/b.mp4", "B")
    assert "path of over 400 characters" in archive.faults()[0]
    assert archive.statuses() == {"b.mp4": "registered"}


def test_a_doubled_daemon_registers_nothing_twice(archive: SmallArchive) -> None:
    archive.drop("videos/a.mp4", "A")
    archive.drop("videos/b.mp4", "A")
    first = archive.look()[1]
    archive.archive.videos.register(first, {}, SplitRule(by_video=lambda _: "train"), now=START)
    assert archive.archive.videos.by_status() == {"copy": 1, "registered": 1}


def test_the_first_three_videos_are_one_of_each_split_even_with_copies_between(archive: SmallArchive) -> None:
    for path, content in (("a", "A"), ("b", "A"), ("c", "C"), ("d", "D")):
        archive.drop(f"videos/{path}.mp4", content)
        archive.look()
    splits = {v.split for v in archive.archive.videos.known() if v.status != "copy"}
    assert splits == {"train", "validation", "test"}


def test_a_moved_folder_of_stills_takes_its_numbers_along(archive: SmallArchive) -> None:
    for shade in (1, 2):
        archive.drop(f"videos/cam/{shade}.png", still(shade))
    archive.look()
    video = archive.video("cam")
    with archive.archive.database.write() as connection:
        for index in (0, 1):
            key = video.video_no * 2**24 + index
            connection.exec_driver_sql(
                "INSERT INTO frames (frame_id, video_id, frame_index, pts_ms, width, height, brightness, sharpness,"
                f" phash, image_path) VALUES ({key}, '{video.video_id}', {index}, 0, 8, 8, 0, 0, 0,"
                f" 'cam/{index + 1}.png')"
            )
    archive.move("videos/cam", "videos/east/cam one")
    archive.look()
    assert archive.video("east/cam one").video_id == video.video_id
    assert archive.archive.frames.images_of(video.video_no) == {
        "east/cam one/1.png": 0,
        "east/cam one/2.png": 1,
    }


def test_register_arrivals_takes_any_order_of_many_videos(archive: SmallArchive, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(30):
        (source / f"{29 - number}.mp4").write_bytes(b"%d" % number)
    shutil.copytree(source, archive.root / "videos")
    archive.settings = parse_settings({"sensors": {"videos_per_tick": 7}})
    for _ in range(7):
        register_arrivals(archive.archive, archive.settings, START)
    assert archive.archive.videos.by_status() == {"registered": 30}
    assert archive.archive.videos.looks("videos") == {}


def test_a_look_without_time_reads_a_few_files_and_the_next_ones_the_rest(archive: SmallArchive) -> None:
    for number in range(READERS + 5):
        archive.drop(f"videos/{number:02d}.mp4", f"{number}")
    archive.look(1)
    no_time = Bounds(1_000, 0.0)
    register_arrivals(archive.archive, archive.settings, START, bounds=no_time)
    assert archive.archive.videos.by_status() == {"registered": READERS}
    register_arrivals(archive.archive, archive.settings, START, bounds=no_time)
    assert archive.archive.videos.by_status() == {"registered": READERS + 5}


def test_what_one_look_registers_in_parts_is_one_registration(
    archive: SmallArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "PART", 2)
    for name, content in (("a", "A"), ("b", "B"), ("c", "A"), ("d", "D")):
        archive.drop(f"videos/{name}.mp4", content)
    assert archive.look()[1].summary == "3 new, 1 copies"
    assert len({video.split for video in archive.archive.videos.known() if video.status != "copy"}) == 3

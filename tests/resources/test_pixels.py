"""Pixels by key: exact to the frame, in the order asked for, from videos and from folders of stills."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from al_assets.frames.decoding import read_frames
from al_assets.frames.images import read_image
from al_assets.keys import frame_id
from resources.archive import Archive
from resources.errors import FileMissingError
from resources.pixels import StoragePixels, still_path
from resources.queries.videos import VideoRegister
from support.archive_rows import ArchiveRows
from support.clips import read_number, render
from support.small_archives import empty_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A clip (video 1), a folder of stills (2) and a video whose file is gone (3)."""
    folder = tmp_path_factory.mktemp("pixels")
    archive = empty_archive(folder)
    rows = ArchiveRows(archive.database)
    (folder / "storage/videos/cam").mkdir(parents=True)
    render(folder / "storage/videos/a.mp4", n=30)
    rows.add("videos", video_id="a", video_no=1, kind="video", path="a.mp4")
    rows.add("videos", video_id="cam", video_no=2, kind="images", path="cam")
    for index, shade in ((0, 40), (3, 160)):
        buffer = io.BytesIO()
        Image.fromarray(np.full((6, 8), shade, np.uint8)).save(buffer, "png")
        archive.storage.write(f"videos/cam/{shade}.png", buffer.getvalue())
        rows.add(
            "frames",
            frame_id=frame_id(2, index),
            video_id="cam",
            frame_index=index,
            image_path=f"cam/{shade}.png",
        )
    rows.add("videos", video_id="gone", video_no=3, kind="video", path="gone.mp4")
    yield archive
    archive.database.close()


@pytest.fixture
def pixels(archive: Archive) -> StoragePixels:
    return StoragePixels(archive.storage, archive.videos, archive.frames, read_frames, read_image)


def test_frames_come_in_the_order_asked_for_and_as_often(pixels: StoragePixels) -> None:
    found = pixels.images([frame_id(1, 17), frame_id(2, 3), frame_id(1, 4), frame_id(1, 17)])
    assert [read_number(found[position]) for position in (0, 2, 3)] == [17, 4, 17]
    assert found[1].shape == (6, 8, 3)
    assert int(found[1].mean()) == 160


def test_keys_may_be_numpys(pixels: StoragePixels) -> None:
    (image,) = pixels.images(np.array([frame_id(1, 9)]))  # type: ignore[arg-type]
    assert read_number(image) == 9


def test_a_stream_is_ascending_whatever_was_asked(pixels: StoragePixels, archive: Archive) -> None:
    (video,) = archive.videos.get(["a"])
    assert [key for key, _ in pixels.stream(video, [5, 2, 5])] == [frame_id(1, 2), frame_id(1, 5)]


def test_the_reader_travels_to_another_process(pixels: StoragePixels) -> None:
    (image,) = pickle.loads(pickle.dumps(pixels)).images([frame_id(1, 3)])
    assert read_number(image) == 3


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (frame_id(9, 0), "no video number 9"),
        (frame_id(2, 1), "no still number 1 in videos/cam"),
        (frame_id(1, 30), "videos/a.mp4: frame 30 cannot be read"),
        (frame_id(3, 0), "videos/gone.mp4"),
    ],
)
def test_a_frame_that_is_not_there_is_named(pixels: StoragePixels, key: int, words: str) -> None:
    with pytest.raises(LookupError, match=words):
        pixels.images([frame_id(1, 0), key])


def test_a_still_whose_file_is_gone_is_named(archive: Archive, tmp_path: Path) -> None:
    empty = type(archive.storage)(url=str(tmp_path))
    lost = StoragePixels(empty, archive.videos, archive.frames, read_frames, read_image)
    with pytest.raises(FileMissingError, match=r"videos/cam/40\.png"):
        lost.images([frame_id(2, 0)])


class Counting(VideoRegister):
    """A register that must not be read whole for a mini-batch."""

    def all(self) -> list:  # type: ignore[type-arg]
        raise AssertionError("the whole register was read")


def test_a_mini_batch_does_not_read_the_whole_register(archive: Archive) -> None:
    register = Counting(archive.database)
    reader = StoragePixels(archive.storage, register, archive.frames, read_frames, read_image)
    assert len(reader.images([frame_id(1, 0)])) == 1


def test_a_frame_with_a_still_is_read_from_it_and_others_from_their_video(
    pixels: StoragePixels, archive: Archive
) -> None:
    for index in (7, 8):
        ArchiveRows(archive.database).add("frames", frame_id=frame_id(1, index), video_id="a")
    buffer = io.BytesIO()
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(buffer, "jpeg")
    archive.storage.write(still_path("a", 7), buffer.getvalue())
    still, decoded = pixels.images([frame_id(1, 7), frame_id(1, 8)])
    assert still.shape == (6, 8, 3)
    assert read_number(decoded) == 8


def test_a_damaged_still_is_named(pixels: StoragePixels, archive: Archive) -> None:
    ArchiveRows(archive.database).add("frames", frame_id=frame_id(1, 12), video_id="a")
    archive.storage.write(still_path("a", 12), b"\xff\xd8 not a picture")
    with pytest.raises(LookupError, match=r"stills/a/00000012\.jpg: not an image"):
        pixels.images([frame_id(1, 12)])


def test_a_mini_batch_of_stills_is_one_query_and_reads_no_other_row_of_the_folder(
    pixels: StoragePixels, archive: Archive
) -> None:
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    sa.event.listen(archive.database.engine, "before_cursor_execute", note)
    try:
        pixels.images([frame_id(2, 0), frame_id(2, 3)])
    finally:
        sa.event.remove(archive.database.engine, "before_cursor_execute", note)
    assert sum(statement.startswith("SELECT") for statement in seen) == 1

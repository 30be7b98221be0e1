"""Folders of stills run through the asset `frames`: numbers are given in the order of arrival and never again."""

from __future__ import annotations

from support.frame_runs import Runs


def test_a_folder_of_stills_that_grows_never_renumbers(runs: Runs) -> None:
    runs.still("cam/m.png", 1)
    runs.still("cam/n.png", 2)
    runs.look()
    runs.index()
    runs.still("cam/a.png", 3)
    runs.remove("videos/cam/n.png")
    runs.look()
    runs.index()
    number = runs.video("cam").video_no
    assert runs.archive.frames.images_of(number) == {"cam/m.png": 0, "cam/a.png": 2}
    runs.remove("videos/cam/a.png")
    runs.look()
    runs.index()
    runs.still("cam/b.png", 4)
    runs.still("cam/n.png", 2)
    runs.look()
    runs.index()
    assert runs.archive.frames.images_of(number) == {"cam/m.png": 0, "cam/b.png": 3, "cam/n.png": 4}


def test_a_replaced_still_is_another_frame(runs: Runs) -> None:
    for name in "abc":
        runs.still(f"cam/{name}.png", ord(name))
    runs.look()
    runs.index()
    runs.still("cam/b.png", 77)
    runs.touch("videos/cam/c.png")
    runs.look()
    runs.index()
    number = runs.video("cam").video_no
    assert runs.archive.frames.images_of(number) == {"cam/a.png": 0, "cam/c.png": 2, "cam/b.png": 3}


def test_a_moved_folder_of_stills_keeps_its_frames_and_can_be_read(runs: Runs) -> None:
    runs.still("cam/a.png", 1)
    runs.look()
    runs.index()
    runs.move("videos/cam", "videos/east")
    runs.look()
    assert runs.archive.videos.lacking_frames(10) == []
    runs.still("east/0.png", 2)
    runs.look()
    runs.index()
    assert runs.archive.frames.images_of(runs.video("east").video_no) == {"east/a.png": 0, "east/0.png": 1}


def test_a_still_that_cannot_be_read_is_named_and_numbered_once_it_can(runs: Runs) -> None:
    runs.still("cam/a.png", 1)
    runs.drop("videos/cam/b.png", "half an image")
    runs.look()
    runs.index()
    assert runs.state("cam")[0] == "partial"
    assert "cam/b.png" in str(runs.state("cam")[1])
    runs.still("cam/b.png", 2)
    runs.look()
    runs.index()
    assert runs.state("cam") == ("indexed", None)
    assert set(runs.archive.frames.images_of(runs.video("cam").video_no)) == {"cam/a.png", "cam/b.png"}


def test_stills_at_the_root_and_in_folders_below_are_videos_apart(runs: Runs) -> None:
    runs.still("top.png", 1)
    runs.still("cam/low.png", 2)
    runs.look()
    runs.index()
    assert runs.statuses() == {".": "indexed", "cam": "indexed"}
    assert runs.frames(".") == runs.frames("cam") == [0]

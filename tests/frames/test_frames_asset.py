"""The asset `frames` run by Dagster over a key range: what it writes of good, broken, changed and missing videos."""

from __future__ import annotations

import io

from al_assets.settings import parse_settings
from resources.errors import StorageError
from resources.storage import Storage
from support.clips import truncated
from support.frame_runs import Runs


def test_broken_videos_among_good_ones_end_with_an_error_and_stop_nothing(runs: Runs) -> None:
    runs.clip("good-1.mp4")
    cut = truncated(runs.clip("whole.mkv", n=40), 0.6)
    cut.rename(runs.root / "videos/cut.mkv")
    headless = truncated(runs.clip("other.mp4", n=20, first=40), 0.5)
    headless.rename(runs.root / "videos/no-index.mp4")
    runs.drop("videos/empty.mp4", "")
    runs.drop("videos/notes.txt", "camera 3 was turned on Tuesday")
    runs.clip("good-2.mp4", first=100)
    runs.look()
    runs.index()
    states = {path: runs.state(path)[0] for path in runs.statuses()}
    assert states == {
        "cut.mkv": "partial",
        "empty.mp4": "failed",
        "good-1.mp4": "indexed",
        "good-2.mp4": "indexed",
        "no-index.mp4": "failed",
        "notes.txt": "failed",
        "other.mp4": "indexed",
        "whole.mkv": "indexed",
    }
    errors = {path: runs.state(path)[1] for path in states}
    assert all(bool(errors[path]) == (status != "indexed") for path, status in states.items())
    assert all("\n" not in (error or "") for error in errors.values())
    assert 0 < len(runs.frames("cut.mkv")) < 40
    assert runs.frames("good-2.mp4") == list(range(12))
    assert runs.archive.videos.lacking_frames(10) == []


def test_a_broken_file_that_is_replaced_by_the_whole_one_is_indexed(runs: Runs) -> None:
    runs.drop("videos/a.mp4", "half of a vid")
    runs.look()
    runs.index()
    assert runs.state("a.mp4")[0] == "failed"
    runs.clip("a.mp4")
    runs.look()
    runs.index()
    assert runs.state("a.mp4") == ("indexed", None)


def test_running_again_gives_the_same_rows(runs: Runs) -> None:
    runs.clip("a.mp4")
    runs.look()
    runs.index()
    before = runs.archive.frames.of_video(1)
    runs.index()
    assert runs.archive.frames.of_video(1) == before


def test_a_file_that_went_before_the_run_leaves_what_is_known_of_it(runs: Runs) -> None:
    runs.clip("a.mp4")
    runs.clip("b.mp4", first=50)
    runs.look()
    runs.index()
    runs.settings = parse_settings({"frames": {"frames_per_second": 5}})
    runs.move("videos/a.mp4", "away.mp4")
    runs.index()
    assert runs.state("a.mp4") == ("indexed", None)
    assert len(runs.frames("a.mp4")) == 12
    assert len(runs.frames("b.mp4")) == 6
    assert runs.archive.videos.lacking_frames(5) == [runs.video("a.mp4").video_id]
    runs.move("away.mp4", "videos/a.mp4")
    runs.look(1)
    runs.index()
    assert len(runs.frames("a.mp4")) == 6


def test_a_video_never_seen_and_gone_is_tried_when_it_is_back(runs: Runs) -> None:
    runs.clip("a.mp4")
    runs.look()
    runs.move("videos/a.mp4", "away.mp4")
    runs.index()
    assert runs.state("a.mp4") == ("registered", None)
    runs.move("away.mp4", "videos/b.mp4")
    runs.look()
    runs.index()
    assert runs.state("b.mp4") == ("indexed", None)


def test_a_run_over_all_keys_leaves_replaced_and_retired_videos_as_they_are(runs: Runs) -> None:
    runs.clip("a.mp4")
    runs.clip("b.mp4", first=60)
    runs.look()
    runs.index()
    old = runs.video("a.mp4")
    runs.archive.videos.retire(runs.video("b.mp4").video_id)
    runs.clip("a.mp4", n=5, first=120)
    runs.look()
    result = runs.index()
    (event, *_) = result.asset_materializations_for_node("frames")
    assert event.metadata["videos"].value == 1
    assert runs.archive.videos.by_status() == {"indexed": 1, "retired": 1, "superseded": 1}
    assert runs.frames("b.mp4") == []
    assert runs.archive.frames.of_video(old.video_no).num_rows == 12
    assert len(runs.frames("a.mp4")) == 5


class ReplacedOnceRead(Storage):
    """Storage in which something happens to a file between its decoding and the commit."""

    def exists(self, path: str) -> bool:
        return super().exists(path)

    def source(self, path: str) -> str | io.BytesIO:  # type: ignore[override]
        WHEN_READ[path]()
        return super().source(path)  # type: ignore[return-value]


WHEN_READ: dict[str, object] = {}


def test_a_video_replaced_while_it_is_read_stays_replaced(runs: Runs) -> None:
    runs.clip("a.mp4")
    runs.look()
    old = runs.video("a.mp4")

    def replace() -> None:
        WHEN_READ["videos/a.mp4"] = lambda: None
        runs.clip("a.mp4", first=90)
        runs.look()

    WHEN_READ["videos/a.mp4"] = replace
    runs.index(storage=ReplacedOnceRead(url=str(runs.root)))
    assert runs.archive.videos.get([old.video_id])[0].status == "superseded"
    assert runs.state("a.mp4")[0] == "registered"
    runs.index()
    assert runs.state("a.mp4")[0] == "indexed"


def test_a_video_touched_while_it_is_read_is_not_read_again(runs: Runs) -> None:
    runs.clip("a.mp4")
    runs.look()

    def touch() -> None:
        runs.touch("videos/a.mp4")
        runs.look()

    WHEN_READ["videos/a.mp4"] = touch
    runs.index(storage=ReplacedOnceRead(url=str(runs.root)))
    assert runs.state("a.mp4")[0] == "indexed"
    assert runs.archive.videos.lacking_frames(10) == []


class FailsOnce(Storage):
    """Storage that fails at the second file, once, and says what was read."""

    def source(self, path: str) -> str | io.BytesIO:  # type: ignore[override]
        READ.append(path)
        if len(READ) == 2:
            raise StorageError("the network is gone")
        return super().source(path)  # type: ignore[return-value]


READ: list[str] = []


def test_a_retried_step_does_not_read_again_what_it_committed(runs: Runs) -> None:
    READ.clear()
    for number in range(3):
        runs.clip(f"{number}.mp4", n=3, first=number * 10)
    runs.look()
    runs.index(storage=FailsOnce(url=str(runs.root)))
    assert [f"videos/{number}.mp4" for number in (0, 1, 2, 1)] == READ
    assert runs.archive.videos.by_status() == {"indexed": 3}


def test_a_copy_makes_no_frames(runs: Runs) -> None:
    clip = runs.clip("a.mp4")
    runs.drop("videos/b.mp4", clip.read_bytes())
    runs.look()
    runs.index()
    assert runs.archive.frames.count() == 12

"""Smaller vectors, from a line in al.toml to the old ones' leaving, by ticks alone: real runs on tiny clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.clips import numbered, render
from support.daemon import Daemon, jobs_of

CLIPS = 10
BASE = """
[frames]
frames_per_second = 2
[training]
head = "logistic"
[promotion]
refuse_copies = false
[drift]
report = false
[sensors]
runs_in_flight = 1
"""
SMALL = f"{BASE}[embeddings]\ndimensions = 5\n[retention]\nscored_checkpoints = 1\n"


def bring(daemon: Daemon, name: str, number: int) -> None:
    """A clip of 20 frames, 4 of which are sampled; no two clips are alike."""
    frames = [frame // (1 + number % 2) + number for frame in numbered(20)]
    render(daemon.platform.environment.home / "storage" / "videos" / name, frames, rate=10)


def label_everything(daemon: Daemon) -> None:
    """An export that says of each frame whether its clip's number is odd."""
    known = daemon.rows("SELECT f.frame_id, v.path FROM frames f JOIN videos v ON v.video_id = f.video_id")
    rows = [f"{r.frame_id},{'odd' if int(r.path[4:6]) % 2 else 'even'}" for r in known.itertuples()]
    text = "\n".join(["frame_id,label", *rows, ""])
    daemon.archive.storage.write("label_exports/all.csv", text.encode())


def vectors(daemon: Daemon) -> dict[int, int]:
    """Dimensions -> vectors in the archive."""
    found = daemon.rows(
        "SELECT e.dimensions AS d, COUNT(*) AS n FROM embeddings v"
        " JOIN embedders e ON e.embedder_id = v.embedder_id GROUP BY e.dimensions"
    )
    return dict(zip(found["d"].tolist(), found["n"].tolist(), strict=True))


def served(daemon: Daemon) -> tuple[str, int]:
    """The model that serves, and the frames that it has scored; the view must show its rows alone."""
    serving = daemon.archive.models.serving()
    assert serving is not None
    shown = daemon.rows("SELECT DISTINCT checkpoint_id FROM current_predictions")
    assert shown["checkpoint_id"].tolist() == [serving.checkpoint_id]
    scored = daemon.one(f"SELECT COUNT(*) FROM frame_scores WHERE checkpoint_id = '{serving.checkpoint_id}'")
    return serving.checkpoint_id, int(str(scored))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An installation with ten clips, all labelled, and a model that serves; vectors as the backbone gives them."""
    home = tmp_path / "home"
    with Daemon(home, BASE) as daemon:
        daemon.round()
        for number in range(CLIPS):
            bring(daemon, f"clip{number:02d}.mp4", number)
        assert jobs_of(daemon.until_quiet()) == ["ingest_videos"]
        label_everything(daemon)
        assert jobs_of(daemon.until_quiet()) == ["learn"]
        assert vectors(daemon) == {1280: 4 * CLIPS}
    return home


def test_smaller_vectors_take_over_by_ticks_alone_and_the_old_ones_leave(home: Path) -> None:
    with Daemon(home, SMALL) as daemon:
        first, frames = served(daemon)
        read = daemon.one("SELECT COUNT(*) FROM materializations WHERE asset = 'frames'")

        (fitting,) = daemon.ask("embedder_switch")
        assert (fitting.job_name, fitting.tags["al/reason"]) == (
            "score",
            "a projection to 5 dimensions is to be fitted",
        )
        daemon.run(fitting)
        assert served(daemon) == (first, frames)

        bring(daemon, "clip10.mp4", 10)
        daemon.ask("video_arrivals")
        # The new video is read and gets both embedders' vectors, the others are converted without being read.
        (new,) = daemon.ask("video_arrivals")
        assert jobs_of([new]) == ["ingest_videos"]
        daemon.run(new)
        assert vectors(daemon) == {1280: frames + 4, 5: 4}
        (others,) = daemon.ask("video_arrivals")
        assert jobs_of([others]) == ["ingest_videos:embeddings"]
        assert daemon.ask("embedder_switch") == []
        assert f"{CLIPS} videos lack vectors" in daemon.messages["embedder_switch"]

        # The model that serves goes on seeing what is new while the others are being converted.
        with daemon.under_way(others):
            scoring = [each for each in daemon.ask("video_arrivals") if each.job_name == "score"]
        daemon.run(scoring[0])
        assert served(daemon) == (first, frames + 4)
        daemon.run(others)
        assert vectors(daemon) == {1280: frames + 4, 5: frames + 4}
        assert (
            daemon.one("SELECT COUNT(*) FROM materializations WHERE asset = 'frames'") == int(str(read)) + 1
        )

        assert "learn" in jobs_of(daemon.until_quiet())
        second, scored = served(daemon)
        assert second != first
        assert scored == frames + 4
        assert vectors(daemon) == {5: frames + 4}
        reason = daemon.archive.models.decisions()["reason"].tolist()[-1]
        assert "-pca5-" in reason
        assert daemon.rows("SELECT cause FROM incidents").empty

        bring(daemon, "clip11.mp4", 11)
        daemon.until_quiet()
        assert vectors(daemon) == {5: frames + 8}
        assert served(daemon) == (second, frames + 8)

"""A batch by hand: which frames of a list may go out, why the others may not, and what is written of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from al_assets.by_hand import by_hand_plan, pick
from al_assets.frame_names import UnknownFrameError
from al_assets.selection.assets import selection_batch
from al_assets.selection.hand_picked import MOST, HandPickedError, read_frame_list
from al_assets.settings import Settings
from resources.sql_io_manager import SqlIOManager
from support.archive_rows import ArchiveRows
from support.vector_archive import EMBEDDER, VectorArchive


@pytest.fixture
def made(tmp_path: Path) -> Iterator[VectorArchive]:
    made = VectorArchive(tmp_path)
    yield made
    made.archive.database.close()


def listed(*keys: int) -> str:
    return "frame_id,video_id,frame_index\n" + "".join(f"{key},,\n" for key in keys)


def judge(rows: ArchiveRows, frame: int) -> None:
    rows.export(1)
    rows.annotation(2**32, frame, "anna", "labelled", 1)


def test_each_frame_that_may_not_go_out_has_its_reason(made: VectorArchive) -> None:
    train, test = made.video(1, 6), made.video(2, 2, split="test")
    judge(made.rows, train[1])
    made.rows.add("selection_batches", batch_id=1)
    made.rows.add("selections", batch_id=1, rank=1, frame_id=train[2], arm="strategy")
    picked = pick(made.archive, listed(train[4], train[1], train[2], test[0], train[3], train[4]))
    assert picked.frame_ids == (train[4], train[3])
    reasons = dict(picked.refused)
    assert "judged" in reasons[str(train[1])]
    assert "in a batch" in reasons[str(train[2])]
    assert "kept for measuring (test)" in reasons[str(test[0])]


def test_a_list_of_another_archive_is_refused_whole(made: VectorArchive) -> None:
    keys = made.video(1, 2)
    with pytest.raises(UnknownFrameError, match="1 of 2 frames are not in this archive"):
        pick(made.archive, listed(keys[0], 99))


def test_the_batch_is_these_frames_in_their_order_by_hand(
    made: VectorArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = made.video(1, 8)
    # The head is not what this is about, and a row of a test has none.
    monkeypatch.setattr("al_assets.batch_pool.load_checkpoint", lambda archive, checkpoint: None)
    dg.materialize(
        [selection_batch],
        resources={
            "archive": made.archive,
            "settings": Settings(),
            "io_manager": SqlIOManager(database=made.archive.database),
        },
        run_config={"ops": {"selection_batch": {"config": {"frame_ids": [keys[5], keys[2]]}}}},
    )
    assert made.rows.query("SELECT strategy, embedder_id, budget, selected FROM selection_batches") == [
        ("by_hand", EMBEDDER, 2, 2)
    ]
    assert made.rows.query("SELECT frame_id, arm, propensity FROM selections ORDER BY rank") == [
        (keys[5], "strategy", None),
        (keys[2], "strategy", None),
    ]


def test_what_changed_since_the_list_was_looked_at_is_refused(made: VectorArchive) -> None:
    keys = made.video(1, 2)
    judge(made.rows, keys[0])
    with pytest.raises(HandPickedError, match="judged"):
        by_hand_plan(made.archive, keys)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("label\nzero\n", "header must be frame_id"),
        ("", "header must be frame_id"),
        ("frame_id\nabc\n", "row 2"),
        ("frame_id,image\n,\n", "row 2 names no frame"),
        ("frame_id\n" + "1\n" * (MOST + 1), "send fewer"),
    ],
)
def test_a_list_that_is_none_says_why(text: str, why: str) -> None:
    with pytest.raises(HandPickedError, match=why):
        read_frame_list(text)


def test_frames_may_be_named_by_video_or_by_image() -> None:
    names, references = read_frame_list(
        "\ufeffvideo_id,frame_index,image\nclip-1,7,\n,,stills/clip-1/00000008.jpg\n"
    )
    assert names == ["clip-1/7", "stills/clip-1/00000008.jpg"]
    assert references[0].frame_index == 7

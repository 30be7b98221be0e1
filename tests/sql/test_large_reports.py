"""What the reports read of a large archive, beside the views that they read of a small one."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest

from al_assets.keys import video_no_of
from resources.queries.large_reports import LargeReportQueries
from resources.queries.reports import ReportQueries
from support.archive_rows import ArchiveRows

MARCH = datetime(2026, 3, 2, 12)


@pytest.fixture
def frames(archive: ArchiveRows) -> list[int]:
    """Two videos, four classes of which the last counts as the first, a model in doubt, labels and a batch."""
    found = archive.video(1, [0, 400, 800], site="ford", recorded_at=MARCH) + archive.video(
        2, [0, 9], site="hill"
    )
    archive.video(3, status="failed", error="it is empty")
    archive.add("frames", frame_id=found[-1] + 1, video_id="v2", duplicate_of=found[-1])
    archive.classes("ann", "ben", "cat")
    archive.add("classes", class_id=4, name="anna", aliases="[]", active=1, merged_into=1)
    archive.export(1)
    archive.serve("m")
    archive.annotation(2**32, found[0], "eva", "labelled", 1)
    archive.label(found[0], 1)
    archive.label(found[0], 2, present=0)
    archive.label(found[3], 3)
    archive.add("selection_batches", batch_id=1, run_id="r", tasks_uri="x", created_at=MARCH)
    for rank, key in enumerate((found[0], found[1]), 1):
        archive.add("selections", batch_id=1, rank=rank, frame_id=key, arm="strategy")
    pairs = ((1, 2, 0.15), (2, 4, 0.1), (1, 4, 0.05), (3, 1, 0.5), (4, 3, 0.01))
    for key, (top, runner, margin) in zip(found, pairs, strict=True):
        score = {"top_class_id": top, "runner_up_class_id": runner, "margin": margin}
        archive.add("frame_scores", checkpoint_id="m", frame_id=key, **score)
        archive.add("frame_scores", checkpoint_id="old", frame_id=key, top_class_id=2, runner_up_class_id=1)
        archive.predict("m", key, (top, 0.6))
    return found


@pytest.fixture
def large(archive: ArchiveRows, frames: list[int]) -> LargeReportQueries:
    """The queries over it."""
    assert frames
    return LargeReportQueries(archive.database)


def test_the_overview_is_that_of_the_view(archive: ArchiveRows, large: LargeReportQueries) -> None:
    found, view = large.overview(), ReportQueries(archive.database).overview()
    names = [
        "video_id",
        "path",
        "site",
        "status",
        "frames",
        "duplicates",
        "labelled_frames",
        "waiting_frames",
    ]
    assert found[names].to_dict("list") == view[names].to_dict("list")
    assert found["frames"].tolist() == [3, 3, 0]
    assert found["duplicates"].tolist() == [0, 1, 0]
    assert found["waiting_frames"].tolist() == [1, 0, 0]
    assert found["recorded_at"].iloc[0] == MARCH


def test_pairs_among_all_videos_are_those_of_the_view(
    archive: ArchiveRows, large: LargeReportQueries
) -> None:
    view = ReportQueries(archive.database).confused_pairs(9)
    found = large.confused_pairs("m", [1, 2], 9)
    pd.testing.assert_frame_equal(found, view[list(found.columns)], check_dtype=False)
    assert found["uncertain_frames"].tolist() == [2, 1]
    assert large.confused_pairs("m", [1], 9)["frames"].tolist() == [2]
    assert large.confused_pairs("m", [], 9).empty


def test_doubtful_frames_among_all_videos_are_those_of_all(
    archive: ArchiveRows, large: LargeReportQueries, frames: list[int]
) -> None:
    every = ReportQueries(archive.database).doubtful("m", (1, 2), 9)
    found = large.doubtful("m", (1, 2), [1, 2], 9)
    pd.testing.assert_frame_equal(found, every[list(found.columns)], check_dtype=False)
    assert found["frame_id"].tolist() == [frames[1], frames[0]]


def test_frames_are_counted_by_class_with_merged_classes_as_one(large: LargeReportQueries) -> None:
    found = large.class_frames("m")
    assert found["class_name"].tolist() == ["ann", "cat", "ben"]
    assert found["predicted_frames"].tolist() == [3, 1, 1]
    assert found["labelled_frames"].tolist() == [1, 1, 0]
    assert large.class_frames(None)["labelled_frames"].sum() == 2


def test_predicted_frames_are_counted_by_video(large: LargeReportQueries, frames: list[int]) -> None:
    found = large.predicted_by_video("m", [1, 3])
    rows = {(row.video_no, row.class_id): row.frames for row in found.itertuples()}
    assert rows == {(1, 1): 2, (2, 3): 1}
    assert set(found["video_no"]) == {int(video_no_of(key)) for key in frames}

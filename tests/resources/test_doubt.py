"""The least certain open frames: in order, each once, however many others come first and wherever the bounds lie."""

from __future__ import annotations

import numpy as np
import pytest

from resources.database import Database
from resources.queries import doubt
from resources.queries.selection import SelectionQueries
from support.archive_rows import ArchiveRows


def scored(rows: ArchiveRows, keys: list[int], margins: list[float]) -> None:
    for key, margin in zip(keys, margins, strict=True):
        rows.add("frame_scores", checkpoint_id="ck", frame_id=key, margin=margin)


def covered(rows: ArchiveRows, **frames: int) -> None:
    """What the ledger says that the checkpoint has scored, from which bounds are drawn."""
    for video_id, count in frames.items():
        ledger = {"asset": "predictions", "version": "ck", "frames_version": "1"}
        rows.add("video_coverage", video_id=video_id, frames=count, **ledger)


def doubtful(rows: ArchiveRows, limit: int = 99, **options: int) -> list[int]:
    return SelectionQueries(rows.database).least_certain("ck", limit, **options).tolist()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FIRST_PAGE", 2), ("PICKS", 1), ("GROWTH", 2)):
        monkeypatch.setattr(doubt, name, value)


@pytest.mark.usefixtures("small_pages")
def test_frames_come_by_rising_margin_and_then_by_key_whatever_the_pages(database: Database) -> None:
    rows = ArchiveRows(database)
    keys = rows.video(1, range(30))
    margins = np.random.default_rng(0).choice([0.1, 0.2, 1 / 3, 0.7], 30).tolist()
    scored(rows, keys, margins)
    covered(rows, v1=30)
    rows.add("frame_scores", checkpoint_id="other", frame_id=keys[0], margin=0.0)
    expected = [key for _, key in sorted(zip(margins, keys, strict=True))]
    assert doubtful(rows) == expected
    for limit in (1, 2, 5, 14):
        assert doubtful(rows, limit) == expected[:limit]


@pytest.mark.usefixtures("small_pages")
def test_ties_larger_than_a_page_are_got_past(database: Database) -> None:
    rows = ArchiveRows(database)
    keys = rows.video(1, range(25))
    scored(rows, keys, [0.0] * 20 + [0.5] * 5)
    covered(rows, v1=25)
    assert doubtful(rows) == keys


@pytest.mark.usefixtures("small_pages")
def test_who_cannot_be_picked_is_passed_over(database: Database) -> None:
    rows = ArchiveRows(database)
    rows.export(1)
    keys = rows.video(1, range(8))
    held_out = rows.video(2, range(3), split="test")
    unreadable = rows.video(3, range(3), status="failed")
    rows.add("frames", frame_id=keys[-1] + 1, video_id="v1", duplicate_of=keys[0])
    scored(rows, [*held_out, *unreadable, keys[-1] + 1], [0.0] * 7)
    scored(rows, keys, [n / 10 for n in range(8)])
    covered(rows, v1=9, v2=3, v3=3)
    rows.annotation(2**32, keys[0], "anna", "cannot_tell")
    rows.add("selections", batch_id=1, rank=1, frame_id=keys[2], arm="strategy")
    assert doubtful(rows, 4) == [keys[1], *keys[3:6]]


def test_within_a_video_the_gap_is_kept_to_the_less_certain(database: Database) -> None:
    rows = ArchiveRows(database)
    near, other = rows.video(1, [0, 1000, 2000, 2999, 4000]), rows.video(2, [500])
    scored(rows, [*near, *other], [0.5, 0.1, 0.2, 0.3, 0.4, 0.6])
    assert doubtful(rows, minimum_gap_ms=2000) == [near[1], near[4], other[0]]
    assert doubtful(rows, minimum_gap_ms=1000) == [near[1], near[2], near[4], near[0], other[0]]


def test_without_scores_nobody_is_doubtful(database: Database) -> None:
    assert doubtful(ArchiveRows(database)) == []


def test_bounds_that_the_sample_sets_too_low_or_too_high_lose_nobody(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    rows = ArchiveRows(database)
    keys = rows.video(1, range(20))
    scored(rows, keys, [n / 20 for n in range(20)])
    for bounds in ([], [0.0], [0.5], [0.2, 0.25, 0.9], [2.0]):
        monkeypatch.setattr(doubt, "_bounds", lambda *_, given=bounds: given)
        assert doubtful(rows) == keys


def test_only_a_large_version_is_read_in_bands(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    rows = ArchiveRows(database)
    scored(rows, rows.video(1, range(100)), [n / 100 for n in range(100)])
    covered(rows, v1=100)
    assert doubt._bounds(database, "ck", 100) == []
    assert doubt._bounds(database, "ck", 10) == pytest.approx([0.099, 0.792])

"""The least certain open frames by the index: in order, each once, however many others come first."""

from __future__ import annotations

import numpy as np
import pytest

from resources.database import Database
from resources.queries import doubt
from resources.queries.doubt import page_query
from resources.queries.selection import SelectionQueries
from support.archive_rows import ArchiveRows

INDEX = "ix_frame_scores_checkpoint_id_margin"


def scored(rows: ArchiveRows, keys: list[int], margins: list[float]) -> None:
    for key, margin in zip(keys, margins, strict=True):
        rows.add("frame_scores", checkpoint_id="ck", frame_id=key, margin=margin)


def doubtful(rows: ArchiveRows, limit: int = 99, **options: int) -> list[int]:
    return SelectionQueries(rows.database).least_certain("ck", limit, **options).tolist()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubt, "FIRST_PAGE", 2)
    monkeypatch.setattr(doubt, "LARGEST_PAGE", 2)


@pytest.mark.usefixtures("small_pages")
def test_frames_come_by_rising_margin_and_then_by_key_whatever_the_pages(database: Database) -> None:
    rows = ArchiveRows(database)
    keys = rows.video(1, range(30))
    margins = np.random.default_rng(0).choice([0.1, 0.2, 1 / 3, 0.7], 30).tolist()
    scored(rows, keys, margins)
    rows.add("frame_scores", checkpoint_id="other", frame_id=keys[0], margin=0.0)
    expected = [key for _, key in sorted(zip(margins, keys, strict=True))]
    assert doubtful(rows) == expected
    assert doubtful(rows, 1) == expected[:1]


@pytest.mark.usefixtures("small_pages")
def test_ties_larger_than_a_page_are_got_past(database: Database) -> None:
    rows = ArchiveRows(database)
    keys = rows.video(1, range(25))
    scored(rows, keys, [0.0] * 20 + [0.5] * 5)
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


@pytest.mark.parametrize("margin", [None, 0.25])
def test_sqlite_reads_a_page_from_the_index_alone_and_sorts_nothing(
    sqlite_database: Database, margin: float | None
) -> None:
    text = page_query("ck", 1000, margin).compile(
        sqlite_database.engine, compile_kwargs={"literal_binds": True}
    )
    with sqlite_database.read() as connection:
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
    assert len(plan) == 1
    assert f"USING COVERING INDEX {INDEX} (checkpoint_id=?" in plan[0]


@pytest.mark.parametrize("margin", [None, 0.25])
def test_postgresql_reads_a_page_by_the_index(postgresql_database: Database, margin: float | None) -> None:
    text = page_query("ck", 1000, margin).compile(
        postgresql_database.engine, compile_kwargs={"literal_binds": True}
    )
    with postgresql_database.read() as connection:
        # On an empty table any plan costs nothing.
        for off in ("seqscan", "bitmapscan", "sort"):
            connection.exec_driver_sql(f"SET LOCAL enable_{off} = off")
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {text}"))
    assert INDEX in plan
    assert "Index Cond: " in plan

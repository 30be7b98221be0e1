"""Open frames counted by video and drawn without naming them all: the same frames as the plain query has."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.queries.open_frames import ChangedMeanwhileError, OpenFrames
from resources.queries.selection import SelectionQueries
from resources.tables import frames
from support.archive_rows import ArchiveRows

TRAIN = ("train",)


def vector(rows: ArchiveRows, *keys: int) -> None:
    for key in keys:
        rows.add("embeddings", embedder_id="e", frame_id=key, vector=b"\0\0")


def covered(rows: ArchiveRows, number: int, frames_covered: int, version: str = "1") -> None:
    rows.add(
        "video_coverage",
        asset="embeddings",
        version="e",
        video_id=f"v{number}",
        frames_version=version,
        frames=frames_covered,
    )


@pytest.fixture
def archive(database: Database) -> ArchiveRows:
    """Videos of five frames: whole with a repeat, held in part, without coverage, half embedded, changed, others."""
    rows = ArchiveRows(database)
    rows.add("embedders", embedder_id="e", dimensions=1)
    rows.export(1)
    rows.export(2, "undone")
    times = range(0, 5000, 1000)
    whole = rows.video(1, times, frames_version="1", site="gate")
    rows.add("frames", frame_id=whole[-1] + 1, video_id="v1", duplicate_of=whole[0], pts_ms=5000)
    vector(rows, *whole, whole[-1] + 1)
    covered(rows, 1, 6)
    partly = rows.video(2, times, frames_version="1")
    vector(rows, *partly)
    covered(rows, 2, 5)
    rows.annotation(2**32, partly[1], "anna", "nobody")
    rows.annotation(2**33, partly[2], "anna", "nobody", export_id=2)
    rows.add("selections", batch_id=1, rank=1, frame_id=partly[3], arm="random")
    rows.add("selections", batch_id=1, rank=2, frame_id=partly[1], arm="random")
    vector(rows, *rows.video(3, times))
    vector(rows, *rows.video(4, times)[1:3])
    changed = rows.video(5, times, frames_version="2", site="gate")
    vector(rows, *changed[:4])
    covered(rows, 5, 5)
    vector(rows, *rows.video(6, times, split="test"))
    vector(rows, *rows.video(7, times, status="failed"))
    rows.video(8)
    return rows


def population(rows: ArchiveRows, splits: tuple[str, ...] = TRAIN, **options: bool) -> OpenFrames:
    return SelectionQueries(rows.database).population("e", splits, **({"repeats": False} | options))


def everything(found: OpenFrames) -> list[int]:
    return found.take(np.arange(len(found))).tolist()


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("splits", [("train",), ("validation", "test"), ("train", "test")])
def test_the_population_is_what_the_plain_query_lists(
    archive: ArchiveRows, splits: tuple[str, ...], repeats: bool
) -> None:
    plain = SelectionQueries(archive.database).open_frames("e", splits, repeats=repeats)
    found = population(archive, splits, repeats=repeats)
    assert everything(found) == plain["frame_id"].to_pylist()
    assert len(found) == sum({"train": 19 + repeats, "test": 5}.get(split, 0) for split in splits)


def test_a_draw_comes_in_the_order_asked_for(archive: ArchiveRows) -> None:
    found = population(archive)
    order = np.random.default_rng(0).permutation(len(found))[:9]
    assert found.take(order).tolist() == [everything(found)[place] for place in order]
    assert found.take(np.empty(0, np.int64)).tolist() == []


def test_sites_hold_the_population_back(archive: ArchiveRows) -> None:
    found = SelectionQueries(archive.database).population("e", TRAIN, repeats=False, sites=["gate"])
    assert {key >> 24 for key in everything(found)} == {1, 5}


def test_clips_are_those_that_may_hold_an_open_frame(archive: ArchiveRows) -> None:
    assert population(archive).clips().tolist() == [1, 2, 3, 4, 5, 8]


def test_where_coverage_vouches_for_a_video_its_vectors_are_not_looked_up(database: Database) -> None:
    rows = ArchiveRows(database)
    rows.video(1, range(3), frames_version="1")
    covered(rows, 1, 3)
    assert len(population(rows)) == 3
    covered(rows, 2, 3)
    rows.video(2, range(3), frames_version="2")
    assert len(population(rows)) == 3


def test_an_archive_that_changes_before_the_draw_is_not_drawn_from_wrongly(archive: ArchiveRows) -> None:
    found = population(archive)
    assert len(found) == 19
    with archive.database.write() as connection:
        connection.execute(sa.delete(frames).where(frames.c.frame_id == everything(found)[0]))
    with pytest.raises(ChangedMeanwhileError, match=r"video number 1 changed .*; run `select_batch` again"):
        found.take(np.array([3]))


def test_an_empty_archive_has_nobody_to_draw(database: Database) -> None:
    assert len(population(ArchiveRows(database))) == 0


def test_a_sample_under_a_restriction_is_all_where_few_and_uniform_where_many(archive: ArchiveRows) -> None:
    queries = SelectionQueries(archive.database)
    keys = queries.open_frames("e", TRAIN, repeats=False)["frame_id"].to_pylist()
    for place, key in enumerate(keys):
        archive.add(
            "frame_scores", checkpoint_id="ck", frame_id=key, confidence=0.1 if place else 0.9, margin=0.5
        )
    only = queries.restriction("ck", confidence_below=0.5)
    table, count = queries.sample("e", 99, only, np.random.default_rng(0))
    assert (table["frame_id"].to_pylist(), count) == (keys[1:], 18)
    drawn = [queries.sample("e", 6, only, np.random.default_rng(seed))[0] for seed in range(60)]
    assert all(len(set(each["frame_id"].to_pylist())) == 6 for each in drawn)
    times = np.bincount(
        [keys.index(key) for each in drawn for key in each["frame_id"].to_pylist()], minlength=19
    )
    assert times[0] == 0
    assert times[1:].min() >= 8  # 20 expected of each; 8 or fewer in one of 600 such tests
    assert times[1:].max() <= 34


def test_sqlite_counts_a_video_by_the_range_of_its_keys(sqlite_database: Database) -> None:
    query = population(ArchiveRows(sqlite_database)).count_query()
    text = query.compile(sqlite_database.engine, compile_kwargs={"literal_binds": True})
    with sqlite_database.read() as connection:
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
    assert any("SEARCH frames USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in line for line in plan)


def test_taken_frames_are_judged_or_queued_and_found_by_their_keys(archive: ArchiveRows) -> None:
    taken = SelectionQueries(archive.database).taken()
    assert taken["frame_id"].to_pylist() == [2 * 2**24 + 5, 2 * 2**24 + 15]
    assert taken["pts_ms"].to_pylist() == [1000, 3000]


def test_sites_of_training_videos_are_known_by_number(archive: ArchiveRows) -> None:
    archive.video(9, site="pond", split="test")
    assert SelectionQueries(archive.database).sites() == {1: "gate", 5: "gate"}

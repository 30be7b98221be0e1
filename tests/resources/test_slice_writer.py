"""A slice is replaced whole, in every table, or not at all; on every dialect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.database import Database
from resources.errors import DatabaseError, SchemaMismatchError, SliceMismatchError
from resources.slice_writer import SliceWriter
from resources.slices import KeyList, KeyRange, Slice, Update
from resources.tables import frames as frames_table
from resources.tables import materializations
from support.rows import NOW, breaks_after, count, embeddings, frames, video_slice

HOSTILE = "x' OR 1=1 --"


@pytest.fixture
def writer(database: Database) -> SliceWriter:
    return SliceWriter(database)


def test_rows_come_back_as_they_were_written(database: Database, writer: SliceWriter) -> None:
    rows = frames(n=5)
    rows.loc[2, "duplicate_of"] = rows["frame_id"][1]
    rows["image_path"] = ["a.jpg", None, "Gänse/b.jpg", "", "c'd.jpg"]
    writer.write("frames", video_slice(rows), now=NOW)
    read = database.fetch(sa.select(frames_table).order_by(frames_table.c.frame_id))
    assert read.to_pylist() == rows.astype(object).where(rows.notna(), None).to_dict("records")
    assert read["phash"].to_pylist() == [-1, 0, 1, 2, 3]


def test_a_rewrite_replaces_its_slice_only(database: Database, writer: SliceWriter) -> None:
    for video_no in (1, 2):
        writer.write("frames", video_slice(frames(video_no, 5), video_no), now=NOW)
    writer.write("frames", video_slice(frames(1, 2)), now=NOW)
    assert count(database, "frames", video_id="clip-1") == 2
    assert count(database, "frames", video_id="clip-2") == 5


def test_a_failed_rewrite_keeps_the_previous_rows(database: Database, writer: SliceWriter) -> None:
    # https://github.com/dagster-io/dagster/issues/14091
    writer.write("frames", video_slice(frames(n=3)), now=NOW)
    with pytest.raises(OSError, match="middle of a frame"):
        writer.write("frames", video_slice(breaks_after(1, frames(n=5))), now=NOW)
    assert count(database, "frames", video_id="clip-1") == 3


def test_an_error_of_the_database_keeps_the_previous_rows(database: Database, writer: SliceWriter) -> None:
    writer.write("frames", video_slice(frames(n=3)), now=NOW)
    twice = pd.concat([frames(n=5), frames(n=1)])
    part = replace(video_slice(twice), name="clip-1")
    with pytest.raises(DatabaseError, match=r"^writing frames \(clip-1\): ") as caught:
        writer.write("frames", part, now=NOW)
    assert count(database, "frames") == 3
    assert str(frame_range(1)[0]) not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_wrong_column_is_named_before_anything_is_deleted(database: Database, writer: SliceWriter) -> None:
    writer.write("frames", video_slice(frames(n=3)), now=NOW)
    wrong = frames().drop(columns="phash").assign(colour="red")
    with pytest.raises(SchemaMismatchError, match=r"frames: columns missing phash; extra colour"):
        writer.write("frames", video_slice(wrong), now=NOW)
    with pytest.raises(
        SchemaMismatchError, match=r"width is string, expected int32; pts_ms is|pts_ms .*width"
    ):
        writer.write(
            "frames", video_slice(frames().assign(width="640", pts_ms="0").astype({"width": str})), now=NOW
        )
    assert count(database, "frames") == 3


def test_a_late_wrong_batch_changes_nothing(database: Database, writer: SliceWriter) -> None:
    writer.write("frames", video_slice(frames(n=3)), now=NOW)
    batches = iter([frames(n=2), frames(n=2).assign(width=None)])
    with pytest.raises(SchemaMismatchError, match="width has 2 nulls"):
        writer.write("frames", video_slice(batches), now=NOW)
    assert count(database, "frames") == 3


def test_rows_outside_the_slice_are_refused(database: Database, writer: SliceWriter) -> None:
    with pytest.raises(SliceMismatchError, match="frames: 3 of 3 rows lie outside the slice by frame_id"):
        writer.write("frames", video_slice(frames(2), video_no=1), now=NOW)
    assert count(database, "frames") == 0


def test_a_hostile_key_is_a_key_like_any_other(database: Database, writer: SliceWriter) -> None:
    writer.write("frames", video_slice(frames(1)), now=NOW)
    hostile = Slice({"video_id": HOSTILE}, {"frames": frames(2, video_id=HOSTILE)})
    for _ in range(2):
        writer.write("frames", hostile, now=NOW)
    several = Slice({"video_id": KeyList((HOSTILE, "nobody"))}, {"frames": frames(2, 1, video_id=HOSTILE)})
    writer.write("frames", several, now=NOW)
    assert count(database, "frames", video_id=HOSTILE) == 1
    assert count(database, "frames") == 4


def test_an_empty_frame_empties_its_slice(database: Database, writer: SliceWriter) -> None:
    writer.write("frames", video_slice(frames(n=3)), now=NOW)
    assert writer.write("frames", video_slice(frames(n=0)), now=NOW).rows == 0
    writer.write("frames", video_slice(frames(n=3)), now=NOW)
    assert writer.write("frames", video_slice(iter(())), now=NOW).rows == 0
    assert count(database, "frames") == 0


def test_a_slice_of_two_tables_is_written_whole_or_not_at_all(
    database: Database, writer: SliceWriter
) -> None:
    where = {"frame_id": KeyRange(*frame_range(1))}
    writer.write("both", Slice(where, {"frames": frames(1, 3), "embeddings": embeddings(1, 3)}), now=NOW)
    torn = {"frames": frames(1, 9), "embeddings": pa.concat_tables([embeddings(1, 1), embeddings(1, 1)])}
    with pytest.raises(DatabaseError):
        writer.write("both", Slice(where, torn), now=NOW)
    assert (count(database, "frames"), count(database, "embeddings")) == (3, 3)


def test_a_restriction_that_a_table_lacks_is_refused(writer: SliceWriter) -> None:
    rows = {"frames": frames(1, 1), "embeddings": embeddings(1, 1)}
    with pytest.raises(SliceMismatchError, match="embeddings has no column video_id"):
        writer.write("both", Slice({"video_id": "clip-1"}, rows), now=NOW)
    named = {"frames.video_id": "clip-1", "embeddings.frame_id": KeyRange(*frame_range(1))}
    assert writer.write("both", Slice(named, rows), now=NOW).by_table == {"frames": 1, "embeddings": 1}
    with pytest.raises(SliceMismatchError, match="brings no rows of it"):
        writer.write("both", Slice({"labels.frame_id": 1}, rows), now=NOW)


def test_an_upsert_replaces_rows_by_key(database: Database, writer: SliceWriter) -> None:
    writer.write("frames", Slice({}, {"frames": frames(1, 20)}), mode="append", now=NOW)
    newer = pd.concat([frames(1, 2, brightness=0.1), frames(1, 40, brightness=0.9)])
    writer.write("frames", Slice({}, {"frames": newer}), mode="upsert", now=NOW)
    read = database.fetch(sa.select(frames_table.c.brightness))["brightness"].to_pylist()
    assert read == [0.9] * 40


def test_an_append_adds_and_never_deletes(database: Database, writer: SliceWriter) -> None:
    for video_no in (1, 2):
        writer.write("frames", Slice({}, {"frames": frames(video_no)}), mode="append", now=NOW)
    with pytest.raises(DatabaseError):
        writer.write("frames", Slice({}, {"frames": frames(2)}), mode="append", now=NOW)
    assert count(database, "frames") == 6


def test_an_update_belongs_to_the_transaction(database: Database, writer: SliceWriter) -> None:
    serving = {"slot": 1, "checkpoint_id": "a", "promotion_id": 1, "since_at": NOW}
    writer.write("serving", Slice({}, {"serving": pd.DataFrame([serving])}), now=NOW)
    moved = Update("serving", {"slot": np.int64(1)}, {"checkpoint_id": "b", "promotion_id": np.int64(2)})
    writer.write("frames", Slice({"video_id": "clip-1"}, {"frames": frames()}, updates=[moved]), now=NOW)
    assert count(database, "serving", checkpoint_id="b", promotion_id=2) == 1
    lost = Update("serving", {"slot": 7}, {"checkpoint_id": "c"})
    with pytest.raises(DatabaseError, match="update of serving by slot touched 0 rows"):
        writer.write(
            "frames", Slice({"video_id": "clip-1"}, {"frames": frames(n=1)}, updates=[lost]), now=NOW
        )
    assert count(database, "frames") == 3


def test_every_commit_leaves_a_row_with_the_hash(database: Database, writer: SliceWriter) -> None:
    first = writer.write("frames", video_slice(frames(n=4)), run_id="r1", code_version="7", now=NOW)
    again = writer.write(
        "frames", video_slice(iter([frames(n=4)[:1], frames(n=4)[1:]])), run_id="r2", now=NOW
    )
    rows = database.fetch(
        sa.select(materializations).order_by(materializations.c.materialization_id)
    ).to_pylist()
    assert [row["run_id"] for row in rows] == ["r1", "r2"]
    assert first.content_hash == again.content_hash == rows[0]["content_hash"] == rows[1]["content_hash"]
    assert (rows[0]["asset"], rows[0]["rows"], rows[0]["code_version"]) == ("frames", 4, "7")
    assert rows[0]["slice"] == "frame_id 16777216..33554431"
    assert rows[0]["committed_at"] == NOW


def test_an_unknown_table_or_mode_is_refused_by_name(writer: SliceWriter) -> None:
    with pytest.raises(SchemaMismatchError, match="no table 'frame'"):
        writer.write("frames", Slice({}, {"frame": frames()}), now=NOW)
    with pytest.raises(ValueError, match="write_mode 'merge' is not one of replace, upsert, append"):
        writer.write("frames", video_slice(frames()), mode="merge", now=NOW)  # type: ignore[arg-type]

"""Lazy rows: projections and key ranges, in batches, in the order of the key."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from al_assets.keys import frame_range
from resources.database import Database
from resources.errors import SchemaMismatchError
from resources.lazy_rows import LazyRows
from resources.slice_writer import SliceWriter
from resources.slices import KeyList, KeyRange, KeyRanges, Slice
from support.rows import NOW, frames


@pytest.fixture
def rows(database: Database) -> LazyRows:
    writer = SliceWriter(database)
    for video_no in (3, 1, 2):
        writer.write("frames", Slice({}, {"frames": frames(video_no, 10)}), mode="append", now=NOW)
    return LazyRows(database, "frames")


def test_batches_come_in_the_order_of_the_key(rows: LazyRows) -> None:
    batches = list(rows.select("frame_id").iter_batches(12))
    assert [batch.num_rows for batch in batches] == [12, 12, 6]
    keys = pa.Table.from_batches(batches)["frame_id"].to_pylist()
    assert keys == sorted(keys)


def test_a_key_range_is_inclusive(rows: LazyRows) -> None:
    first = frame_range(2)[0]
    assert rows.between("frame_id", first, first + 4).count() == 5
    assert rows.between("frame_id", *frame_range(2)).to_pandas()["video_id"].unique().tolist() == ["clip-2"]


def test_many_keys_and_ranges_are_cut_into_statements(rows: LazyRows) -> None:
    many = KeyList(tuple(f"clip-{number}" for number in range(2, 1_500)))
    assert LazyRows(rows.database, "frames", where={"video_id": many}).count() == 20
    ranges = KeyRanges(tuple(KeyRange(*frame_range(number)) for number in range(2, 1_500)))
    assert (
        LazyRows(rows.database, "frames", where={"frame_id": ranges, "video_id": many}).to_table().num_rows
        == 20
    )
    assert LazyRows(rows.database, "frames", where={"video_id": KeyList(())}).count() == 0


def test_an_empty_selection_has_the_schema(rows: LazyRows) -> None:
    empty = rows.select("frame_id", "image_path").between("frame_id", 0, 1).to_table()
    assert empty.schema.types == [pa.int64(), pa.string()]
    assert empty.num_rows == 0


def test_they_pickle(rows: LazyRows) -> None:
    assert pickle.loads(pickle.dumps(rows)).count() == 30


def test_an_unknown_table_is_named(database: Database) -> None:
    with pytest.raises(SchemaMismatchError, match="no table 'nothing'"):
        LazyRows(database, "nothing").count()

"""Assets write and read SQL tables under a real `materialize`, on every dialect."""

# No `from __future__ import annotations`: Dagster reads the annotations of assets themselves.

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.database import Database
from resources.errors import SchemaMismatchError
from resources.lazy_rows import LazyRows
from resources.slices import KeyRange, Slice, Update
from resources.sql_io_manager import SqlIOManager
from resources.tables import materializations, videos
from support.rows import NOW, count, embeddings, frames, video_slice

KEYS = ["clip-1", "clip-2", "clip-3"]
VIDEOS = dg.StaticPartitionsDefinition(KEYS)
ALL = {"dagster/asset_partition_range_start": KEYS[0], "dagster/asset_partition_range_end": KEYS[-1]}


def numbers(context: dg.AssetExecutionContext) -> list[int]:
    return [KEYS.index(key) + 1 for key in context.partition_keys]


def writing(value: Any, *, partitions: bool = False, **metadata: Any) -> dg.AssetsDefinition:
    """An asset `frames` that returns the value, or what the value makes of its context."""

    @dg.asset(
        name="frames",
        partitions_def=VIDEOS if partitions else None,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        metadata=metadata,
        code_version="3",
    )
    def made(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(value=value(context) if isinstance(value, Callable) else value)  # type: ignore[arg-type]

    return made


def run(database: Database, *assets: dg.AssetsDefinition, **options: Any) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        assets, resources={"io_manager": SqlIOManager(database=database)}, raise_on_error=False, **options
    )


def metadata_of(result: dg.ExecuteInProcessResult) -> Mapping[str, Any]:
    assert result.success
    return {
        key: entry.value
        for key, entry in result.asset_materializations_for_node("frames")[0].metadata.items()
    }


@pytest.mark.parametrize(
    "rows",
    [
        frames(1, 4),
        pa.Table.from_pandas(frames(1, 4), preserve_index=False),
        {"frames": frames(1, 4)},
        video_slice(frames(1, 4)),
        [frames(1, 4).iloc[:1], frames(1, 4).iloc[1:]],
        lambda _: (frames(1, 4).iloc[[row]] for row in range(4)),
        lambda _: (video_slice(frames(number, 2), number) for number in (1, 2)),
    ],
    ids=["pandas", "arrow", "mapping", "slice", "list", "generator", "generator of slices"],
)
def test_every_form_of_rows_is_written(sqlite_database: Database, rows: Any) -> None:
    assert metadata_of(run(sqlite_database, writing(rows)))["dagster/row_count"] == 4
    assert count(sqlite_database, "frames") == 4


def test_rows_without_partitions_replace_the_whole_table(database: Database) -> None:
    run(database, writing(frames(1, 4)))
    assert run(database, writing(frames(2, 1))).success
    assert count(database, "frames") == 1


def test_one_run_over_a_range_of_partitions_replaces_each(database: Database) -> None:
    run(database, writing(lambda _: (video_slice(frames(number, 5), number) for number in (1, 2, 3))))
    rewriting = writing(
        lambda context: (frames(number, 2) for number in numbers(context)[:2]), partitions=True
    )
    assert run(database, rewriting, tags=ALL).success
    assert [count(database, "frames", video_id=key) for key in KEYS] == [2, 2, 0]


def test_one_partition_leaves_the_others_alone(database: Database) -> None:
    asset = writing(lambda context: frames(numbers(context)[0], 2), partitions=True)
    for key in KEYS:
        found = metadata_of(run(database, asset, partition_key=key))
        assert found["dagster/partition_row_count"] == 2
    assert metadata_of(run(database, asset, partition_key="clip-2"))["slices"] == 1
    assert count(database, "frames") == 6


def test_a_partition_without_rows_is_emptied(database: Database) -> None:
    run(database, writing(lambda context: frames(1, 3), partitions=True), partition_key="clip-1")
    empty = writing(lambda context: frames(1, 0), partitions=True)
    assert metadata_of(run(database, empty, partition_key="clip-1"))["dagster/row_count"] == 0
    assert count(database, "frames") == 0


def test_rows_of_another_partition_are_refused(database: Database) -> None:
    asset = writing(lambda context: frames(2, 2), partitions=True)
    assert not run(database, asset, partition_key="clip-1").success
    assert count(database, "frames") == 0


@pytest.mark.parametrize("nothing", [None, [], iter(())], ids=["None", "list", "iterator"])
def test_nothing_is_written_and_nothing_deleted_where_nothing_is_returned(
    sqlite_database: Database, nothing: Any
) -> None:
    run(sqlite_database, writing(frames(1, 3)))
    found = metadata_of(run(sqlite_database, writing(nothing)))
    assert ("dagster/row_count" in found, found["slices"]) == (False, 0)
    assert found["dagster/table_name"] == "frames"
    assert count(sqlite_database, "frames") == 3


def test_slices_before_a_failed_one_stand(database: Database) -> None:
    def third_fails(context: dg.AssetExecutionContext) -> Iterator[Slice]:
        yield video_slice(frames(1, 2), 1)
        yield video_slice(frames(2, 2), 2)
        yield video_slice(frames(3, 2).drop(columns="width"), 3)

    result = run(database, writing(third_fails, partitions=True), tags=ALL)
    assert not result.success
    assert "missing width" in str(result.failure_data_for_node("frames"))
    assert [count(database, "frames", video_id=key) for key in KEYS] == [2, 2, 0]


def test_a_slice_may_hold_several_tables_and_an_update(database: Database) -> None:
    def both(context: dg.AssetExecutionContext) -> Slice:
        return Slice(
            {"frame_id": KeyRange(*frame_range(1))},
            {"frames": frames(1, 3), "embeddings": embeddings(1, 2)},
            name="video_id = clip-1",
        )

    found = metadata_of(run(database, writing(both)))
    assert found["dagster/row_count"] == 3
    assert found["rows_by_table"] == {"frames": 3, "embeddings": 2}
    assert (count(database, "frames"), count(database, "embeddings")) == (3, 2)
    moved = Slice(
        {}, {"embeddings": embeddings(1, 1)}, updates=[Update("serving", {"slot": 1}, {"promotion_id": 1})]
    )
    assert not run(database, writing(moved)).success
    assert count(database, "embeddings") == 2


def test_write_modes_come_from_the_metadata(database: Database) -> None:
    run(database, writing(frames(1, 3), write_mode="append"))
    assert not run(database, writing(frames(1, 1), write_mode="append")).success
    assert run(database, writing(frames(1, 5, brightness=0.9), write_mode="upsert")).success
    assert count(database, "frames", brightness=0.9) == 5
    assert not run(database, writing(frames(1, 1), write_mode="merge")).success
    assert count(database, "frames") == 5


def test_the_table_may_be_named_in_the_metadata(database: Database) -> None:
    found = metadata_of(run(database, writing(embeddings(1, 2), table="embeddings")))
    assert found["dagster/table_name"] == "embeddings"
    assert count(database, "embeddings") == 2


def test_a_write_leaves_its_metadata(sqlite_database: Database) -> None:
    rows = {"embeddings": embeddings(1, 7)}
    found = metadata_of(run(sqlite_database, writing(rows, table="embeddings")))
    assert found["dagster/row_count"] == 7
    schema = found["dagster/column_schema"]
    assert [(c.name, c.type) for c in schema.columns][2] == ("vector", "BLOB")
    assert schema.columns[2].description == "packed little-endian float16 values"
    assert not schema.columns[2].constraints.nullable
    assert "| e1 | 16777216 | <8 bytes> |" in found["preview"]
    assert found["preview"].count("\n") == 6
    assert found["seconds"] >= 0
    again = metadata_of(run(sqlite_database, writing(rows, table="embeddings")))
    assert len(found["content_hash"]) == 64
    assert again["content_hash"] == found["content_hash"]


def test_a_committed_slice_names_its_run(sqlite_database: Database) -> None:
    result = run(sqlite_database, writing(lambda c: frames(1, 2), partitions=True), partition_key="clip-1")
    (row,) = sqlite_database.fetch(sa.select(materializations)).to_pylist()
    assert (row["asset"], row["slice"], row["rows"]) == ("frames", "video_id = clip-1", 2)
    assert (row["run_id"], row["code_version"]) == (result.run_id, "3")


def test_inputs_come_as_annotated(database: Database) -> None:
    seen: dict[str, Any] = {}

    @dg.asset
    def as_pandas(frames: pd.DataFrame) -> None:
        seen["pandas"] = frames

    @dg.asset(ins={"frames": dg.AssetIn(metadata={"columns": ["frame_id", "width"]})})
    def as_arrow(frames: pa.Table) -> None:
        seen["arrow"] = frames

    @dg.asset
    def as_lazy(frames: LazyRows) -> None:
        seen["lazy"] = frames.count(), [batch.num_rows for batch in frames.iter_batches(2)]

    assert run(database, writing(frames(1, 3)), as_pandas, as_arrow, as_lazy).success
    assert seen["pandas"]["pts_ms"].tolist() == [0, 40, 80]
    assert seen["arrow"].schema.names == ["frame_id", "width"]
    assert seen["lazy"] == (3, [2, 1])


def test_partitioned_inputs_have_the_rows_of_their_partitions(database: Database) -> None:
    seen: dict[str, list[str]] = {}

    @dg.asset(partitions_def=VIDEOS, backfill_policy=dg.BackfillPolicy.single_run())
    def same(context: dg.AssetExecutionContext, frames: pa.Table) -> None:
        seen[str(len(context.partition_keys))] = sorted(set(frames["video_id"].to_pylist()))

    @dg.asset
    def everything(frames: LazyRows) -> None:
        seen["all"] = sorted(set(frames.to_pandas()["video_id"]))

    asset = writing(lambda context: (video_slice(frames(n, 2), n) for n in numbers(context)), partitions=True)
    assert run(database, asset, tags=ALL).success
    assert run(database, asset, same, selection=[same], partition_key="clip-2").success
    assert run(database, asset, same, selection=[same], tags=ALL).success
    assert run(database, asset, everything, selection=[everything]).success
    assert seen == {"1": ["clip-2"], "3": KEYS, "all": KEYS}


def test_a_table_of_frames_without_video_id_is_read_by_key_ranges(database: Database) -> None:
    lengths: list[int] = []
    registered = [
        {"video_id": key, "video_no": n + 1, "kind": "video", "path": key, "etag": "e", "size_bytes": 1}
        | {"content_hash": key, "split": "train", "status": "registered", "registered_at": NOW}
        for n, key in enumerate(KEYS)
    ]
    with database.write() as connection:
        connection.execute(sa.insert(videos), registered)

    @dg.asset(partitions_def=VIDEOS)
    def down(frames: pa.Table) -> None:
        lengths.append(frames.num_rows)

    def vectors(context: dg.AssetExecutionContext) -> pa.Table:
        return embeddings(numbers(context)[0], numbers(context)[0])

    asset = writing(vectors, partitions=True, table="embeddings")
    for key in KEYS:
        assert run(database, asset, down, partition_key=key).success
    assert lengths == [1, 2, 3]
    assert count(database, "embeddings") == 6


def test_an_input_of_another_type_says_what_can_be_asked_for(sqlite_database: Database) -> None:
    @dg.asset
    def down(frames: dict[str, int]) -> None: ...

    result = run(sqlite_database, writing(frames(1, 1)), down)
    assert "annotate it pandas.DataFrame, pyarrow.Table or LazyRows" in str(
        result.failure_data_for_node("down")
    )


def test_a_value_that_is_no_rows_is_refused(sqlite_database: Database) -> None:
    result = run(sqlite_database, writing(7))
    assert "cannot write int; return a Slice" in str(result.failure_data_for_node("frames"))
    with pytest.raises(SchemaMismatchError, match="no table 'nothing'"):
        dg.materialize(
            [writing(frames(1, 1), table="nothing")],
            resources={"io_manager": SqlIOManager(database=sqlite_database)},
        )

"""An error that will not pass surfaces at once, in one line: what was written, what is wrong, and none of the data."""

# No `from __future__ import annotations`: Dagster reads the annotations of assets themselves.

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.errors import DatabaseError
from resources.slice_writer import SliceWriter
from resources.slices import Slice
from resources.sql_io_manager import SqlIOManager
from support.rows import NOW, count, frames, video_slice

SECRET = "Frau Mueller's kitchen"


def embedder(embedder_id: str) -> dict[str, object]:
    row = {"embedder_id": embedder_id, "backbone": "b", "weights_sha256": "0", "projection": None}
    later = ("source_embedder_id", "projection_uri", "projection_sha256", "variance_kept")
    return {**row, "dimensions": 4, "created_at": NOW, **dict.fromkeys(later)}


def serving(slot: int) -> dict[str, object]:
    return {"slot": slot, "checkpoint_id": SECRET, "promotion_id": 1, "since_at": NOW}


TWICE = {"embedders": pd.DataFrame([embedder(SECRET), embedder(SECRET)])}
BROKEN_RULE = {"serving": pd.DataFrame([serving(2)])}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (TWICE, r"(unique constraint|a key that is there).*embedders"),
        (BROKEN_RULE, r"constraint.*ck_serving_one_row"),
    ],
    ids=["a key twice", "a rule broken"],
)
def test_what_the_database_refuses_is_said_without_the_data(
    database: Database, rows: dict[str, pd.DataFrame], message: str
) -> None:
    attempts = []
    sa.event.listen(database.engine, "begin", attempts.append)
    with pytest.raises(DatabaseError, match=rf"(?i)^writing models \(all\): .*{message}") as caught:
        SliceWriter(database).write("models", Slice({}, rows), now=NOW)
    assert len(attempts) == 1
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    ["DROP TABLE frames", "ALTER TABLE frames DROP COLUMN width"],
    ids=["no table", "a column missing in the database"],
)
def test_tables_of_another_version_point_to_the_check(database: Database, change: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(change)
    with pytest.raises(DatabaseError, match=r"frames.*; `al db check` says how the tables differ"):
        SliceWriter(database).write("frames", video_slice(frames(1, 3)), now=NOW)


def test_a_column_of_another_type_keeps_the_old_slice(postgresql_database: Database) -> None:
    writer = SliceWriter(postgresql_database)
    writer.write("frames", video_slice(frames(1, 3)), now=NOW)
    with postgresql_database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE frames ALTER COLUMN width TYPE smallint")
    with pytest.raises(DatabaseError, match="`al db check` says how the tables differ"):
        writer.write("frames", video_slice(frames(1, 5)), now=NOW)
    assert count(postgresql_database, "frames") == 3


def test_the_run_shows_the_line_and_none_of_the_data(database: Database) -> None:
    @dg.asset(metadata={"table": "embedders"})
    def backbones() -> dg.MaterializeResult:
        return dg.MaterializeResult(value=TWICE["embedders"])

    resources = {"io_manager": SqlIOManager(database=database)}
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([backbones], instance=instance, resources=resources, raise_on_error=False)
        log = "\n".join(str(record) for record in instance.all_logs(result.run_id))
    assert "writing backbones (all): " in log
    assert SECRET not in log
    assert count(database, "embedders") == 0

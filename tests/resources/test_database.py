"""Connections, transactions, Arrow results and errors of the database resource."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.errors import BusyDatabaseError, DatabaseError
from resources.slice_writer import SliceWriter
from resources.tables import evaluations, frames, incidents, materializations
from support.rows import NOW, count, video_slice
from support.rows import frames as frame_rows


def incident(run_id: str) -> dict[str, object]:
    said = {"kind": "run", "job": "learn", "severity": "error", "cause": "c", "fix": "f"}
    return {"incident_id": run_id, "run_id": run_id, **said, "happened_at": NOW}


def insert_and_fail(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.insert(incidents), incident("r1"))
        raise KeyError("after the insert")


def test_a_write_that_raises_is_rolled_back(database: Database) -> None:
    with pytest.raises(KeyError, match="after the insert"):
        insert_and_fail(database)
    assert count(database, "incidents") == 0


@pytest.mark.parametrize("name", ["sqlite_database", "postgresql_database"])
def test_a_reader_cannot_write(request: pytest.FixtureRequest, name: str) -> None:
    database = request.getfixturevalue(name)
    with pytest.raises(DatabaseError), database.read() as connection:
        connection.execute(sa.insert(incidents), incident("r1"))


def test_what_a_reader_tries_to_write_is_not_there(database: Database) -> None:
    with suppress(DatabaseError), database.read() as connection:
        connection.execute(sa.insert(incidents), incident("r1"))
    assert count(database, "incidents") == 0
    with database.write() as connection:
        connection.execute(sa.insert(incidents), incident("r1"))
    assert count(database, "incidents") == 1


def test_columns_have_their_declared_types_even_without_rows(database: Database) -> None:
    found = database.fetch(sa.select(evaluations.c.class_id, evaluations.c.value, evaluations.c.metric))
    assert found.schema.types == [pa.int32(), pa.float64(), pa.string()]
    assert found.num_rows == 0


def test_computed_columns_are_wide(database: Database) -> None:
    SliceWriter(database).write("frames", video_slice(frame_rows(n=4)), now=NOW)
    query = sa.select(
        sa.func.count().label("n"),
        sa.func.sum(frames.c.pts_ms).label("total"),
        sa.func.max(frames.c.width).label("width"),
        sa.func.avg(frames.c.width).label("mean"),
    )
    found = database.fetch(query)
    assert found.to_pylist() == [{"n": 4, "total": 240, "width": 640, "mean": 640.0}]
    assert found.schema.field("total").type == pa.int64()


def test_textual_sql_takes_its_types_from_the_values(database: Database) -> None:
    SliceWriter(database).write("frames", video_slice(frame_rows(n=2)), now=NOW)
    query = sa.text("SELECT video_id, count(*) AS n FROM frames WHERE width = :width GROUP BY video_id")
    assert database.fetch(query, {"width": 640}).to_pylist() == [{"video_id": "clip-1", "n": 2}]
    with pytest.raises(DatabaseError, match=r"video_id, n have no type"):
        list(database.stream(query.bindparams(width=640)))


def test_times_come_back_as_times(database: Database) -> None:
    SliceWriter(database).write("frames", video_slice(frame_rows(n=1)), now=NOW)
    found = database.fetch(sa.select(sa.func.max(materializations.c.committed_at).label("at")))
    assert found.to_pylist() == [{"at": NOW}]


def test_a_stream_comes_in_batches_of_the_size_asked_for(database: Database) -> None:
    SliceWriter(database).write("frames", video_slice(frame_rows(n=2_500)), now=NOW)
    query = sa.select(frames.c.frame_id, frames.c.duplicate_of).order_by(frames.c.frame_id)
    assert [b.num_rows for b in database.stream(query, 1_200)] == [1_200, 1_200, 100]
    assert [b.num_rows for b in database.stream(query, 500)] == [500] * 5
    assert list(database.stream(query.where(frames.c.width == 1), 500)) == []
    table = pa.Table.from_batches(database.stream(query, 999))
    assert table["frame_id"].to_pylist() == frame_rows(n=2_500)["frame_id"].tolist()


def test_wal_and_immediate_transactions_on_sqlite(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    hasty = Database(url=f"{sqlite_database.url}?timeout=0.05")
    with sqlite_database.write(), pytest.raises(BusyDatabaseError, match="locked"), hasty.write():
        pytest.fail("two writers held the database")
    hasty.close()


def test_a_busy_database_is_tried_again(sqlite_database: Database) -> None:
    hasty = Database(url=f"{sqlite_database.url}?timeout=0.01")
    holder = sqlite_database.engine.connect().execution_options(al_access="write")
    holder.begin()
    attempts = []

    def attempt() -> int:
        attempts.append(1)
        if len(attempts) == 3:
            holder.rollback()
        with hasty.write() as connection:
            connection.execute(sa.insert(incidents), incident("r1"))
        return len(attempts)

    assert hasty.retry(attempt) == 3
    assert count(sqlite_database, "incidents") == 1
    holder.close()
    hasty.close()


def test_other_errors_are_not_tried_again(sqlite_database: Database) -> None:
    attempts = []
    with pytest.raises(DatabaseError, match="no such table"):
        sqlite_database.retry(
            lambda: attempts.append(1) or sqlite_database.fetch(sa.text("SELECT 1 FROM nowhere"))
        )
    assert len(attempts) == 1


def test_a_password_is_never_shown(postgresql_database: Database) -> None:
    password = sa.make_url(postgresql_database.url).password
    assert password
    assert password not in repr(postgresql_database)
    wrong = Database(url=postgresql_database.url.replace(password, "not-the-password"))
    with pytest.raises(DatabaseError, match="password authentication failed") as caught, wrong.read():
        pytest.fail("signed in with a wrong password")
    assert "not-the-password" not in str(caught.value)
    assert not isinstance(caught.value, BusyDatabaseError)


def test_a_server_out_of_reach_is_a_transient_fault(postgresql_database: Database) -> None:
    away = Database(url=str(sa.make_url(postgresql_database.url).set(port=1)))
    with pytest.raises(BusyDatabaseError), away.read():
        pytest.fail("connected to nothing")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "in-memory SQLite database cannot be shared"),
        ("sqlite:////nowhere/at/all/al.db", "folder /nowhere/at/all of the database does not exist"),
        ("al.db", "no SQLAlchemy URL"),
        ("oracle+nodriver://x/y", "driver of oracle\\+nodriver cannot be loaded"),
    ],
)
def test_a_url_that_cannot_work_says_what_to_do(url: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message), Database(url=url).read():
        pytest.fail("connected")


def test_it_pickles_for_data_loader_workers(database: Database) -> None:
    assert count(pickle.loads(pickle.dumps(database)), "frames") == 0


def test_a_forked_child_opens_its_own_connections(database: Database) -> None:
    with database.read() as connection:
        before = connection.scalar(sa.select(sa.func.count()).select_from(frames))
        child = os.fork()
        if child == 0:
            # Leaving by _exit keeps the child from closing what it inherited.
            os._exit(0 if count(database, "frames") == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert connection.scalar(sa.select(sa.func.count()).select_from(frames)) == before == 0


def open_new_file(url: str) -> str:
    database = Database(url=url)
    with database.read() as connection:
        return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())


def test_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert set(pool.map(open_new_file, [f"sqlite:///{tmp_path / 'new.db'}"] * 8)) == {"wal"}

"""Connections that break: readers get one readable line, writers go on from the spool, and no write stands twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.errors import BusyDatabaseError, CommitInDoubtError
from resources.lazy_rows import LazyRows
from resources.slice_writer import SliceWriter
from resources.slices import Slice, Update
from resources.tables import videos
from support.archive_rows import ArchiveRows
from support.rows import NOW, count, frames, video_slice
from support.tcp_proxy import Moment, Proxy, answering, asking, proxy_to, received, sent

COMMIT = b"COMMIT\0"
ROWS = 20_000  # about two million bytes of COPY


@pytest.fixture
def proxy(postgresql_database: Database) -> Iterator[Proxy]:
    """A proxy before PostgreSQL."""
    with proxy_to(sa.make_url(postgresql_database.url).port) as proxy:
        yield proxy


@pytest.fixture
def far(postgresql_database: Database, proxy: Proxy) -> Iterator[Database]:
    """The database as seen through the proxy, with a connection made."""
    url = sa.make_url(postgresql_database.url).set(port=proxy.port)
    database = Database(url=url.render_as_string(hide_password=False))
    with database.read():
        pass
    yield database
    database.close()


def produced(rows: int, produced: list[int]) -> Iterator[object]:
    """A producer that counts how often it runs."""
    produced.append(rows)
    yield frames(1, rows, brightness=0.25)


@pytest.mark.parametrize(
    "moment",
    [sent(1), asking(b"COPY"), sent(200_000), sent(1_000_000), asking(COMMIT), answering(COMMIT)],
    ids=["begin", "copy", "early rows", "late rows", "before the commit", "after the commit"],
)
def test_a_write_whose_connection_breaks_is_committed_once(
    postgresql_database: Database, far: Database, proxy: Proxy, moment: Moment
) -> None:
    SliceWriter(postgresql_database).write("frames", video_slice(frames(1, 3)), run_id="old", now=NOW)
    runs: list[int] = []
    proxy.cut(moment)
    written = SliceWriter(far).write("frames", video_slice(produced(ROWS, runs)), run_id="new", now=NOW)
    assert (proxy.cuts, runs, written.rows) == (1, [ROWS], ROWS)
    assert (
        count(postgresql_database, "frames", brightness=0.25) == count(postgresql_database, "frames") == ROWS
    )
    assert count(postgresql_database, "materializations", run_id="new") == 1


@pytest.mark.parametrize("moment", [asking(COMMIT), answering(COMMIT)], ids=["before", "after"])
def test_rows_appended_as_the_connection_breaks_stand_once(
    postgresql_database: Database, far: Database, proxy: Proxy, moment: Moment
) -> None:
    proxy.cut(moment)
    SliceWriter(far).write("drift", Slice({}, {"frames": frames(1, 5)}), mode="append", now=NOW)
    assert proxy.cuts == 1
    assert count(postgresql_database, "frames") == 5
    assert count(postgresql_database, "materializations") == 1


@pytest.mark.parametrize("moment", [asking(COMMIT), answering(COMMIT)], ids=["before", "after"])
def test_an_update_that_changes_its_own_key_is_made_once(
    postgresql_database: Database, far: Database, proxy: Proxy, moment: Moment
) -> None:
    # As `frames` does: only a video that is still registered becomes indexed.
    ArchiveRows(postgresql_database).video(1, video_id="clip-1", status="registered")
    key = {"video_id": "clip-1", "status": "registered"}
    part = Slice(
        where={"video_id": "clip-1"},
        rows={"frames": frames(1, 5)},
        updates=[Update("videos", key, {"status": "indexed"})],
    )
    proxy.cut(moment)
    SliceWriter(far).write("frames", part, now=NOW)
    assert proxy.cuts == 1
    assert count(postgresql_database, "videos", status="indexed") == 1
    assert count(postgresql_database, "frames") == 5


def test_a_read_whose_connection_breaks_is_one_readable_line(
    postgresql_database: Database, far: Database, proxy: Proxy
) -> None:
    SliceWriter(postgresql_database).write("frames", video_slice(frames(1, ROWS)), now=NOW)
    proxy.cut(received(500_000))
    seen: list[int] = []
    with pytest.raises(BusyDatabaseError) as caught:
        seen.extend(batch.num_rows for batch in LazyRows(far, "frames").iter_batches(1_000))
    assert 0 < sum(seen) < ROWS
    assert "\n" not in str(caught.value)
    assert LazyRows(far, "frames").to_table().num_rows == ROWS  # the next one has a new connection


def test_an_idle_connection_that_broke_is_replaced_unnoticed(far: Database, proxy: Proxy) -> None:
    proxy.cut(sent(1))
    assert count(far, "frames") == 0
    assert proxy.cuts == 1


def test_a_commit_in_doubt_says_so_to_whoever_writes_by_hand(
    postgresql_database: Database, far: Database, proxy: Proxy
) -> None:
    proxy.cut(answering(COMMIT))
    with pytest.raises(CommitInDoubtError, match="look whether the rows stand"), far.write() as connection:
        connection.execute(sa.delete(videos))
    assert count(postgresql_database, "videos") == 0

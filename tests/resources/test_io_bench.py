"""The measurement runs on real servers and leaves nothing behind."""

from __future__ import annotations

import sqlalchemy as sa

from resources.bench_rows import sample_frames
from resources.database import Database
from resources.io_bench import measure_io
from resources.row_checks import conform
from resources.tables import frames

SQLITE = {
    *("sqlite_write_vs_adbc", "sqlite_write_vs_to_sql", "sqlite_read_vs_adbc", "sqlite_read_vs_read_sql"),
    *("sqlite_matrix_vs_cursor", "sqlite_vectors_disk_vs_payload"),
    *("sqlite_write_peak_growth", "sqlite_read_peak_growth"),
}
POSTGRESQL = {"postgresql_write_vs_copy", "postgresql_write_peak_growth", "postgresql_read_peak_growth"}


def test_it_measures_every_ratio_it_can() -> None:
    found = measure_io(2_000)
    assert set(found["ratios"]) == SQLITE
    assert all(ratio > 0 for ratio in found["ratios"].values())
    assert {"sqlite_write_peak_mib_200_rows", "sqlite_read_peak_mib_20000_rows"} <= found["measured"].keys()


def test_it_measures_postgresql_in_a_schema_that_it_drops(postgresql_database: Database) -> None:
    found = measure_io(2_000, postgresql_database.url)
    assert set(found["ratios"]) == SQLITE | POSTGRESQL
    with postgresql_database.read() as connection:
        schemas = sa.inspect(connection).get_schema_names()
        assert connection.scalar(sa.select(sa.func.count()).select_from(frames)) == 0
    assert not [name for name in schemas if name.startswith("al_bench")]


def test_the_sample_is_what_the_table_wants() -> None:
    for batch in sample_frames(100).to_batches():
        assert conform(frames, batch).num_rows == 100

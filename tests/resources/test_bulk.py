"""Bulk paths bring back exactly what went in, whatever mix of types, nulls and repeated values."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources import bulk
from resources.arrow_types import table_schema
from resources.bulk import Dialect
from resources.database import Database
from resources.tables import Utc, materializations
from support.rows import NOW


def to_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


TABLE = sa.Table(
    "every type",
    sa.MetaData(),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("select", sa.Unicode(20)),
    sa.Column("small", sa.SmallInteger),
    sa.Column("number", sa.Integer),
    sa.Column("single", sa.REAL),
    sa.Column("double", sa.Double),
    sa.Column("blob", sa.LargeBinary),
    sa.Column("at", Utc),
    sa.Column("truth", sa.Boolean),
)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
# SQL Server keeps milliseconds, and knows no number between zero and the smallest normal one.
TIME = st.datetimes(datetime(1000, 1, 1), datetime(3000, 1, 1)).map(to_milliseconds)
FLOAT = {"allow_nan": False, "allow_infinity": False, "allow_subnormal": False}
VALUES = {
    "select": TEXT,
    "small": st.integers(-(2**15), 2**15 - 1),
    "number": st.integers(-(2**31), 2**31 - 1),
    "single": st.floats(width=32, **FLOAT),
    "double": st.floats(**FLOAT),
    "blob": st.binary(max_size=4),
    "at": TIME,
    "truth": st.booleans(),
}


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Up to 40 rows; each column varies, has nulls, repeats one value, or is absent."""
    rows = draw(st.integers(1, 40))
    first = draw(st.integers(-(2**62), 2**62))
    columns: dict[str, list[object]] = {"key": list(range(first, first + rows))}
    for name, values in VALUES.items():
        kind = draw(st.sampled_from(["varies", "nulls", "repeats", "absent"]))
        if kind == "repeats":
            columns[name] = [draw(values)] * rows
        elif kind == "absent":
            columns[name] = [None] * rows
        else:
            several = st.none() | values if kind == "nulls" else values
            columns[name] = draw(st.lists(several, min_size=rows, max_size=rows))
    schema = table_schema(TABLE)
    return pa.RecordBatch.from_arrays([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


@pytest.fixture(params=["tuned", "generic"])
def dialect(request: pytest.FixtureRequest, database: Database) -> Dialect:
    TABLE.create(database.engine)
    return bulk.dialect(database.dialect_name) if request.param == "tuned" else Dialect()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=batches())
@pytest.mark.parametrize("way", ["insert", "upsert"])
def test_what_goes_in_comes_out(
    database: Database, dialect: Dialect, way: str, batch: pa.RecordBatch
) -> None:
    with database.write() as connection:
        connection.execute(sa.delete(TABLE))
        if way == "upsert":
            dialect.insert(connection, TABLE, [batch.slice(0, 3)])
        getattr(dialect, way)(connection, TABLE, [batch.slice(0, 7), batch.slice(7)])
    found = database.fetch(sa.select(TABLE).order_by(TABLE.c.key))
    assert found.to_pylist() == batch.to_pylist()


def test_equal_rows_are_still_rows(database: Database) -> None:
    row = {"asset": "a", "slice": "s", "rows": 1, "content_hash": "h", "code_version": None, "run_id": None}
    twice = pa.Table.from_pylist([{**row, "committed_at": NOW}] * 20)
    batch = twice.cast(pa.schema([table_schema(materializations).field(n) for n in twice.column_names]))
    with database.write() as connection:
        bulk.dialect(database.dialect_name).insert(connection, materializations, batch.to_batches())
    found = database.fetch(sa.select(materializations.c.asset, materializations.c.committed_at))
    assert found.to_pylist() == [{"asset": "a", "committed_at": NOW}] * 20


def test_times_written_in_bulk_read_as_times_through_sqlalchemy(database: Database, dialect: Dialect) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 5_000, tzinfo=UTC).replace(tzinfo=None)
    rows = pa.Table.from_pylist(
        [{"key": key, "at": at if key else None} for key in range(2)], table_schema(TABLE)
    )
    with database.write() as connection:
        dialect.insert(connection, TABLE, rows.to_batches())
    with database.read() as connection:
        assert connection.scalars(sa.select(TABLE.c.at).order_by(TABLE.c.key)).all() == [None, at]
        assert connection.scalar(sa.select(TABLE.c.key).where(TABLE.c.at == at)) == 1

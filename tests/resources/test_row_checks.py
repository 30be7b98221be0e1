"""Which rows fit a table: names, types, nulls, lengths; every misfit is named, none of its values is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from resources import row_checks
from resources.errors import SchemaMismatchError
from resources.slices import RowBlock

TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(5), nullable=True),
    sa.Column("big", sa.BigInteger, nullable=True),
    sa.Column("small", sa.SmallInteger, nullable=True),
    sa.Column("share", sa.Double, nullable=False),
    sa.Column("single", sa.REAL, nullable=True),
    sa.Column("blob", sa.LargeBinary, nullable=True),
    sa.Column("happened_at", sa.DateTime, nullable=True),
)


def fitted(rows: RowBlock) -> pa.RecordBatch:
    (batch,) = row_checks.blocks(TABLE, rows)
    return row_checks.conform(TABLE, batch)


def thing(**changes: object) -> pd.DataFrame:
    """One row that fits."""
    row = {"key": 1, "name": "a", "big": 2**40, "small": 1, "share": 0.5, "single": 0.25, "blob": b"b"}
    return pd.DataFrame([{**row, "happened_at": datetime(2026, 1, 1), **changes}])


def test_columns_are_put_into_the_order_and_types_of_the_table() -> None:
    batch = fitted(thing()[["share", "key", "happened_at", "blob", "single", "small", "big", "name"]])
    assert batch.schema.names == [column.name for column in TABLE.columns]
    assert batch.schema.types[:4] == [pa.int32(), pa.string(), pa.int64(), pa.int16()]
    assert batch.to_pylist()[0]["happened_at"] == datetime(2026, 1, 1)


def test_integers_that_pandas_made_floats_go_back() -> None:
    rows = pd.concat([thing(), thing(key=2, big=None)])
    assert rows["big"].dtype == float or rows["big"].dtype == object
    assert fitted(rows.astype({"big": float})).column("big").to_pylist() == [2**40, None]


def test_nan_is_null_where_null_is_allowed() -> None:
    assert fitted(thing(single=np.nan)).column("single").to_pylist() == [None]
    arrow = pa.RecordBatch.from_pandas(thing(), preserve_index=False)
    single = pa.array([np.nan], pa.float32(), from_pandas=False)
    at = arrow.schema.get_field_index("single")
    assert fitted(arrow.set_column(at, "single", single)).column("single").to_pylist() == [None]


def test_times_with_a_zone_become_utc() -> None:
    east = timezone(timedelta(hours=3))
    assert fitted(thing(happened_at=datetime(2026, 1, 1, 3, tzinfo=east))).column(7).to_pylist() == [
        datetime(2026, 1, 1)
    ]
    assert fitted(thing(happened_at=datetime(2026, 1, 1, tzinfo=UTC))).column(7).type == pa.timestamp("us")


@pytest.mark.parametrize("kind", ["category", "str", "object"])
def test_text_of_any_pandas_type_fits(kind: str) -> None:
    assert fitted(thing().astype({"name": kind})).column("name").to_pylist() == ["a"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": np.nan}, "share has 1 nulls"),
        ({"share": np.inf}, "share has 1 values that are NaN or infinite"),
        ({"single": -np.inf}, "single has 1 values that are NaN or infinite"),
        ({"single": 1e300}, "single has 1 values that are NaN or infinite"),
        ({"key": None}, "key has 1 nulls"),
        ({"key": 1.0}, "key is double, expected int32"),
        ({"key": "1"}, "key is .*string, expected int32"),
        ({"small": 2**20}, "small has values that int16 cannot hold"),
        ({"big": 0.5}, "big has values that int64 cannot hold"),
        ({"name": 7}, "name is int64, expected string"),
        ({"name": "sixsix"}, "name has text longer than 5 characters"),
        ({"name": "ä"}, "name has letters beyond ASCII"),
        ({"name": "a\0b"}, "name has text with a NUL character"),
        ({"blob": "text"}, "blob is .*string, expected binary"),
        ({"happened_at": "2026-01-01"}, "happened_at is .*string, expected timestamp"),
    ],
)
def test_a_misfit_is_named_by_column(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SchemaMismatchError, match=f"things: {message}"):
        fitted(thing(**changes))


def test_all_misfits_are_named_at_once_and_no_value_is_shown() -> None:
    with pytest.raises(SchemaMismatchError, match=r"name .*; share .*") as caught:
        fitted(thing(name="secret-name", share=np.inf))
    assert "secret" not in str(caught.value)
    mixed = pd.concat([thing(name="secret"), thing(name=3)])
    with pytest.raises(SchemaMismatchError, match="name mixes types") as caught:
        fitted(mixed)
    assert "secret" not in str(caught.value)


def test_names_may_have_any_letter_and_an_emoji_counts_as_two() -> None:
    named = sa.Table("named", sa.MetaData(), sa.Column("name", sa.Unicode(5), nullable=False))
    for name in ("äжб日本", "abc🐒"):
        rows = pa.RecordBatch.from_pydict({"name": [name]})
        assert row_checks.conform(named, rows).column("name").to_pylist() == [name]
    with pytest.raises(SchemaMismatchError, match="name has text longer than 5 characters"):
        row_checks.conform(named, pa.RecordBatch.from_pydict({"name": ["four🐒"]}))


def test_missing_extra_and_doubled_columns_are_named() -> None:
    doubled = pd.concat([thing(), thing()[["name"]], thing()[["key"]].rename(columns={"key": "id"})], axis=1)
    with pytest.raises(SchemaMismatchError, match=r"missing blob; extra id; given twice name"):
        fitted(doubled.drop(columns="blob"))


def test_a_key_that_the_database_numbers_may_be_left_out() -> None:
    numbered = sa.Table(
        "n", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.String)
    )
    assert row_checks.insert_schema(numbered, ["a"]).names == ["a"]


def test_rows_that_are_no_frame_are_refused_by_type() -> None:
    with pytest.raises(SchemaMismatchError, match="not dict"):
        list(row_checks.blocks(TABLE, {"key": 1}))  # type: ignore[arg-type]

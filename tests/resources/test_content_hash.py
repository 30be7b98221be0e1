"""Equal rows have equal hashes, however they were cut; different rows have different ones."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.content_hash import ContentHash, combined

SCHEMA = pa.schema(
    [
        pa.field("key", pa.int64(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("number", pa.float32()),
        pa.field("blob", pa.binary()),
        pa.field("at", pa.timestamp("us")),
        pa.field("yes", pa.bool_()),
    ]
)
ROW = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.text(max_size=5),
    st.none() | st.floats(width=32, allow_nan=False).map(lambda value: value + 0.0),  # -0.0 equals 0.0
    st.none() | st.binary(max_size=5),
    st.none() | st.integers(0, 10**15),
    st.none() | st.booleans(),
)


def table(rows: list[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(SCHEMA)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def digest(batches: list[pa.RecordBatch]) -> str:
    found = ContentHash(SCHEMA)
    for batch in batches:
        found.update(batch)
    return found.hexdigest()


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(ROW, max_size=12), cuts=st.lists(st.integers(0, 12), max_size=4))
def test_the_cut_into_batches_leaves_no_trace(rows: list[tuple[object, ...]], cuts: list[int]) -> None:
    whole = table(rows)
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [b for a, z in pairwise(edges) for b in whole.slice(a, z - a).to_batches()]
    assert digest(parts) == digest(table(rows).combine_chunks().to_batches())


@settings(max_examples=60, deadline=None)
@given(one=st.lists(ROW, max_size=4), other=st.lists(ROW, max_size=4))
def test_different_rows_have_different_hashes(
    one: list[tuple[object, ...]], other: list[tuple[object, ...]]
) -> None:
    same = table(one).equals(table(other))
    assert (digest(table(one).to_batches()) == digest(table(other).to_batches())) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "", None, None, None, None), (1, None, None, None, None, None)),
        ((1, None, 0.0, None, None, None), (1, None, None, None, None, None)),
        ((1, None, None, b"", None, None), (1, None, None, None, None, None)),
        ((1, None, None, None, None, False), (1, None, None, None, None, None)),
    ],
)
def test_null_differs_from_zero_and_empty(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    assert digest(table([one]).to_batches()) != digest(table([other]).to_batches())


def test_text_does_not_run_from_row_to_row() -> None:
    rows = [
        [(1, a, None, None, None, None), (1, b, None, None, None, None)]
        for a, b in (("ab", "c"), ("a", "bc"))
    ]
    assert digest(table(rows[0]).to_batches()) != digest(table(rows[1]).to_batches())


def test_what_lies_under_a_null_does_not_count() -> None:
    plain = pa.array([1.0, 2.0], pa.float32())
    hidden = pa.Array.from_buffers(pa.float32(), 2, [pa.py_buffer(b"\x01"), plain.buffers()[1]])
    one, other = table([(1, None, 1.0, None, None, None), (2, None, None, None, None, None)]), None
    other = one.set_column(2, SCHEMA.field("number"), hidden)
    assert one.equals(other)
    assert digest(one.to_batches()) == digest(other.combine_chunks().to_batches())


def test_a_combined_hash_does_not_depend_on_the_order_of_tables() -> None:
    assert combined({"a": "1", "b": "2"}) == combined({"b": "2", "a": "1"}) != combined({"a": "2", "b": "1"})

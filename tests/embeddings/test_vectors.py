"""Packing and unpacking of float16 vectors."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from al_assets.embeddings.vectors import pack, unpack

VECTORS = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)


@given(
    hnp.arrays(
        np.float16, st.tuples(st.integers(0, 20), st.integers(1, 8)), elements=st.floats(-6e4, 6e4, width=16)
    )
)
def test_unpack_undoes_pack(vectors):
    column = pack(vectors)
    assert column.type == pa.binary()
    np.testing.assert_array_equal(unpack(column, vectors.shape[1]), vectors)
    np.testing.assert_array_equal(unpack(column.to_pylist(), vectors.shape[1]), vectors)


def test_a_value_is_the_vector_as_little_endian_halves():
    assert pack(np.array([[1.0, -2.0]]))[0].as_py() == b"\x00\x3c\x00\xc0"


def test_a_contiguous_column_is_viewed_not_copied():
    column = pack(VECTORS)
    view = unpack(column, 5)
    assert view.ctypes.data == column.buffers()[2].address
    assert unpack(pa.chunked_array([column]), 5).ctypes.data == column.buffers()[2].address
    assert unpack(column[4:], 5).ctypes.data == column.buffers()[2].address + 4 * 10


@pytest.mark.parametrize(
    "shape",
    [
        lambda column: column.slice(2, 4),
        lambda column: column[2:6].cast(pa.large_binary()),
        lambda column: column.cast(pa.binary(10))[2:6],
        lambda column: pa.chunked_array([column[2:3], column[3:3], column[3:6]]),
        lambda column: [value.as_py() for value in column[2:6]],
        lambda column: [memoryview(value.as_py()) for value in column[2:6]],
        lambda column: pa.concat_arrays([column[2:4], column[4:6]]),
    ],
)
def test_every_kind_of_column_is_unpacked(shape):
    np.testing.assert_array_equal(unpack(shape(pack(VECTORS)), 5), VECTORS[2:6].astype(np.float16))


def test_no_vectors_have_a_shape_too():
    assert unpack([], 5).shape == (0, 5)
    assert unpack(pa.chunked_array([], pa.binary()), 5).shape == (0, 5)
    assert unpack(pa.array([], pa.binary()), 5).shape == (0, 5)
    assert len(pack(np.empty((0, 5)))) == 0


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 70_000.0])
def test_a_vector_that_float16_cannot_hold_is_named(poison):
    vectors = VECTORS.copy()
    vectors[6, 2] = poison
    with pytest.raises(ValueError, match="first in row 6"):
        pack(vectors)


@pytest.mark.parametrize("wrap", [list, lambda values: pa.array(values, pa.binary())])
def test_a_vector_of_another_length_is_named(wrap):
    with pytest.raises(ValueError, match="vector 1 has 8 bytes, 10 bytes are expected"):
        unpack(wrap([b"0" * 10, b"0" * 8]), 5)
    with pytest.raises(ValueError, match="vector 1 is missing"):
        unpack(wrap([b"0" * 10, None]), 5)


def test_what_is_no_matrix_is_refused():
    with pytest.raises(ValueError, match="shape"):
        pack(np.zeros(5))
    with pytest.raises(TypeError, match="binary"):
        unpack(pa.array([1, 2]), 1)

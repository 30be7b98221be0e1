"""Bytes far away read like a file: each block once, in bounded memory and disk, and always the file's own."""

from __future__ import annotations

import gc
import io
import os
import resource
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import block_reader
from resources.block_reader import MEMORY_BLOCKS, BlockReader

BLOCK = 1000
LONG = np.random.default_rng(0).bytes(BLOCK * (MEMORY_BLOCKS + 8) - 7)


class Source:
    """Ranges of bytes, counted; fails where it is told to."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.requests = 0
        self.down = False

    def __call__(self, start: int, end: int) -> bytes:
        self.requests += 1
        if self.down:
            raise ConnectionError("the source is down")
        assert 0 <= start < end <= len(self.data)
        return self.data[start:end]


def reader(data: bytes = LONG) -> BlockReader:
    return BlockReader(Source(data), len(data), block_bytes=BLOCK)


def passes(raw: BlockReader, number: int) -> None:
    for _ in range(number):
        raw.seek(0)
        while raw.read(BLOCK):
            pass


@given(
    size=st.integers(0, 30 * BLOCK),
    moves=st.lists(st.tuples(st.integers(0, 31 * BLOCK), st.integers(0, 5 * BLOCK)), max_size=30),
)
def test_whatever_is_read_is_what_a_file_gives(size: int, moves: list[tuple[int, int]]) -> None:
    data = (LONG * 2)[:size]
    with reader(data) as raw:
        plain = io.BytesIO(data)
        for position, length in moves:
            assert raw.seek(position) == plain.seek(position)
            assert raw.read(length) == plain.read(length)
        assert raw.seek(-size, os.SEEK_END) == 0
        assert raw.read() == data


def test_going_forward_in_small_steps_fetches_each_block_once() -> None:
    with reader() as raw:
        while raw.read(64):
            pass
        assert raw.fetched_bytes == len(LONG)
        assert not raw.is_local


def test_going_to_and_fro_between_a_few_places_fetches_each_block_once() -> None:
    with reader() as raw:
        for step in range(0, 7 * BLOCK, 100):
            for place in (0, 8 * BLOCK, 16 * BLOCK):
                raw.seek(place + step)
                raw.read(100)
        assert raw.fetched_bytes == 21 * BLOCK


def test_a_reader_that_jumps_about_ends_up_with_the_file_on_disk() -> None:
    with reader() as raw:
        passes(raw, 4)
        assert raw.is_local
        assert raw.fetched_bytes <= 2 * len(LONG) + BLOCK
        raw.seek(0)
        assert raw.read(len(LONG)) == LONG


def test_the_copy_on_disk_has_no_name_and_goes_with_the_reader() -> None:
    folder = Path(tempfile.gettempdir())
    raw = reader()
    passes(raw, 2)
    assert raw.is_local
    assert not list(folder.glob("al-blocks-*"))
    held = len(os.listdir("/proc/self/fd"))
    raw.close()
    assert len(os.listdir("/proc/self/fd")) == held - 1


@pytest.mark.parametrize("bound", [0, len(LONG) - 1])
def test_a_file_beyond_the_bound_is_read_on_without_a_copy(
    monkeypatch: pytest.MonkeyPatch, bound: int
) -> None:
    monkeypatch.setattr(block_reader, "LOCAL_BYTES", bound)
    with reader() as raw:
        passes(raw, 3)
        assert not raw.is_local
        raw.seek(5)
        assert raw.read(3 * BLOCK) == LONG[5 : 5 + 3 * BLOCK]


def test_a_disk_that_fills_up_is_done_without() -> None:
    with reader() as raw, room_for(4 * BLOCK):
        passes(raw, 3)
        assert not raw.is_local
        assert raw.fetched_bytes >= 3 * len(LONG)
        raw.seek(0)
        assert raw.read(len(LONG)) == LONG


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Files of this process may not grow beyond the size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("from_disk", [False, True])
def test_a_request_that_failed_is_asked_again_and_never_reads_as_zeros(from_disk: bool) -> None:
    # fsspec's MMapCache takes the block for fetched from then on.
    source = Source(LONG)
    with BlockReader(source, len(LONG), block_bytes=BLOCK) as raw:
        if from_disk:
            passes(raw, 1)
            raw.seek(0)
            raw.read(BLOCK)
            raw.read(BLOCK)
        assert raw.is_local == from_disk
        source.down = True
        raw.seek(3 * BLOCK)
        with pytest.raises(ConnectionError):
            raw.read(BLOCK)
        source.down = False
        assert raw.tell() == 3 * BLOCK
        assert raw.read(BLOCK) == LONG[3 * BLOCK : 4 * BLOCK]


def test_a_closed_reader_holds_no_block() -> None:
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(20):
            with BlockReader(lambda start, end: bytes(end - start), 16 << 16, block_bytes=1 << 16) as raw:
                passes(raw, 1)
        assert tracemalloc.get_traced_memory()[0] < 2 << 20
    finally:
        tracemalloc.stop()
        gc.enable()


def test_a_place_before_the_beginning_is_refused() -> None:
    with reader() as raw, pytest.raises(OSError, match="before the beginning"):
        raw.seek(-1)

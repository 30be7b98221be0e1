"""A file's interface over ranges of bytes that are far away, with a cache of bounded memory and disk.

What the bytes are, and where they come from, is not known here. Blocks in memory are fsspec's BlockCache. Ours are
the position in the file and the blocks on disk: fsspec's file object belongs to its Azure file system (adlfs),
which reads whatever version of a blob is there at the moment; its MMapCache takes a block for read before it was
fetched, so that after one failed request it reads as zeros, and kills the process where the disk is full.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

from fsspec.caching import BlockCache

BLOCK_BYTES = 4 << 20
"""Bytes of one request: a decoder reads forward, and a request costs some ten milliseconds."""
MEMORY_BLOCKS = 16
"""Blocks kept in memory, the least recently used go first: 64 MiB for each open file at most."""
LOCAL_BYTES = 8 << 30
"""A larger file is never kept on this machine; nor one that takes more than half of what is free there."""

Fetch = Callable[[int, int], bytes]


class BlockReader(io.RawIOBase):
    """Reads a file in blocks, each fetched once where that can be had.

    A reader that moves forward, or between a few places (the index of an mp4 at its end, sound beside pictures),
    is served from memory. One that jumps about fetches blocks again; as soon as more was fetched than the file
    has, blocks are kept in a temporary file, which has no name and goes with `close` or the process. Where the
    file is larger than LOCAL_BYTES or than half of the free space of the temporary folder, or the disk is full
    after all, reading goes on from memory: slower, and still right.

    fetch(start, end) gives the bytes from start to before end, of one version of the file, or raises.
    """

    def __init__(self, fetch: Fetch, size: int, *, block_bytes: int = BLOCK_BYTES) -> None:
        self._source = fetch
        self._size = size
        self._position = 0
        self._memory = BlockCache(block_bytes, self._fetch, size, MEMORY_BLOCKS)
        self._disk: _DiskBlocks | None = None
        self._may_spill = True
        self.fetched_bytes = 0
        """Bytes fetched so far."""

    @property
    def is_local(self) -> bool:
        """Whether blocks are kept in a temporary file by now."""
        return self._disk is not None

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; nothing is fetched. OSError before the beginning."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("seek before the beginning of the file")
        self._position = start + offset
        return self._position

    def readall(self) -> bytes:
        """The rest, fetched in one piece past the cache: who reads all of it reads it once."""
        data = self._fetch(self._position, self._size)
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the file goes."""
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        data = self._blocks(self._position, end)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Free memory and disk."""
        if not self.closed:
            self._forget()
            self._drop_disk()
        super().close()

    def _fetch(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        data = self._source(start, min(end, self._size))
        self.fetched_bytes += len(data)
        return data

    def _blocks(self, start: int, end: int) -> bytes:
        if self._may_spill and self.fetched_bytes > self._size:
            self._may_spill = False
            if self._size <= min(LOCAL_BYTES, shutil.disk_usage(tempfile.gettempdir()).free // 2):
                self._disk = _DiskBlocks(self._memory.blocksize, self._size)
                self._forget()
        if self._disk is not None:
            try:
                return self._disk.read(start, end, self._fetch)
            except _DiskFullError:
                self._drop_disk()
        # fsspec's own file object reads its caches by this method; they have no other.
        return self._memory._fetch(start, end)

    def _forget(self) -> None:
        # The cache and its table of blocks hold each other, so they would stay until the collector comes.
        self._memory._fetch_block_cached.cache_clear()

    def _drop_disk(self) -> None:
        if self._disk is not None:
            self._disk.close()
            self._disk = None


class _DiskFullError(Exception):
    """The temporary file took no more."""


class _DiskBlocks:
    """Blocks of a file in a temporary file without a name."""

    def __init__(self, block_bytes: int, size: int) -> None:
        self._file = tempfile.TemporaryFile(prefix="al-blocks-", buffering=0)  # noqa: SIM115 - closed by close
        self._block_bytes = block_bytes
        self._size = size
        self._there: set[int] = set()

    def read(self, start: int, end: int, fetch: Fetch) -> bytes:
        """Bytes from start to before end; what is not there yet is fetched."""
        for block in range(start // self._block_bytes, -(-end // self._block_bytes)):
            if block not in self._there:
                at = block * self._block_bytes
                self._keep(at, fetch(at, min(at + self._block_bytes, self._size)))
                self._there.add(block)
        self._file.seek(start)
        return self._file.read(end - start) or b""

    def _keep(self, at: int, data: bytes) -> None:
        try:
            self._file.seek(at)
            written = self._file.write(data)
        except OSError as error:
            raise _DiskFullError from error
        if written != len(data):
            raise _DiskFullError

    def close(self) -> None:
        self._file.close()

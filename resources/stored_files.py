"""What every kind of storage has in common: how a file is described, and which paths and names count.

Values and rules only; no file is touched here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, BinaryIO, Protocol

from upath import UPath

from resources.block_reader import BLOCK_BYTES
from resources.errors import UnsafePathError

UNFINISHED = (".part", ".tmp", ".crdownload", ".partial")


@dataclass(frozen=True)
class StoredFile:
    """A file in storage as a listing shows it."""

    path: str
    """Relative to the storage root, with "/" on every system."""
    size_bytes: int
    etag: str
    """Changes whenever the content may have changed; compared, never parsed."""
    modified_at: datetime
    """UTC, with zone."""


class Files(Protocol):
    """One kind of storage. Paths are clean already; errors are StorageError."""

    def walk(self, prefix: str) -> Iterator[StoredFile]:
        """Every file whose path begins with the prefix, in any order."""

    def open(
        self, path: str, block_bytes: int = BLOCK_BYTES, shown: tuple[str, int] | None = None
    ) -> BinaryIO:
        """The file, seekable; read in pieces of so many bytes where each costs a request.

        shown: etag and size by a listing, of the version that is to be read.
        """

    def write(self, path: str, data: bytes | IO[bytes]) -> None:
        """Write whole or not at all."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def delete(self, path: str) -> None:
        """Remove the file if there is one."""

    def uri(self, path: str) -> str:
        """A link for people."""

    def upath(self, path: str) -> UPath:
        """The path for fsspec and its friends; the root for an empty one."""


def clean(path: str) -> str:
    """The path as it is used, or UnsafePathError where it would leave the root or mean different things elsewhere."""
    parts = path.split("/")
    unsafe = (
        not path
        or any(part in ("", ".", "..") for part in parts)
        or "\\" in path
        or any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in path)
        or (len(parts[0]) == 2 and parts[0][1] == ":")
    )
    if unsafe:
        raise UnsafePathError(
            f"{path!r} is not a path below the storage root; use names joined by single slashes"
        )
    return path


def is_shown(path: str) -> bool:
    """Whether a listing shows the file: not hidden, not half-written, not an editor's or office's leavings."""
    *folders, name = path.split("/")
    hidden = any(part.startswith(".") for part in (*folders, name))
    return not (hidden or name.lower().endswith(UNFINISHED) or name.endswith("~") or name.startswith("~"))

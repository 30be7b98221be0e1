"""Storage in a local folder. Only what a file system needs; the interface is in `storage.py`.

fsspec's local file system serves `upath` and not the platform itself: it lists a folder that may not be read as an
empty one, does not follow links to folders, and writes straight into the old file.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO

from upath import UPath

from resources.errors import FileMissingError, StorageError
from resources.stored_files import StoredFile

NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class LocalFolder:
    """Files below one folder. Links are followed: owners link whole archives into `videos/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def walk(self, prefix: str) -> Iterator[StoredFile]:
        """Every file whose path begins with the prefix."""
        with _listing(self.root):
            self._check_root()
            folder = self.root / prefix.rpartition("/")[0]
            if self._is_folder(folder):
                inside = prefix.rpartition("/")[0]
                found = self._below(str(folder), f"{inside}/" if inside else "", frozenset())
                yield from (file for file in found if file.path.startswith(prefix))

    def open(self, path: str, block_bytes: int = 0, shown: tuple[str, int] | None = None) -> BinaryIO:
        """The file as it is now, seekable; the system reads ahead, whatever block_bytes says."""
        try:
            return (self.root / path).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            self._check_root()
            raise FileMissingError(f"there is no file {path} in {self.root}") from None
        except OSError as error:
            raise StorageError(f"{path} in {self.root} cannot be read: {error.strerror}") from error

    def write(self, path: str, data: bytes | IO[bytes]) -> None:
        """Write whole or not at all: a neighbour is written, synced and moved over the old file."""
        target = self.root / path
        neighbour = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with neighbour.open("xb") as stream:
                if isinstance(data, bytes):
                    stream.write(data)
                else:
                    shutil.copyfileobj(data, stream, 1 << 20)
                stream.flush()
                os.fsync(stream.fileno())
            neighbour.replace(target)
            _sync(target.parent)
        except OSError as error:
            raise StorageError(f"{path} cannot be written to {self.root}: {error.strerror}") from error
        finally:
            with suppress(OSError):
                neighbour.unlink()

    def exists(self, path: str) -> bool:
        """Whether there is such a file. StorageError where that cannot be known."""
        try:
            # Path.is_file takes every error for "no", on newer Pythons even a folder that may not be read.
            return stat.S_ISREG((self.root / path).stat().st_mode)
        except OSError as error:
            if error.errno in NOT_THERE:
                self._check_root()
                return False
            raise StorageError(f"{path} in {self.root} cannot be looked up: {error.strerror}") from error

    def delete(self, path: str) -> None:
        """Remove the file; nothing happens where there is none."""
        try:
            (self.root / path).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{path} in {self.root} cannot be deleted: {error.strerror}") from error

    def uri(self, path: str) -> str:
        """A link that a browser on this machine opens."""
        return (self.root / path).absolute().as_uri()

    def upath(self, path: str) -> UPath:
        """The path for fsspec and its friends."""
        return UPath(self.root.absolute() / path)

    def _check_root(self) -> None:
        """A disk that is not mounted is not an empty archive, and its files are not missing."""
        with _listing(self.root):
            if not self._is_folder(self.root):
                raise StorageError(
                    f"the folder {self.root} does not exist; create it or correct AL_STORAGE_URL"
                )

    def _is_folder(self, folder: Path) -> bool:
        try:
            return stat.S_ISDIR(folder.stat().st_mode)
        except OSError as error:
            if error.errno not in NOT_THERE:
                raise
            if folder.is_symlink():
                raise StorageError(
                    f"{folder} is a link to nowhere; is the disk that it leads to mounted?"
                ) from None
            return False

    def _below(self, folder: str, inside: str, above: frozenset[tuple[int, int]]) -> Iterator[StoredFile]:
        """Files of a folder that lies at `inside` (with a slash at its end) below the root.

        Paths are joined as text: pathlib takes seconds for an archive of a hundred thousand files.
        """
        status = os.stat(folder)
        here = (status.st_dev, status.st_ino)
        if here in above:
            return  # a link back to a folder above it
        for entry in list(os.scandir(folder)):
            try:
                status = entry.stat()
            except OSError as error:
                # A link to nothing or to itself, or a file that went between the listing and the look.
                if error.errno in NOT_THERE:
                    continue
                raise
            if stat.S_ISDIR(status.st_mode):
                if not entry.name.startswith("."):
                    yield from self._below(entry.path, f"{inside}{entry.name}/", above | {here})
            elif stat.S_ISREG(status.st_mode):
                yield StoredFile(
                    path=_readable(inside + entry.name),
                    size_bytes=status.st_size,
                    etag=f"{status.st_mtime_ns:x}-{status.st_size:x}",
                    modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
                )


@contextmanager
def _listing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{error.filename or root} cannot be listed: {error.strerror}") from error


def _readable(path: str) -> str:
    """The path, or StorageError where it is not UTF-8: no table could hold it, and to leave it out would lose it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise StorageError(f"the name {os.fsencode(path)!r} is not UTF-8; rename the file") from None
    return path


def _sync(folder: Path) -> None:
    """Make a rename last: a row in the database may name the file a moment later."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

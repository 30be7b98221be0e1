"""Storage in a local folder. Only what a file system needs; the interface is in `storage.py`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from resources.errors import FileMissingError, StorageError
from resources.stored_files import StoredFile


class LocalFolder:
    """Files below one folder. Links are followed: owners link whole archives into `videos/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def walk(self, prefix: str) -> Iterator[StoredFile]:
        """Every file whose path begins with the prefix."""
        if not self.root.is_dir():
            raise StorageError(
                f"the storage folder {self.root} does not exist; create it or correct AL_STORAGE_URL"
            )
        folder = self.root / prefix.rpartition("/")[0]
        if folder.is_dir():
            yield from (f for f in self._below(folder, frozenset()) if f.path.startswith(prefix))

    def open(self, path: str) -> BinaryIO:
        """The file, seekable."""
        try:
            return (self.root / path).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise FileMissingError(f"there is no file {path} in {self.root}") from None
        except OSError as error:
            raise StorageError(f"{path} in {self.root} cannot be read: {error.strerror}") from error

    def write(self, path: str, data: bytes) -> None:
        """Write whole or not at all: a neighbour is written, synced and moved over the old file."""
        target = self.root / path
        neighbour = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with neighbour.open("xb") as stream:
                stream.write(data)
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
        """Whether there is such a file."""
        return (self.root / path).is_file()

    def delete(self, path: str) -> None:
        """Remove the file; nothing happens where there is none."""
        try:
            (self.root / path).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{path} in {self.root} cannot be deleted: {error.strerror}") from error

    def size(self, path: str) -> int:
        """Size of the file, bytes."""
        with self.open(path) as stream:
            return os.fstat(stream.fileno()).st_size

    def uri(self, path: str) -> str:
        """A link that a browser on this machine opens."""
        return (self.root / path).absolute().as_uri()

    def _below(self, folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[StoredFile]:
        try:
            status = folder.stat()
            here = (status.st_dev, status.st_ino)
            if here in above:
                return  # a link back to a folder above it
            entries = list(os.scandir(folder))
        except OSError as error:
            raise StorageError(f"{folder} cannot be listed: {error.strerror}") from error
        for entry in entries:
            if entry.is_dir():
                if not entry.name.startswith("."):
                    yield from self._below(Path(entry.path), above | {here})
                continue
            # A file may go between the listing and the look; then it was not there.
            with suppress(FileNotFoundError):
                yield self._describe(Path(entry.path))

    def _describe(self, file: Path) -> StoredFile:
        status = file.stat()
        return StoredFile(
            path=file.relative_to(self.root).as_posix(),
            size_bytes=status.st_size,
            etag=f"{status.st_mtime_ns:x}-{status.st_size:x}",
            modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        )


def _sync(folder: Path) -> None:
    """Make a rename last: a row in the database may name the file a moment later."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

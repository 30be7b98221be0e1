"""Storage in a container of Azure Blob. Only what Azure needs; the interface is in `storage.py`."""

from __future__ import annotations

import io
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient, ContentSettings

from resources.errors import FileMissingError, StorageError
from resources.stored_files import StoredFile

READ_BYTES = 4 << 20
"""Bytes of one range request: a decoder reads forward, and a request costs some ten milliseconds."""


class BlobContainer:
    """Blobs of one container, below its root."""

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        self._container: ContainerClient = service.get_container_client(container)
        self._name = container

    def walk(self, prefix: str) -> Iterator[StoredFile]:
        """Every blob whose name begins with the prefix."""
        with _readable(f"container {self._name} cannot be listed"):
            for blob in self._container.list_blobs(name_starts_with=prefix or None, include=["metadata"]):
                # With a hierarchical namespace folders are listed too, as blobs of size 0 that say so.
                if (blob.metadata or {}).get("hdi_isfolder") == "true" or blob.name.endswith("/"):
                    continue
                yield StoredFile(blob.name, blob.size, blob.etag.strip('"'), blob.last_modified)

    def open(self, path: str) -> BinaryIO:
        """The blob as it is now, seekable; a blob that changes while it is read raises."""
        with self._blob_errors(path, "read"):
            found = self._container.get_blob_client(path).get_blob_properties()
        raw = _BlobReader(self, path, found.size, found.etag)
        return io.BufferedReader(raw, READ_BYTES)  # type: ignore[return-value]

    def range(self, path: str, offset: int, length: int, etag: str) -> bytes:
        """Bytes of the version that has this etag."""
        from azure.core import MatchConditions

        with self._blob_errors(path, "read"):
            stream = self._container.get_blob_client(path).download_blob(
                offset, length, etag=etag, match_condition=MatchConditions.IfNotModified
            )
            return bytes(stream.readall())

    def write(self, path: str, data: bytes) -> None:
        """Write the blob; readers see the old one or the new one."""
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        with self._blob_errors(path, "written"):
            self._container.upload_blob(
                path, data, overwrite=True, content_settings=ContentSettings(content_type=kind)
            )

    def exists(self, path: str) -> bool:
        """Whether there is such a blob."""
        with self._blob_errors(path, "looked up"):
            return bool(self._container.get_blob_client(path).exists())

    def delete(self, path: str) -> None:
        """Remove the blob; nothing happens where there is none."""
        try:
            with self._blob_errors(path, "deleted"):
                self._container.delete_blob(path)
        except FileMissingError:
            return

    def uri(self, path: str) -> str:
        """Address of the blob, without any token."""
        return str(self._container.get_blob_client(path).url).split("?", 1)[0]

    @contextmanager
    def _blob_errors(self, path: str, doing: str) -> Iterator[None]:
        try:
            yield
        except ResourceNotFoundError as error:
            if getattr(error, "error_code", "") == "ContainerNotFound":
                raise StorageError(
                    f"container {self._name} does not exist; create it or correct AL_STORAGE_URL"
                ) from None
            raise FileMissingError(f"there is no blob {path} in container {self._name}") from None
        except AzureError as error:
            raise StorageError(f"blob {path} cannot be {doing}: {_reason(error)}") from error


class _BlobReader(io.RawIOBase):
    """Range requests behind a file's interface."""

    def __init__(self, container: BlobContainer, path: str, size: int, etag: str) -> None:
        self._source = (container, path, etag)
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("seek before the beginning of the blob")
        self._position = start + offset
        return self._position

    def readall(self) -> bytes:
        # Otherwise the rest of the file is asked for in steps of 8 kB, a request each.
        rest = bytearray(max(0, self._size - self._position))
        return bytes(rest[: self.readinto(rest)])

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        container, path, etag = self._source
        data = container.range(path, self._position, length, etag)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except AzureError as error:
        raise StorageError(f"{what}: {_reason(error)}") from error


def _reason(error: AzureError) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or error.message).splitlines()[0]

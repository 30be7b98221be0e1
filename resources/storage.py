"""Files as a Dagster resource: videos, exports, stills, checkpoints and reports, in a folder or in Azure Blob.

One interface over `local_storage.py` and `azure_storage.py`. What the files mean is not known here.

The platform decides by it what is in an archive, so it keeps promises that fsspec's file systems do not: a failed
listing or look-up is an error and never an empty archive, a write is whole or not there, a read is of one version,
links are followed and do not run in circles, hidden and unfinished files are not shown, and a process that was
forked has connections of its own. Everything else that reads files goes through `Storage.upath`.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import unquote, urlsplit

import dagster as dg
from azure.storage.blob import BlobServiceClient
from dagster_azure.blob import (
    AzureBlobStorageAnonymousCredential,
    AzureBlobStorageDefaultCredential,
    AzureBlobStorageKeyCredential,
    AzureBlobStorageResource,
    AzureBlobStorageSASTokenCredential,
)
from pydantic import Field
from upath import UPath

from resources.errors import StorageError
from resources.local_storage import LocalFolder
from resources.stored_files import Files, StoredFile, clean, is_shown

WHOLE_BYTES = 1 << 20
SAMPLE_BYTES = 256 << 10
CHUNK_BYTES = 1 << 20
NO_ADDRESS = (
    "is no address of a storage account; set AL_STORAGE_ACCOUNT_URL to https://ACCOUNT.blob.core.windows.net"
)

_containers: dict[tuple[int, str], Files] = {}
_containers_lock = threading.Lock()


def _fresh_lock() -> None:
    """Another thread of the parent may have held the lock in the moment of the fork."""
    global _containers_lock
    _containers_lock = threading.Lock()


os.register_at_fork(after_in_child=_fresh_lock)


class Storage(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the files are."""

    url: str = Field(description="a folder (path or file:// URL), or az://container")
    account_url: str = Field(
        default="", description="https://ACCOUNT.blob.core.windows.net, without a token; az:// only"
    )
    credential: (
        AzureBlobStorageKeyCredential
        | AzureBlobStorageSASTokenCredential
        | AzureBlobStorageDefaultCredential
        | AzureBlobStorageAnonymousCredential
    ) = Field(
        default=AzureBlobStorageDefaultCredential(),
        discriminator="credential_type",
        repr=False,
        description="how to sign in to the storage account, as in dagster-azure; az:// only",
    )

    def __init__(self, **data: Any) -> None:
        credential = data.get("credential")
        if isinstance(credential, Mapping) and "credential_type" in credential:
            # Dagster spells a choice {kind: fields}; settings files and model_dump spell it like this.
            fields = dict(credential)
            data["credential"] = {fields.pop("credential_type"): fields}
        super().__init__(**data)

    def __reduce__(self) -> tuple[Any, ...]:
        # Dagster's configuration classes do not pickle; readers of storage go into DataLoader workers.
        return _restored, (self.url, self.account_url, self.credential.model_dump())

    @property
    def is_local(self) -> bool:
        """Whether the files lie in a folder of this machine."""
        return not self.url.startswith("az://")

    def make_folders(self, names: Sequence[str]) -> None:
        """Make the root and folders below it; Azure Blob needs none."""
        files = self._files
        if isinstance(files, LocalFolder):
            for name in names:
                (files.root / clean(name)).mkdir(parents=True, exist_ok=True)

    def list(self, prefix: str = "") -> list[StoredFile]:
        """Files whose path begins with the prefix, sorted by path; hidden and unfinished ones are left out.

        A prefix with nothing below it is an empty list; a listing that failed, or a root that is not there,
        raises StorageError and must never be taken for an empty one.
        """
        if prefix:
            clean(prefix.removesuffix("/"))
        return sorted((f for f in self._files.walk(prefix) if is_shown(f.path)), key=lambda file: file.path)

    def open(self, path: str) -> BinaryIO:
        """The file, seekable; the caller closes it. FileMissingError where there is none."""
        return self._files.open(clean(path))

    def read(self, path: str) -> bytes:
        """The whole content."""
        with self.open(path) as stream:
            return stream.read()

    def write(self, path: str, data: bytes | IO[bytes]) -> None:
        """Write the file whole or not at all, over an older one. data: a stream is read from where it stands."""
        if not isinstance(data, bytes) and not hasattr(data, "read"):
            raise TypeError(f"{path} is to be written as bytes; say in which encoding")
        self._files.write(clean(path), data)

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return self._files.exists(clean(path))

    def delete(self, path: str) -> None:
        """Remove the file; nothing happens where there is none."""
        self._files.delete(clean(path))

    def source(self, path: str) -> str | BinaryIO:
        """What a decoder opens: the path of a local file, else a seekable stream."""
        files = self._files
        if isinstance(files, LocalFolder):
            return str(files.root / clean(path))
        return self.open(path)

    def uri(self, path: str) -> str:
        """A link for people."""
        return self._files.uri(clean(path))

    def upath(self, path: str = "") -> UPath:
        """The path as universal-pathlib's, for code that reads files itself: either kind, the same sign-in.

            pd.read_csv(storage.upath("reports/simulation.csv").open())
            table = storage.upath("exports/labels.parquet")
            pq.read_table(table.path, filesystem=table.fs)

        An empty path is the root. fsspec's rules hold for it, not those of this class: `glob` and `rglob` find nothing
        where they may not look, hidden and unfinished files are shown, and a file in a folder that is written is
        there before it is whole; to decide what is there, use `list`, to write for the platform, `write`. A path
        opened before a fork is not to be used after it. Its `storage_options` hold the key.
        """
        return self._files.upath(clean(path) if path else "")

    def sha256(self, path: str) -> str:
        """Hash of the content, 64 hexadecimal characters."""
        digest = hashlib.sha256()
        with self.open(path) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def fingerprint(self, path: str, shown: tuple[str, int] | None = None) -> str:
        """Identity of a large file without reading all of it, 64 hexadecimal characters.

        SHA-256 over the size and the whole content up to 1 MiB; above that over the size and the first, middle
        and last 256 KiB. shown: etag and size as a listing just showed them, which saves a request in Azure; a file
        that is another by now raises StorageError there.
        """
        # In pieces as large as the samples: an archive is fingerprinted whole, and each byte of Azure costs.
        with self._files.open(clean(path), SAMPLE_BYTES, shown) as stream:
            size = stream.seek(0, 2)
            digest = hashlib.sha256(f"{size}\0".encode())
            if size <= WHOLE_BYTES:
                stream.seek(0)
                digest.update(stream.read())
                return digest.hexdigest()
            for offset in (0, (size - SAMPLE_BYTES) // 2, size - SAMPLE_BYTES):
                stream.seek(offset)
                digest.update(stream.read(SAMPLE_BYTES))
        return digest.hexdigest()

    @property
    def container(self) -> str:
        """Name of the container of Azure Blob. Raises StorageError for another address."""
        name = self.url.removeprefix("az://").strip("/")
        if self.is_local or not name or "/" in name:
            raise StorageError(f"{self.url} is not az://CONTAINER; correct AL_STORAGE_URL")
        return name

    def blob_service(self) -> BlobServiceClient:
        """A client of the storage account, for what speaks Azure's own interface; nothing is asked yet."""
        from resources.azure_storage import connect

        self._check_account()
        account = AzureBlobStorageResource(account_url=self.account_url, credential=self.credential)
        try:
            return connect(self.account_url, account._raw_credential())
        except ValueError as error:
            raise StorageError(f"{self.account_url} {NO_ADDRESS}") from error

    @property
    def _files(self) -> Files:
        if self.is_local:
            return LocalFolder(_folder(self.url))
        return self._container()

    def _container(self) -> Files:
        container = self.container
        self._check_account()
        with _containers_lock:
            # A client holds sockets, which a forked child must not share.
            key = (os.getpid(), f"{self.account_url} {container} {self.credential!r}")
            if key not in _containers:
                _containers[key] = self._connect(container)
            return _containers[key]

    def _check_account(self) -> None:
        if not self.account_url:
            raise StorageError(
                f"{self.url} needs the address of the storage account; set AL_STORAGE_ACCOUNT_URL"
            )
        parts = urlsplit(self.account_url)
        if parts.query:
            # The address is shown in the Dagster UI and in links.
            raise StorageError("AL_STORAGE_ACCOUNT_URL holds a token; move it to AL_STORAGE_SAS_TOKEN")
        secure = self.credential.credential_type != "default_azure_credential" or parts.scheme == "https"
        if parts.scheme not in ("http", "https") or not parts.netloc or not secure:
            raise StorageError(f"{self.account_url} {NO_ADDRESS}")

    def _connect(self, container: str) -> Files:
        from resources.azure_storage import BlobContainer, adlfs_options

        given = self.credential.model_dump()
        options = adlfs_options(
            self.account_url,
            given["credential_type"],
            given.get("key") or given.get("token"),
            given.get("kwargs") or {},
        )
        return BlobContainer(self.blob_service(), container, options)


def _restored(url: str, account_url: str, credential: dict[str, Any]) -> Storage:
    return Storage(url=url, account_url=account_url, credential=credential)


def _folder(url: str) -> Path:
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path))
    if "://" in url:
        raise StorageError(
            f"storage of the kind {url.split('://')[0]}:// is not known; use a folder or az://CONTAINER"
        )
    return Path(url).expanduser()


__all__ = ["Storage", "StorageError", "StoredFile"]

"""Storage in a container of Azure Blob. Only what Azure needs; the interface is in `storage.py`.

Spoken through Azure's own client. adlfs serves `upath`, for people and for libraries that speak fsspec, and not
the platform itself, since it (2026.8) lists a container that is not there as an empty one, takes every failed
look at a blob for "no file", reads a blob that is replaced meanwhile as a mix of both versions, remembers
listings, gives up on an outage only after minutes, and is not to be used after a fork.
"""

from __future__ import annotations

import io
import logging
import mimetypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, BinaryIO
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient, ContentSettings, ExponentialRetry
from upath import UPath

from resources.azure_errors import code_of, explain
from resources.block_reader import BLOCK_BYTES, BlockReader
from resources.errors import FileMissingError, StorageError
from resources.stored_files import StoredFile

PUT_BYTES = 4 << 20
"""A larger blob is sent in blocks of this size and shows when the last one is there, all at once."""
RETRIES = 3
CONNECT_SECONDS = 5
READ_SECONDS = 20


def connect(account_url: str, credential: Any) -> BlobServiceClient:
    """A client of the account; nothing is asked yet. credential: key, token, azure-identity's, or None.

    Each request is tried four times over some seventeen seconds, so that an outage is an error after as long where
    connections are refused, after forty seconds where nothing answers, and after a hundred where an answer stops
    halfway. By the client's defaults it would be one and a half, three and five minutes; a sensor of Dagster has one.
    """
    requests_log = logging.getLogger("urllib3.connectionpool")
    if requests_log.level == logging.NOTSET:
        # At DEBUG it writes down whole addresses, with the token; Azure's own log blots that out.
        requests_log.setLevel(logging.INFO)
    return BlobServiceClient(
        account_url,
        credential=credential,
        retry_policy=ExponentialRetry(
            initial_backoff=1, increment_base=2, retry_total=RETRIES, random_jitter_range=1
        ),
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_single_put_size=PUT_BYTES,
        max_block_size=PUT_BYTES,
    )


def adlfs_options(
    account_url: str, kind: str, secret: str | None, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """Options by which adlfs signs in as `connect` does. kind and extra are dagster-azure's, secret a key or token.

    A connection string where there is one to be made: it alone takes any address, Azurite's too, and comes before
    what adlfs finds in the environment.
    """
    # A listing is remembered for ever otherwise, and the size of a file that grew with it.
    options: dict[str, Any] = {"use_listings_cache": False, "blocksize": BLOCK_BYTES}
    parts = urlsplit(account_url)
    account = (parts.path.strip("/") or parts.netloc).split(".")[0]
    if kind == "default_azure_credential":
        return {
            **options,
            "account_name": account,
            "account_host": parts.netloc + parts.path,
            "anon": False,
            **extra,
        }
    signed = {
        "key": f"AccountKey={secret}",
        "sas": f"SharedAccessSignature={(secret or '').lstrip('?')}",
    }.get(kind, "")
    text = f"BlobEndpoint={account_url};AccountName={account};{signed}"
    return {**options, "connection_string": text, "anon": True}


class BlobContainer:
    """Blobs of one container, below its root."""

    def __init__(self, service: BlobServiceClient, container: str, options: Mapping[str, Any]) -> None:
        """options: of adlfs, for the same account and credential."""
        self._container: ContainerClient = service.get_container_client(container)
        self._name = container
        self._options = options
        self._host = urlsplit(service.url).netloc

    def walk(self, prefix: str) -> Iterator[StoredFile]:
        """Every blob whose name begins with the prefix."""
        with self._errors(f"container {self._name} cannot be listed"):
            for blob in self._container.list_blobs(name_starts_with=prefix or None, include=["metadata"]):
                # With a hierarchical namespace folders are listed too, as blobs of size 0 that say so.
                if (blob.metadata or {}).get("hdi_isfolder") == "true" or blob.name.endswith("/"):
                    continue
                yield StoredFile(blob.name, blob.size, blob.etag.strip('"'), blob.last_modified)

    def open(
        self, path: str, block_bytes: int = BLOCK_BYTES, shown: tuple[str, int] | None = None
    ) -> BinaryIO:
        """The blob as it is now, or as a listing showed it, seekable; a blob that changes while it is read raises."""
        if shown is None:
            with self._blob_errors(path, "read"):
                found = self._container.get_blob_client(path).get_blob_properties()
            etag, size = found.etag, found.size
        else:
            etag, size = f'"{shown[0]}"', shown[1]

        def fetch(start: int, end: int) -> bytes:
            return self._range(path, start, end, etag)

        raw = BlockReader(fetch, size, block_bytes=block_bytes)
        return io.BufferedReader(raw)  # type: ignore[return-value]

    def _range(self, path: str, start: int, end: int, etag: str) -> bytes:
        """Bytes of the version that has this etag."""
        with self._blob_errors(path, "read"):
            stream = self._container.get_blob_client(path).download_blob(
                start, end - start, etag=etag, match_condition=MatchConditions.IfNotModified
            )
            return bytes(stream.readall())

    def write(self, path: str, data: bytes | IO[bytes]) -> None:
        """Write the blob; readers see the old one or the new one."""
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        with self._blob_errors(path, "written"):
            self._container.upload_blob(
                path, data, overwrite=True, content_settings=ContentSettings(content_type=kind)
            )

    def exists(self, path: str) -> bool:
        """Whether there is such a blob. StorageError where that is not known, or there is no container."""
        try:
            with self._blob_errors(path, "looked up"):
                self._container.get_blob_client(path).get_blob_properties()
        except FileMissingError:
            return False
        return True

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

    def upath(self, path: str) -> UPath:
        """The path for fsspec and its friends."""
        found = UPath(f"az://{self._name}/", **self._options) / path
        reached = urlsplit(found.fs.service_client.primary_endpoint).netloc
        if reached != self._host:
            raise StorageError(f"AZURE_STORAGE_CONNECTION_STRING leads adlfs to {reached}; unset it")
        return found

    @contextmanager
    def _blob_errors(self, path: str, doing: str) -> Iterator[None]:
        with self._errors(f"blob {path} cannot be {doing}"):
            try:
                yield
            except ResourceNotFoundError as error:
                # Who has no right is told "ResourceNotFound" of blobs that are there, and a web server at a wrong
                # address knows no blob either.
                if code_of(error) == "BlobNotFound":
                    raise FileMissingError(f"there is no blob {path} in container {self._name}") from None
                raise

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except AzureError as error:
            if code_of(error) == "ContainerNotFound":
                message = f"container {self._name} does not exist; create it or correct AL_STORAGE_URL"
            else:
                message = f"{what}: {explain(error, self._host)}"
            raise StorageError(message) from error

"""Azurite killed while a large blob is sent to it: the old version or none, never half, and an error to read."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from resources.errors import StorageError
from resources.storage import Storage
from support import servers

LARGE = 96 << 20
HALFWAY = 24 << 20
OLD = b"old" * 1000


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def stored(folder: Path) -> int:
    """Bytes that Azurite has on disk by now."""
    return sum(file.stat().st_size for file in (folder / "__blobstorage__").iterdir())


def error_of(doing: Callable[[], object], found: list[BaseException]) -> threading.Thread:
    def run() -> None:
        try:
            doing()
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def signed(storage: Storage) -> Storage:
    """The same with a token, which is a part of every address that is asked."""
    reading = ContainerSasPermissions(read=True)
    token = generate_container_sas(
        servers.AZURITE_ACCOUNT,
        "clips",
        servers.AZURITE_KEY,
        permission=reading,
        expiry="2099-01-01T00:00:00Z",
    )
    sas = {"credential_type": "sas", "token": token}
    return Storage(url=storage.url, account_url=storage.account_url, credential=sas)


@pytest.fixture
def port(azurite: servers.Azurite) -> int:
    """A free port; the session's Azurite says whether one is installed at all."""
    return servers.free_port()


def test_a_killed_upload_leaves_the_old_version_and_a_listing_meanwhile_raises(
    tmp_path: Path, port: int
) -> None:
    account = f"http://127.0.0.1:{port}/{servers.AZURITE_ACCOUNT}"
    key = {"credential_type": "key", "key": servers.AZURITE_KEY}
    storage = Storage(url="az://clips", account_url=account, credential=key)
    new = bytes(LARGE)
    with servers.azurite_in(tmp_path, port) as process:
        with BlobServiceClient(account, credential=servers.AZURITE_KEY) as service:
            service.create_container("clips")
        storage.write("videos/a.mp4", OLD)
        # Azurite writes its own tables to disk every few seconds.
        tables = tmp_path / "__azurite_db_blob__.json"
        wait_for(lambda: tables.exists() and b"videos/a.mp4" in tables.read_bytes())
        before = stored(tmp_path)
        failed: list[BaseException] = []
        upload = error_of(lambda: storage.write("videos/a.mp4", new), failed)
        first = error_of(lambda: storage.write("videos/first.mp4", new), failed)
        wait_for(lambda: stored(tmp_path) > before + HALFWAY)
        process.kill()
        process.wait()
        listing = error_of(lambda: storage.list("videos/"), failed)
        looking = error_of(lambda: storage.exists("videos/a.mp4"), failed)
        reading = error_of(lambda: signed(storage).read("videos/a.mp4"), failed)
        for thread in (upload, first, listing, looking, reading):
            thread.join(120)
    assert len(failed) == 5
    for error in failed:
        assert isinstance(error, StorageError)
        assert f"127.0.0.1:{port} does not answer; check AL_STORAGE_ACCOUNT_URL" in str(error)
        assert len(str(error).splitlines()) == 1
        shown = "".join(traceback.format_exception(error))
        assert servers.AZURITE_KEY not in shown
        assert "sig=" not in shown
    with servers.azurite_in(tmp_path, port):
        assert storage.read("videos/a.mp4") == OLD
        assert [(file.path, file.size_bytes) for file in storage.list()] == [("videos/a.mp4", len(OLD))]
        storage.write("videos/a.mp4", new[: 9 << 20])
        assert storage.list()[0].size_bytes == 9 << 20

"""What only a folder, or only a blob container, can do or get wrong."""

from __future__ import annotations

import os
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from azure.storage.blob import (
    BlobServiceClient,
    ContainerSasPermissions,
    generate_container_sas,
)
from dagster_azure.blob import AzureBlobStorageDefaultCredential

from resources.azure_storage import BlobContainer
from resources.errors import FileMissingError, StorageError
from resources.storage import SAMPLE_BYTES, Storage
from support.servers import AZURITE_ACCOUNT, Azurite


def root(storage: Storage) -> Path:
    return Path(storage.url)


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(local_storage: Storage) -> None:
    local_storage.write("reports/r.html", b"old")
    with pytest.raises(TypeError):
        local_storage.write("reports/r.html", "not bytes")  # type: ignore[arg-type]
    assert local_storage.read("reports/r.html") == b"old"
    assert [file.name for file in (root(local_storage) / "reports").iterdir()] == ["r.html"]


def test_a_reader_sees_the_old_or_the_new_file_never_half(local_storage: Storage) -> None:
    versions = [bytes([number]) * 200_000 for number in range(2)]
    local_storage.write("f", versions[0])
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for version in versions:
                local_storage.write("f", version)

    writer = threading.Thread(target=rewrite)
    writer.start()
    seen = {local_storage.read("f") for _ in range(200)}
    stop.set()
    writer.join()
    assert seen <= set(versions)


def test_links_into_an_archive_are_followed_and_loops_end(local_storage: Storage, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    (archive / "2024").mkdir(parents=True)
    (archive / "2024" / "a.mp4").write_bytes(b"x")
    (archive / "2024" / "loop").symlink_to(archive)
    (root(local_storage) / "videos").mkdir()
    (root(local_storage) / "videos" / "linked").symlink_to(archive)
    (root(local_storage) / "videos" / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    (root(local_storage) / "videos" / "itself.mp4").symlink_to("itself.mp4")
    assert [file.path for file in local_storage.list("videos/")] == ["videos/linked/2024/a.mp4"]


def test_a_folder_that_cannot_be_listed_raises() -> None:
    with tempfile.TemporaryDirectory() as folder:
        closed = Path(folder) / "videos"
        closed.mkdir()
        Path(folder).chmod(0o755)
        closed.chmod(0o000)
        with (
            as_ordinary_user(),
            pytest.raises(StorageError, match="videos cannot be listed: Permission denied"),
        ):
            Storage(url=folder).list("videos/")
        closed.chmod(0o700)


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Root may list every folder, so act as nobody for a moment."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


def test_a_folder_is_no_file(local_storage: Storage) -> None:
    local_storage.write("videos/a/b.mp4", b"x")
    assert not local_storage.exists("videos/a")
    with pytest.raises(FileMissingError):
        local_storage.open("videos/a")
    with pytest.raises(StorageError):
        local_storage.write("videos/a/b.mp4/c", b"x")


def test_a_file_url_is_a_folder(local_storage: Storage) -> None:
    local_storage.write("a b.txt", b"x")
    assert Storage(url=root(local_storage).as_uri()).read("a b.txt") == b"x"
    with pytest.raises(StorageError, match="kind s3:// is not known"):
        Storage(url="s3://bucket").list()


def test_a_blob_that_changes_while_it_is_read_raises(azurite_storage: Storage) -> None:
    azurite_storage.write("videos/a.bin", bytes(9 << 20))
    stream = azurite_storage.open("videos/a.bin")
    assert stream.read(1) == b"\0"
    azurite_storage.write("videos/a.bin", bytes(9 << 20))
    with pytest.raises(StorageError, match=r"videos/a\.bin cannot be read: it was replaced meanwhile"):
        stream.read()


def test_a_fingerprint_fetches_little_more_than_its_samples(
    azurite_storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    azurite_storage.write("videos/a.bin", bytes(32 << 20))
    fetched: list[int] = []
    fetch = BlobContainer._range

    def counted(self: BlobContainer, path: str, start: int, end: int, etag: str) -> bytes:
        fetched.append(end - start)
        return fetch(self, path, start, end, etag)

    monkeypatch.setattr(BlobContainer, "_range", counted)
    azurite_storage.fingerprint("videos/a.bin")
    assert sum(fetched) <= 5 * SAMPLE_BYTES


def test_a_container_that_is_not_there_is_named(azurite_storage: Storage) -> None:
    gone = azurite_storage.model_copy(update={"url": "az://gone"})
    with pytest.raises(StorageError, match="container gone"):
        gone.list()
    with pytest.raises(StorageError, match="container gone does not exist"):
        gone.write("a", b"x")


def test_a_page_opens_as_a_page_in_the_browser(azurite_storage: Storage, azurite: Azurite) -> None:
    azurite_storage.write("reports/r.html", b"<p>x</p>")
    container = azurite_storage.url.removeprefix("az://")
    token = generate_container_sas(
        AZURITE_ACCOUNT,
        container,
        azurite.key,
        permission=ContainerSasPermissions(read=True),
        expiry="2099-01-01T00:00:00Z",
    )
    with urllib.request.urlopen(f"{azurite_storage.uri('reports/r.html')}?{token}") as answer:
        assert answer.headers["Content-Type"] == "text/html"


def test_a_shared_access_signature_signs_in_and_is_never_shown(
    azurite_storage: Storage, azurite: Azurite
) -> None:
    azurite_storage.write("a", b"x")
    container = azurite_storage.url.removeprefix("az://")
    permissions = ContainerSasPermissions(read=True, list=True)
    token = generate_container_sas(
        AZURITE_ACCOUNT, container, azurite.key, permission=permissions, expiry="2099-01-01T00:00:00Z"
    )
    signed = Storage(
        url=azurite_storage.url,
        account_url=azurite.account_url,
        credential={"credential_type": "sas", "token": token},
    )
    assert [file.path for file in signed.list()] == ["a"]
    assert "sig=" not in signed.uri("a") + repr(signed)
    with pytest.raises(StorageError) as refused:
        signed.write("a", b"y")
    assert "sig=" not in str(refused.value)


def test_the_key_is_never_shown(azurite_storage: Storage, azurite: Azurite) -> None:
    assert azurite.key not in repr(azurite_storage)


def test_without_a_credential_the_default_chain_signs_in() -> None:
    storage = Storage(url="az://c", account_url="https://account.blob.core.windows.net")
    assert isinstance(storage.credential, AzureBlobStorageDefaultCredential)
    assert storage.uri("a/b.mp4") == "https://account.blob.core.windows.net/c/a/b.mp4"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("az://", "is not az://CONTAINER"),
        ("az://c/d", "is not az://CONTAINER"),
        ("az://c", "set AL_STORAGE_ACCOUNT_URL"),
    ],
)
def test_a_url_that_cannot_work_says_what_to_do(url: str, message: str) -> None:
    with pytest.raises(StorageError, match=message):
        Storage(url=url).list()


def test_it_is_configured_as_a_dagster_resource(azurite_storage: Storage, azurite: Azurite) -> None:
    seen: list[str] = []

    @dg.asset
    def listing(storage: dg.ResourceParam[Storage]) -> None:
        seen.extend(file.path for file in storage.list())

    azurite_storage.write("a", b"x")
    assert dg.materialize([listing], resources={"storage": azurite_storage}).success
    assert seen == ["a"]


def test_folders_of_a_hierarchical_namespace_are_not_files(
    azurite_storage: Storage, azurite: Azurite
) -> None:
    with BlobServiceClient(azurite.account_url, credential=azurite.key) as service:
        container = service.get_container_client(azurite_storage.url.removeprefix("az://"))
        container.upload_blob("videos", b"", metadata={"hdi_isfolder": "true"})
        container.upload_blob("videos/a.mp4", b"x")
    assert [file.path for file in azurite_storage.list("videos")] == ["videos/a.mp4"]

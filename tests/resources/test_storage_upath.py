"""Files in storage as universal-pathlib's paths: pandas, pyarrow and people reach either kind with one line."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from azure.storage.blob import (
    BlobServiceClient,
    ContainerSasPermissions,
    PublicAccess,
    generate_container_sas,
)

from resources.environments import process_environment
from resources.errors import StorageError, UnsafePathError
from resources.storage import Storage
from support import azure_cloud
from support.servers import AZURITE_ACCOUNT, Azurite

TABLE = pd.DataFrame({"species": ["Höckerschwan", "heron"], "frames": [3, 14]})


def test_pandas_reads_and_writes_a_stored_table(storage: Storage) -> None:
    storage.write("reports/counts.csv", TABLE.to_csv(index=False).encode())
    assert pd.read_csv(storage.upath("reports/counts.csv").open()).equals(TABLE)
    with storage.upath("reports/copy.csv").open("w") as stream:
        TABLE.to_csv(stream, index=False)
    assert storage.read("reports/copy.csv") == storage.read("reports/counts.csv")


def test_pyarrow_reads_and_writes_a_stored_table(storage: Storage) -> None:
    storage.make_folders(["exports"])
    target = storage.upath("exports/counts.parquet")
    pq.write_table(pa.Table.from_pandas(TABLE), target.path, filesystem=target.fs)
    assert pq.read_table(target.path, filesystem=target.fs).to_pandas().equals(TABLE)
    found = pads.dataset(storage.upath("exports").path, filesystem=target.fs, format="parquet")
    assert found.count_rows() == 2
    assert [file.path for file in storage.list("exports/")] == ["exports/counts.parquet"]


def test_the_root_is_walked_like_any_folder(storage: Storage) -> None:
    for name in ("videos/a.mp4", "videos/site 1/b.mp4", "reports/r.html"):
        storage.write(name, b"x")
    root = storage.upath()
    assert sorted(path.name for path in root.iterdir()) == ["reports", "videos"]
    assert sorted(path.name for path in (root / "videos").rglob("*.mp4")) == ["a.mp4", "b.mp4"]
    assert root.joinpath("videos", "a.mp4").stat().st_size == 1


def test_a_file_that_grew_is_read_whole(storage: Storage) -> None:
    # adlfs would remember the size that a listing gave.
    storage.write("videos/a.csv", b"old")
    root = storage.upath("videos")
    assert [path.stat().st_size for path in root.iterdir()] == [3]
    storage.write("videos/a.csv", b"new and longer")
    assert (root / "a.csv").read_bytes() == b"new and longer"


def test_a_path_that_leaves_the_root_is_refused(storage: Storage) -> None:
    for path in ("../secret", "/etc/passwd", "a//b"):
        with pytest.raises(UnsafePathError):
            storage.upath(path)


def test_a_path_travels_to_another_process(storage: Storage) -> None:
    storage.write("stills/1.jpg", b"jpeg")
    assert pickle.loads(pickle.dumps(storage.upath("stills/1.jpg"))).read_bytes() == b"jpeg"


def test_neither_key_nor_token_is_shown(azurite_storage: Storage, azurite: Azurite) -> None:
    path = azurite_storage.upath("a.csv")
    assert azurite.key not in f"{path!r} {path} {path.fs!r} {path.as_uri()}"


def test_a_token_signs_in_and_so_does_nobody_where_all_may_read(
    azurite_storage: Storage, azurite: Azurite
) -> None:
    azurite_storage.write("a", b"x")
    name = azurite_storage.url.removeprefix("az://")
    allowed = ContainerSasPermissions(read=True, list=True)
    token = generate_container_sas(
        AZURITE_ACCOUNT, name, azurite.key, permission=allowed, expiry="2099-01-01T00:00:00Z"
    )
    where = {"url": azurite_storage.url, "account_url": azurite.account_url}
    signed = Storage(**where, credential={"credential_type": "sas", "token": f"?{token}"})
    nobody = Storage(**where, credential={"credential_type": "anonymous"})
    assert signed.upath("a").read_bytes() == b"x"
    with pytest.raises(StorageError, match="cannot be listed"):
        nobody.list()
    with BlobServiceClient(azurite.account_url, credential=azurite.key) as service:
        container = service.get_container_client(name)
        container.set_container_access_policy({}, public_access=PublicAccess.CONTAINER)
    assert nobody.upath("a").read_bytes() == b"x"
    assert [file.path for file in nobody.list()] == ["a"]


AS_IDENTITY = """
from resources.environments import read_environment
from resources.storage import Storage
environment = read_environment()
storage = Storage(url=environment.storage_url, **environment.storage_options)
storage.write("a.txt", b"grey heron")
assert [file.path for file in storage.list()] == ["a.txt"]
print(storage.upath("a.txt").read_text())
"""


def test_a_managed_identity_signs_in_to_both(azurite: Azurite, tmp_path: Path) -> None:
    with azure_cloud.account(tmp_path, "clips") as reached:
        done = _python(AS_IDENTITY, reached)
    assert done.stdout == "grey heron\n", done.stderr


def test_a_connection_string_in_the_environment_does_not_lead_elsewhere(tmp_path: Path) -> None:
    # adlfs lets it come before everything else.
    account = "AccountName=other;AccountKey=c2VjcmV0"
    done = _python(
        "from resources.storage import Storage\n"
        "Storage(url='az://clips', account_url='https://herons.blob.core.windows.net').upath('a')",
        {"AZURE_STORAGE_CONNECTION_STRING": f"{account};EndpointSuffix=core.windows.net"},
    )
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.endswith(
        "AZURE_STORAGE_CONNECTION_STRING leads adlfs to other.blob.core.windows.net; unset it"
    )


def _python(script: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env=process_environment(**variables),
        capture_output=True,
        text=True,
    )

"""Each way in which Azure Blob says no is one line that tells what to do, and shows no secret."""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from resources.azure_errors import explain
from resources.errors import StorageError
from resources.storage import Storage
from support.servers import AZURITE_ACCOUNT, Azurite

WRONG_KEY = "d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgd3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgd3Jvbmc="


def doings(storage: Storage) -> list[Callable[[], object]]:
    """Everything that asks the account for something."""
    return [
        lambda: storage.list("videos/"),
        lambda: storage.read("videos/a.mp4"),
        lambda: storage.fingerprint("videos/a.mp4"),
        lambda: storage.exists("videos/a.mp4"),
        lambda: storage.write("videos/a.mp4", b"x"),
        lambda: storage.delete("videos/a.mp4"),
    ]


def said(doing: Callable[[], object], secret: str) -> str:
    """The message: one line of a StorageError without the secret, in its traceback neither."""
    with pytest.raises(StorageError) as raised:
        doing()
    assert not isinstance(raised.value, FileNotFoundError)
    assert secret not in "".join(traceback.format_exception(raised.value))
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


def with_credential(storage: Storage, **credential: str) -> Storage:
    return Storage(url=storage.url, account_url=storage.account_url, credential=credential)


def test_a_wrong_key_is_refused_by_name(azurite_storage: Storage) -> None:
    wrong = with_credential(azurite_storage, credential_type="key", key=WRONG_KEY)
    for doing in doings(wrong):
        assert "correct AL_STORAGE_KEY or AL_STORAGE_SAS_TOKEN" in said(doing, WRONG_KEY)


def test_a_key_that_is_none_is_refused_by_name(azurite_storage: Storage) -> None:
    broken = with_credential(azurite_storage, credential_type="key", key="not base64")
    for doing in doings(broken):
        assert "no valid sign-in; set AL_STORAGE_KEY" in said(doing, "not base64")


def test_a_container_that_is_gone_is_no_missing_file(azurite_storage: Storage, azurite: Azurite) -> None:
    gone = azurite_storage.model_copy(update={"url": "az://gone"})
    for doing in doings(gone):
        message = said(doing, azurite.key)
        assert message == "container gone does not exist; create it or correct AL_STORAGE_URL"


def test_a_token_that_ended_or_allows_too_little_says_so(azurite_storage: Storage, azurite: Azurite) -> None:
    azurite_storage.write("videos/a.mp4", b"x")
    name = azurite_storage.url.removeprefix("az://")

    def token(expiry: str) -> str:
        reading = ContainerSasPermissions(read=True)
        made: str = generate_container_sas(
            AZURITE_ACCOUNT, name, azurite.key, permission=reading, expiry=expiry
        )
        return made

    ended, reading = token("2020-01-01T00:00:00Z"), token("2099-01-01T00:00:00Z")
    for doing in doings(with_credential(azurite_storage, credential_type="sas", token=ended)):
        assert "AL_STORAGE_SAS_TOKEN" in said(doing, "sig=")
    reader = with_credential(azurite_storage, credential_type="sas", token=reading)
    assert reader.read("videos/a.mp4") == b"x"
    for doing in (lambda: reader.write("videos/a.mp4", b"y"), reader.list):
        assert "make a token with read, write, delete and list" in said(doing, "sig=")


@pytest.mark.parametrize(
    ("account_url", "words"),
    [
        ("", "set AL_STORAGE_ACCOUNT_URL"),
        ("herons", "herons is no address of a storage account; set AL_STORAGE_ACCOUNT_URL to https://"),
        ("http://herons.blob.core.windows.net", "set AL_STORAGE_ACCOUNT_URL to https://ACCOUNT"),
        ("https://herons.blob.core.windows.net/?sv=1&sig=hush", "move it to AL_STORAGE_SAS_TOKEN"),
    ],
)
def test_an_address_that_cannot_work_is_refused_before_anything_is_asked(
    account_url: str, words: str
) -> None:
    assert words in said(Storage(url="az://clips", account_url=account_url).list, "hush")


def test_a_web_server_at_a_wrong_address_has_no_say_in_what_is_missing() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/herons"
        key = {"credential_type": "key", "key": WRONG_KEY}
        wrong = Storage(url="az://clips", account_url=address, credential=key)
        assert "answers 404" in said(lambda: wrong.exists("videos/a.mp4"), WRONG_KEY)
        assert "answers 404" in said(wrong.list, WRONG_KEY)
        server.shutdown()


def test_an_address_that_names_no_account_is_refused_with_a_key_too() -> None:
    key = {"credential_type": "key", "key": WRONG_KEY}
    nameless = Storage(url="az://clips", account_url="https://127.0.0.1", credential=key)
    assert "https://127.0.0.1 is no address of a storage account" in said(nameless.list, WRONG_KEY)


def _answer(code: str) -> HttpResponseError:
    error = HttpResponseError(message=f"several\nlines\nErrorCode:{code}")
    error.error_code = code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_answer("AuthenticationFailed"), "this machine's clock"),
        (_answer("AuthorizationFailure"), "the account's firewall"),
        (_answer("KeyBasedAuthenticationNotPermitted"), "`az login` or a managed identity"),
        (_answer("BlobArchived"), "move it to the hot or cool tier"),
        (_answer("ServerBusy"), "run it again later"),
        (_answer("SomethingNew"), "answers SomethingNew"),
        (ClientAuthenticationError("DefaultAzureCredential failed\nto retrieve"), "`az login`"),
        (AzureError("several\nlines"), "answers AzureError"),
    ],
)
def test_what_cannot_be_had_here_is_explained_too(error: AzureError, words: str) -> None:
    line = explain(error, "herons.blob.core.windows.net")
    assert words in line
    assert "\n" not in line


def test_the_clients_own_logs_hold_no_secret(
    azurite_storage: Storage, azurite: Azurite, caplog: pytest.LogCaptureFixture
) -> None:
    permissions = ContainerSasPermissions(read=True)
    token = generate_container_sas(
        AZURITE_ACCOUNT,
        azurite_storage.url.removeprefix("az://"),
        azurite.key,
        permission=permissions,
        expiry="2099-01-01T00:00:00Z",
    )
    signed = with_credential(azurite_storage, credential_type="sas", token=token)
    with caplog.at_level(logging.DEBUG):
        azurite_storage.write("a", b"x")
        assert signed.read("a") == b"x"
        assert signed.upath("a").read_bytes() == b"x"
    assert "sig=REDACTED" in caplog.text
    assert azurite.key not in caplog.text
    assert not re.search("sig=(?!REDACTED)", caplog.text)

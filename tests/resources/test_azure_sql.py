"""Addresses of SQL Server and sign-in to it: what Microsoft's driver is told, and what its errors become."""

from __future__ import annotations

import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest
import sqlalchemy as sa

from resources import azure_sql
from resources.database import Database
from resources.environments import read_environment
from resources.errors import BusyDatabaseError, DatabaseError
from support import azure_cloud, odbc, servers

ADDRESS = "mssql+pyodbc://analyst:hunter2@127.0.0.1"


def test_parts_make_a_url_without_the_password(tmp_path: Path) -> None:
    parts = {"AL_DATABASE_SERVER": "tcp:al.database.windows.net,1433", "AL_DATABASE_NAME": "al"}
    signed = {**parts, "AL_DATABASE_USER": "ann", "AL_DATABASE_PASSWORD": "hunter2"}
    url = "mssql+pyodbc://{}al.database.windows.net:1433/al{}"
    assert read_environment(signed, tmp_path).database_url == url.format("ann@", "")
    for name, spelled in (("default", "Default"), ("managed_identity", "Msi")):
        found = read_environment({**parts, "AL_DATABASE_AUTHENTICATION": name}, tmp_path).database_url
        assert found == url.format("", f"?authentication=ActiveDirectory{spelled}")
    assert read_environment(parts, tmp_path).database_url == url.format(
        "", "?authentication=ActiveDirectoryDefault"
    )


def test_a_url_comes_before_parts(tmp_path: Path) -> None:
    both = {"AL_DATABASE_URL": "sqlite:///al.db", "AL_DATABASE_SERVER": "somewhere"}
    assert read_environment(both, tmp_path).database_url == "sqlite:///al.db"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"AL_DATABASE_NAME": "al"}, "AL_DATABASE_SERVER must be set too"),
        (
            {"AL_DATABASE_SERVER": "s", "AL_DATABASE_USER": "u"},
            "AL_DATABASE_NAME, AL_DATABASE_PASSWORD must be",
        ),
        ({"AL_DATABASE_SERVER": "s:one", "AL_DATABASE_NAME": "al"}, "AL_DATABASE_SERVER is no host"),
        ({"AL_DATABASE_SERVER": "s", "AL_DATABASE_AUTHENTICATION": "kerberos"}, "is none of sql, default"),
    ],
)
def test_parts_that_do_not_fit_are_named(parts: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=message):
        read_environment(parts, tmp_path)


def test_another_driver_is_refused_with_how_to_write_it() -> None:
    with pytest.raises(DatabaseError, match=r"write mssql\+pyodbc:// in place of mssql\+pymssql://"):
        Database(url="mssql+pymssql://sa:hunter2@host/al").engine.connect()


def test_pyodbc_is_loaded_only_where_a_url_asks_for_it(tmp_path: Path) -> None:
    code = (
        "import sys; from resources.database import Database; Database(url=sys.argv[1]).engine.connect();"
        "print({'pyodbc', 'azure.identity'} & sys.modules.keys())"
    )
    url = f"sqlite:///{tmp_path / 'al.db'}"
    found = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


@pytest.mark.parametrize("url", [f"{ADDRESS}/al", f"{ADDRESS}/al?Encrypt=strict&TrustServerCertificate=yes"])
def test_encryption_and_the_check_of_the_certificate_are_on_unless_the_url_says_otherwise(url: str) -> None:
    odbc.needed()
    told, arguments, token = azure_sql.connectable(sa.make_url(url))
    given = dict(sa.make_url(url).query)
    assert told.query["Encrypt"] == given.get("Encrypt", "yes")
    assert told.query["TrustServerCertificate"] == given.get("TrustServerCertificate", "no")
    assert "msodbcsql" in str(told.query["driver"]) or "ODBC Driver" in str(told.query["driver"])
    assert (told.password, token, arguments["timeout"]) == ("hunter2", None, 15)


def test_a_password_that_the_url_lacks_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    odbc.needed()
    monkeypatch.setenv("AL_DATABASE_PASSWORD", "hunter3")
    assert azure_sql.connectable(sa.make_url("mssql+pyodbc://ann@host/al"))[0].password == "hunter3"
    assert azure_sql.connectable(sa.make_url("mssql+pyodbc://ann:own@host/al"))[0].password == "own"


def test_an_access_token_goes_into_each_connection_in_the_drivers_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odbc.needed()
    monkeypatch.setenv("AL_DATABASE_PASSWORD", "tök")
    told, _, token = azure_sql.connectable(sa.make_url("mssql+pyodbc://host/al?authentication=AccessToken"))
    assert token is not None
    assert (told.username, told.password, "authentication" in told.query) == (None, None, False)
    spelled = "tök".encode("utf-16-le")
    assert azure_sql.token_attributes(token) == {1256: struct.pack("<I", len(spelled)) + spelled}


@pytest.mark.parametrize("name", ["ActiveDirectoryDefault", "ActiveDirectoryMsi"])
def test_a_managed_identity_is_asked_for_a_token(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    odbc.needed()
    with azure_cloud.managed_identity() as variables:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        _, _, token = azure_sql.connectable(sa.make_url(f"mssql+pyodbc://host/al?authentication={name}"))
        assert token is not None
        assert token().count(".") == 2


def test_a_sign_in_that_azure_identity_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    odbc.needed()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{servers.free_port()}/token")
    monkeypatch.setenv("IDENTITY_HEADER", "here")
    url = "mssql+pyodbc://127.0.0.1/al?authentication=ActiveDirectoryMsi"
    with pytest.raises(DatabaseError, match="azure-identity could not sign in") as caught:
        connect(url)
    assert "\n" not in str(caught.value)


def test_a_driver_that_is_not_there_is_said_with_what_to_install() -> None:
    odbc.needed()
    with pytest.raises(
        DatabaseError, match=r"driver cannot be loaded; install .*correct driver= in the URL"
    ) as caught:
        connect(f"{ADDRESS}/al?driver=/nowhere.so")
    assert not isinstance(caught.value, BusyDatabaseError)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_does_not_answer_may_answer_later() -> None:
    odbc.needed()
    with pytest.raises(BusyDatabaseError, match="does not answer; check its name and port") as caught:
        connect(f"{ADDRESS}:{servers.free_port()}/al?login_timeout=1")
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[int]:
    """Port of a server whose certificate nobody has vouched for."""
    public, private = azure_cloud.certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    context.set_alpn_protocols(["tds/8.0"])

    class Greeting(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the driver hangs up, as it should
                context.wrap_socket(self.request, server_side=True).close()

    with ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_certificate_that_nobody_vouches_for_is_refused(stranger: int) -> None:
    odbc.needed()
    with pytest.raises(DatabaseError, match="certificate is not trusted; install the authority") as caught:
        connect(f"{ADDRESS}:{stranger}/al?Encrypt=strict&login_timeout=5")
    assert not isinstance(caught.value, BusyDatabaseError)


def connect(url: str) -> None:
    database = Database(url=url)
    try:
        with database.read():
            pass
    finally:
        database.close()

"""Reaching SQL Server and Azure SQL: address, driver, encryption and sign-in. No SQL and no meaning of errors.

pyodbc, azure-identity and the driver are loaded only where an address asks for them.
"""

from __future__ import annotations

import logging
import platform
import re
import struct
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resources.environments import database_password
from resources.errors import DatabaseError

BACKEND = "mssql+pyodbc"
LOGIN_SECONDS = 15
"""The driver tries a closed port again for as long as this."""
STATEMENT_SECONDS = 3_600
"""A statement that takes longer is given up; an index over a large archive takes minutes."""
TOKEN_ATTRIBUTE = 1256  # SQL_COPT_SS_ACCESS_TOKEN of msodbcsql.h
SCOPE = "https://database.windows.net/.default"
INSTALL_DRIVER = (
    "install Microsoft's ODBC Driver 18 for SQL Server (package msodbcsql18), or "
    "`pip install mssql-python-odbc`"
)
SIGN_INS = {
    "sql": None,
    "default": "ActiveDirectoryDefault",
    "managed_identity": "ActiveDirectoryMsi",
    "token": "AccessToken",
}
"""AL_DATABASE_AUTHENTICATION -> the `authentication` of the URL. The names are those of Microsoft's drivers."""

Token = Callable[[], str]


def url_of_parts(
    server: str, name: str, *, authentication: str = "", user: str = "", secret: bool = False
) -> str:
    """URL of a database given in parts, without the secret; DatabaseError names a variable missing or wrong.

    server: host, host:port or host,port. authentication: a key of SIGN_INS; without one, `sql` where there is a
    user and else `default`. user: of a managed identity its client id, if it has one of its own. secret: whether
    AL_DATABASE_PASSWORD holds one.
    """
    kind = authentication or ("sql" if user else "default")
    if kind not in SIGN_INS:
        raise DatabaseError(f"AL_DATABASE_AUTHENTICATION is none of {', '.join(SIGN_INS)}")
    given = {"AL_DATABASE_SERVER": bool(server), "AL_DATABASE_NAME": bool(name)}
    if kind == "sql":
        given["AL_DATABASE_USER"] = bool(user)
    if kind in ("sql", "token"):
        given["AL_DATABASE_PASSWORD"] = secret
    if missing := [variable for variable, is_given in given.items() if not is_given]:
        raise DatabaseError(f"{', '.join(missing)} must be set too where the database is given in parts")
    address = re.fullmatch(r"(?:tcp:)?([^,:]+)(?:[,:](\d+))?", server)
    if address is None:
        raise DatabaseError("AL_DATABASE_SERVER is no host, host:port or host,port")
    return sa.URL.create(
        BACKEND,
        username=user or None,
        host=address[1],
        port=int(address[2]) if address[2] else None,
        database=name,
        query={"authentication": SIGN_INS[kind]} if SIGN_INS[kind] else {},  # type: ignore[dict-item]
    ).render_as_string()


def connectable(url: sa.URL) -> tuple[sa.URL, dict[str, Any], Token | None]:
    """What SQLAlchemy connects to: the URL completed, arguments of the driver, and the source of access tokens.

    A URL with `odbc_connect` or a data source name is taken as it is. Any other gets a driver, encryption and the
    check of the certificate unless it says otherwise; `login_timeout` and `query_timeout` (seconds) are ours.
    A password or access token that the URL lacks is that of AL_DATABASE_PASSWORD, at every connection.
    """
    if url.drivername not in ("mssql", BACKEND):
        raise DatabaseError(
            f"SQL Server is reached through pyodbc: write {BACKEND}:// in place of {url.drivername}://"
        )
    _pyodbc()
    query = {key.lower(): (key, value) for key, value in url.query.items()}
    arguments = {"timeout": _seconds(query, "login_timeout", LOGIN_SECONDS)}
    statement_seconds = _seconds(query, "query_timeout", STATEMENT_SECONDS)
    token: Token | None = None
    user, password = url.username, str(url.password or "") or database_password()
    if "odbc_connect" not in query and url.host and url.database:
        if "driver" not in query:
            query["driver"] = ("driver", installed_driver())
        query.setdefault("encrypt", ("Encrypt", "yes"))
        query.setdefault("trustservercertificate", ("TrustServerCertificate", "no"))
        token = _token_source(query, user, password)
        if token is not None:
            user = None
    for ours in ("login_timeout", "query_timeout"):
        query.pop(ours, None)
    options = dict(query.values())
    complete = sa.URL.create(
        BACKEND, user, password if user else None, url.host, url.port, url.database, options
    )
    return complete, {**arguments, "statement_seconds": statement_seconds}, token


def without_sign_in(connection_string: str) -> str:
    """The connection string for a sign-in by token: where a URL has no user, SQLAlchemy asks for Kerberos."""
    return connection_string.replace(";Trusted_Connection=Yes", "")


def token_attributes(token: Token) -> Mapping[int, bytes]:
    """`attrs_before` of pyodbc for one connection: the token of this moment, in the form the driver wants."""
    text = _asked(token).encode("utf-16-le")
    return {TOKEN_ATTRIBUTE: struct.pack(f"<I{len(text)}s", len(text), text)}


def _asked(token: Token) -> str:
    from azure.core.exceptions import AzureError

    try:
        return token()
    except AzureError:
        # azure-identity tells the story of every way it tried, in many lines.
        raise DatabaseError(
            "azure-identity could not sign in to the database; run `az login`, check the managed identity or the "
            "variables AZURE_CLIENT_ID and so on, or use another AL_DATABASE_AUTHENTICATION"
        ) from None


def _pyodbc() -> Any:
    try:
        import pyodbc  # type: ignore[import-not-found]
    except ImportError:
        raise DatabaseError(
            "pyodbc cannot be loaded, which SQL Server needs; install unixODBC (Debian: apt-get install unixodbc)"
        ) from None
    # SQLAlchemy has a pool of its own; the driver manager's would hand on old tokens and isolation levels.
    pyodbc.pooling = False
    return pyodbc


def _seconds(query: Mapping[str, tuple[str, Any]], name: str, default: int) -> int:
    value = str(query.get(name, ("", default))[1])
    if not value.isdigit() or not int(value):
        raise DatabaseError(f"{name} in the database's URL is no number of seconds")
    return int(value)


def _token_source(query: dict[str, tuple[str, Any]], user: str | None, secret: str) -> Token | None:
    kind = str(query.get("authentication", ("", ""))[1]).lower()
    if kind == "accesstoken":
        if not secret:
            raise DatabaseError("the access token is missing; put it into AL_DATABASE_PASSWORD")
        query.pop("authentication")
        return lambda: secret
    if kind not in ("activedirectorydefault", "activedirectorymsi", "activedirectorymanagedidentity"):
        return None
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    # It logs what it raises, a screen full of it.
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
    query.pop("authentication")
    if kind == "activedirectorydefault":
        # It keeps a token until shortly before its end, so asking at every connection costs nothing.
        credential: Any = DefaultAzureCredential(managed_identity_client_id=user or None)
    else:
        credential = ManagedIdentityCredential(client_id=user or None)
    return lambda: str(credential.get_token(SCOPE).token)


def installed_driver() -> str:
    """Microsoft's driver: the newest that unixODBC knows, else the one that a Python package brings.

    Raises DatabaseError with what to install.
    """
    installed: list[str] = _pyodbc().drivers()
    numbered = {name: re.fullmatch(r"ODBC Driver (\d+) for SQL Server", name) for name in installed}
    found = {name: int(match[1]) for name, match in numbered.items() if match}
    if found:
        return max(found, key=lambda name: found[name])
    brought = _packaged_driver()
    if brought is None:
        raise DatabaseError(f"there is no driver for SQL Server; {INSTALL_DRIVER}")
    return str(brought)


def _packaged_driver() -> Path | None:
    """The library in the package mssql-python-odbc, which is built once per family of systems."""
    package = find_spec("mssql_python_odbc")
    if package is None or package.origin is None:
        return None
    machine = {"aarch64": "arm64", "AMD64": "x64"}.get(platform.machine(), platform.machine())
    files = [
        file
        for file in sorted(Path(package.origin).parent.glob("libs/**/*msodbcsql*"))
        if machine in file.parts and (".so" in file.name or file.suffix in (".dylib", ".dll"))
    ]
    return next((file for file in files if _family() in file.parts), files[0] if files else None)


def _family() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system().lower()
    words = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    families = {"suse": "suse", "opensuse": "suse", "rhel": "rhel", "fedora": "rhel", "centos": "rhel"}
    return next((families[word] for word in words if word in families), "debian_ubuntu")

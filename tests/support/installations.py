"""Environment variables of whole installations: the embedded default, and servers as in production. No test here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from azure.storage.blob import BlobServiceClient

from resources.database import Database
from resources.storage import Storage
from support import servers, sql_server

KINDS = ("embedded", "postgresql", "mssql")
"""SQLite and a folder; PostgreSQL and Azure Blob; SQL Server and Azure Blob."""


@contextmanager
def variables(kind: str, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """What the environment says beside AL_HOME, with an empty database and an empty container behind it."""
    if kind == "embedded":
        yield {}
        return
    with ExitStack() as stack:
        database = {"postgresql": empty_postgresql, "mssql": empty_mssql}[kind]
        url = stack.enter_context(database(request.getfixturevalue(kind)))
        yield {
            "AL_DATABASE_URL": url,
            **stack.enter_context(empty_container(request.getfixturevalue("azurite"))),
        }


@contextmanager
def empty_container(azurite: servers.Azurite) -> Iterator[dict[str, str]]:
    """Variables of a new container."""
    name = uuid.uuid4().hex
    with BlobServiceClient(azurite.account_url, credential=azurite.key) as service:
        service.create_container(name)
        yield {
            "AL_STORAGE_URL": f"az://{name}",
            "AL_STORAGE_ACCOUNT_URL": azurite.account_url,
            "AL_STORAGE_KEY": azurite.key,
        }
        service.delete_container(name)


@contextmanager
def empty_postgresql(server: servers.PostgreSQL) -> Iterator[str]:
    """URL of a database without any table."""
    name = f"al_{uuid.uuid4().hex}"
    engine = sa.create_engine(server.url("postgres"), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield server.url(name)
    Database(url=server.url(name)).close()


@contextmanager
def empty_mssql(url: str) -> Iterator[str]:
    """URL of the session's database without any table."""
    database = Database(url=url)
    sql_server.wipe(database, tables=False)
    yield url
    database.close()


def bring(storage: Storage, folder: Path, **renamed: str) -> None:
    """Put what lies in a folder under `videos/`, some of it under another name."""
    for file in sorted(folder.iterdir()):
        storage.write(f"videos/{renamed.get(file.name, file.name)}", file.read_bytes())

"""Fixtures that every room's tests may use: databases and storage, each on all the servers that can be had."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from azure.storage.blob import BlobServiceClient
from dagster_azure.blob import AzureBlobStorageKeyCredential

from al_assets import cli
from resources import tables
from resources.database import Database
from resources.storage import Storage
from support import label_studio as label_studio_server
from support import servers, sql_server, tsql
from support.command_line import Al
from support.running import running

LONGEST = ("test_hands_off", "test_demo", "test_loop", "test_single_label_loop")
"""Files that take minutes: begun first, so that no process is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all else in its order. xdist keeps it by --no-loadscope-reorder alone."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def every_statement_is_tsql() -> Iterator[None]:
    """Fail a test that runs, on whichever database, a statement that SQL Server would refuse."""
    watch = tsql.Watch()
    sa.event.listen(sa.Engine, "before_execute", watch)
    yield
    sa.event.remove(sa.Engine, "before_execute", watch)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.PostgreSQL]:
    """A PostgreSQL cluster for the session, with a template database that holds the tables."""
    with running(servers.postgresql()) as server:
        _create_database(server, "al_template", template=None)
        engine = sa.create_engine(server.url("al_template"), poolclass=sa.NullPool)
        tables.metadata.create_all(engine)
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[servers.Azurite]:
    """Azure Blob storage, as Azurite plays it, for the session."""
    with running(servers.azurite()) as server:
        yield server


@pytest.fixture(scope="session")
def label_studio() -> Iterator[label_studio_server.Server]:
    """Label Studio for the session."""
    with running(label_studio_server.label_studio()) as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied: to create them takes longer than most tests."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(url=f"sqlite:///{file}")
    tables.metadata.create_all(database.engine)
    database.close()
    return file


@pytest.fixture
def sqlite_database(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """An empty SQLite database with all tables."""
    database = Database(url=f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'al.db')}")
    yield database
    database.close()


@pytest.fixture
def postgresql_database(postgresql: servers.PostgreSQL) -> Iterator[Database]:
    """An empty PostgreSQL database with all tables."""
    name = f"al_{uuid.uuid4().hex}"
    _create_database(postgresql, name, template="al_template")
    database = Database(url=postgresql.url(name))
    yield database
    database.close()


@pytest.fixture(scope="session")
def mssql() -> Iterator[str]:
    """URL of a SQL Server database for the session, on the server that AL_TEST_MSSQL_URL names."""
    url = os.environ.get("AL_TEST_MSSQL_URL")
    if not url:
        pytest.skip("AL_TEST_MSSQL_URL names no SQL Server")
    with sql_server.own_database(url) as own:
        yield own


@pytest.fixture
def mssql_database(mssql: str) -> Iterator[Database]:
    """An empty SQL Server database with all tables."""
    database = Database(url=mssql)
    sql_server.wipe(database)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql", "mssql"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database with all tables, once per dialect."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture
def local_storage(tmp_path: Path) -> Storage:
    """An empty folder as storage."""
    root = tmp_path / "storage"
    root.mkdir()
    return Storage(url=str(root))


@pytest.fixture
def azurite_storage(azurite: servers.Azurite) -> Iterator[Storage]:
    """An empty container as storage."""
    name = uuid.uuid4().hex
    with BlobServiceClient(azurite.account_url, credential=azurite.key) as service:
        service.create_container(name)
        yield Storage(
            url=f"az://{name}",
            account_url=azurite.account_url,
            credential=AzureBlobStorageKeyCredential(key=azurite.key),
        )
        service.delete_container(name)


@pytest.fixture(params=["local", "azurite"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Empty storage, once per kind."""
    found: Storage = request.getfixturevalue(f"{request.param}_storage")
    return found


@pytest.fixture
def al(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Al:
    """`al` with arguments and variables of the environment, at home in `tmp_path / "home"`."""
    for name in ("AL_DATABASE_URL", "AL_STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.setenv("AL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["al", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def _create_database(server: servers.PostgreSQL, name: str, *, template: str | None) -> None:
    _administer(server, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))


def _administer(server: servers.PostgreSQL, statement: str) -> None:
    engine = sa.create_engine(server.url("postgres"), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)

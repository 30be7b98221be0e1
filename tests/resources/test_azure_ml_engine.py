"""What is submitted to Azure ML, held against azure-ai-ml's own schema and client; and what is refused beforehand."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path

import pytest

from al_assets.definitions import build_defs
from al_assets.settings import SettingsError, parse_settings
from resources.archive import Archive
from resources.azure_ml import AzureML, fault_of, job_variables, without_password
from resources.database import Database
from resources.environments import read_environment
from resources.errors import OneMachineError
from resources.storage import Storage
from support.azure_workspace import QUIET, Workspace, played

CLIENT = "11111111-2222-3333-4444-555555555555"
SERVERS = {
    "AL_DATABASE_URL": "postgresql+psycopg://al:hunter2hunter2@db.example.org/archive",
    "AL_STORAGE_URL": "az://clips",
    "AL_STORAGE_ACCOUNT_URL": "https://wild.blob.core.windows.net",
    "AL_STORAGE_KEY": "c2VjcmV0IGtleSBvZiB0aGUgYWNjb3VudA==",
}
SETTINGS = {
    "compute": {"engine": "azure_ml"},
    "azure_ml": {
        "subscription_id": "00000000-0000-0000-0000-000000000000",
        "resource_group": "wildlife",
        "workspace": "archive",
        "compute": "gpu",
        "image": "registry.azurecr.io/al-assets:1",
        "client_id": CLIENT,
        "timeout_hours": 6,
    },
}
pytestmark = QUIET


def engine_of(folder: Path, **changes: str) -> tuple[AzureML, Archive]:
    """The engine and archive of an installation on servers, none of which is asked."""
    environment = read_environment({**SERVERS, **changes}, folder)
    resources = build_defs(environment, parse_settings(SETTINGS)).resources or {}
    storage = Storage(url=environment.storage_url, **environment.storage_options)
    return resources["compute"], Archive(database=Database(url=environment.database_url), storage=storage)


def test_a_job_is_one_that_azure_ml_takes(tmp_path: Path) -> None:
    from azure.ai.ml import load_job

    engine, archive = engine_of(tmp_path)
    variables = job_variables(archive, CLIENT)
    command = engine.command(
        "embeddings-1-0", "al_assets.remote_embedding", variables, {"dagster/run_id": "1"}
    )
    assert command._validate().passed
    command._to_job().dump(tmp_path / "job.yaml")
    job = load_job(tmp_path / "job.yaml")
    assert job.command == "python -m al_assets.remote_embedding"
    assert job.name == "embeddings-1-0"
    assert job.compute == "gpu"
    assert job.environment.image == "registry.azurecr.io/al-assets:1"
    assert job.resources.instance_count == 1
    assert job.limits.timeout == 6 * 3600
    assert job.identity.client_id == CLIENT
    assert job.experiment_name == "active-learning"
    assert job.tags == {"dagster/run_id": "1"}


def test_a_job_holds_no_secret_and_knows_where_the_archive_is(tmp_path: Path) -> None:
    engine, archive = engine_of(tmp_path)
    variables = job_variables(archive, engine.client_id)
    assert variables == {
        "AL_DATABASE_URL": "postgresql+psycopg://al@db.example.org/archive",
        "AL_STORAGE_URL": "az://clips",
        "AL_STORAGE_ACCOUNT_URL": "https://wild.blob.core.windows.net",
        "AZURE_CLIENT_ID": CLIENT,
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "OMP_WAIT_POLICY": "passive",
    }


def test_azure_sql_is_signed_in_to_by_the_identity_of_the_compute() -> None:
    url = "mssql+pyodbc://{}wild.database.windows.net/archive?authentication=ActiveDirectoryMsi"
    here = Database(url=url.format("identity-of-dagster@"))
    assert without_password(here, CLIENT) == url.format(f"{CLIENT}@")
    assert without_password(here) == url.format("")
    other = Database(url="mssql+pyodbc://me:hunter2@wild.database.windows.net/archive")
    assert without_password(other, CLIENT) == "mssql+pyodbc://me@wild.database.windows.net/archive"


@pytest.mark.parametrize("option", ["odbc_connect=Driver%3D18%3BPWD%3Dx", "PWD=x", "password=x"])
def test_a_url_whose_options_may_hold_a_password_is_not_sent(option: str) -> None:
    with pytest.raises(OneMachineError, match="may hold a secret"):
        without_password(Database(url=f"mssql+pyodbc://me@wild.database.windows.net/archive?{option}"))


def test_what_one_machine_keeps_is_refused_when_the_definitions_load(tmp_path: Path) -> None:
    with pytest.raises(OneMachineError, match=r"SQLite file of this machine.*set AL_DATABASE_URL"):
        engine_of(tmp_path, AL_DATABASE_URL="")
    with pytest.raises(OneMachineError, match=r"folder of this machine.*set AL_STORAGE_URL"):
        engine_of(tmp_path, AL_STORAGE_URL=str(tmp_path))


def test_and_again_before_a_job_is_submitted(sqlite_database: Database, local_storage: Storage) -> None:
    blobs = Storage(url="az://clips", account_url="https://wild.blob.core.windows.net")
    with pytest.raises(OneMachineError, match="folder"):
        job_variables(Archive(database=sqlite_database, storage=local_storage))
    with pytest.raises(OneMachineError, match="SQLite"):
        job_variables(Archive(database=sqlite_database, storage=blobs))


def test_keys_without_which_nothing_can_be_submitted_are_named() -> None:
    with pytest.raises(SettingsError, match=r"needs \[azure_ml\] subscription_id, .*, image"):
        parse_settings({"compute": {"engine": "azure_ml"}})


def test_the_client_signs_in_without_asking_anybody(tmp_path: Path) -> None:
    logging.getLogger("azure").setLevel(logging.ERROR)
    engine, _ = engine_of(tmp_path)
    client = engine.client()
    assert (client.subscription_id, client.resource_group_name) == (engine.subscription_id, "wildlife")
    assert client.workspace_name == "archive"


def test_the_played_workspace_is_asked_as_the_real_one(tmp_path: Path) -> None:
    from azure.ai.ml import MLClient
    from azure.ai.ml.operations import JobOperations

    for real, ours in [
        (MLClient.create_or_update, Workspace.create_or_update),
        (JobOperations.get, Workspace.get),
        (JobOperations.begin_cancel, Workspace.begin_cancel),
    ]:
        asked = list(inspect.signature(ours).parameters)
        assert list(inspect.signature(real).parameters)[: len(asked)] == asked
    assert isinstance(played(Workspace(tmp_path)), AzureML)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("resources.errors.StorageError: blob a cannot be read", "blob a cannot be read"),
        ("ValueError: a: b", "a: b"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ("no class here: b", "no class here: b"),
    ],
)
def test_a_fault_is_told_without_the_name_of_its_class(message: str, sentence: str) -> None:
    assert fault_of({"method": "closed", "params": {"exception": {"message": message}}}) == sentence
    assert fault_of({"method": "opened", "params": {}}) == ""

"""What runs print lies with the storage: a home made with az:// keeps it in the container, and shows it from there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from al_assets.home import compute_logs
from resources.environments import process_environment, read_environment
from support import azure_cloud, servers

RUN = """
import json
import dagster as dg
from al_assets.home import open_instance, prepare
from resources.environments import read_environment
from resources.storage import Storage

@dg.asset
def talkative():
    print("grey heron at 05:12")

environment = read_environment()
prepare(environment)
with open_instance(environment) as instance:
    run = dg.materialize([talkative], instance=instance, raise_on_error=False)
    (captured,) = [e for e in run.all_events if e.event_type_value == "LOGS_CAPTURED"]
    key = [run.run_id, "compute_logs", captured.logs_captured_data.file_key]
    shown = instance.compute_log_manager.get_log_data(key).stdout.decode()
storage = Storage(url=environment.storage_url, **environment.storage_options)
stored = {f.path: storage.read(f.path).decode() for f in storage.list("dagster/") if f.path.endswith(".out")}
print(json.dumps({"success": run.success, "shown": shown, "run": run.run_id, "stored": stored}))
"""


@pytest.mark.parametrize("sign_in", [{}, {"AL_STORAGE_KEY": servers.AZURITE_KEY}], ids=["identity", "key"])
def test_what_a_run_prints_is_read_back_from_the_container(
    azurite: servers.Azurite, tmp_path: Path, sign_in: dict[str, str]
) -> None:
    blobs = tmp_path / "azurite"
    blobs.mkdir()
    home = tmp_path / "home"
    with azure_cloud.account(blobs, "clips") as reached:
        variables = process_environment(AL_HOME=str(home), AL_DATABASE_URL="", **reached, **sign_in)
        done = subprocess.run(
            [sys.executable, "-c", RUN], env=variables, cwd=tmp_path, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["success"]
    assert "grey heron at 05:12" in found["shown"]
    ((path, text),) = found["stored"].items()
    assert path.startswith(f"dagster/storage/{found['run']}/compute_logs/")
    assert "grey heron at 05:12" in text
    configuration = (home / "dagster" / "dagster.yaml").read_text()
    assert servers.AZURITE_KEY not in configuration + done.stdout + done.stderr


AZURE = {"AL_STORAGE_URL": "az://clips", "AL_STORAGE_ACCOUNT_URL": "https://herons.blob.core.windows.net/"}


@pytest.mark.parametrize(
    ("variables", "credential"),
    [
        ({"AL_STORAGE_KEY": "c2VjcmV0"}, {"access_key_or_sas_token": {"env": "AL_STORAGE_KEY"}}),
        ({"AL_STORAGE_SAS_TOKEN": "sig=x"}, {"access_key_or_sas_token": {"env": "AL_STORAGE_SAS_TOKEN"}}),
        ({}, {"default_azure_credential": {}}),
    ],
)
def test_secrets_are_named_and_not_written_down(
    tmp_path: Path, variables: dict[str, str], credential: dict[str, object]
) -> None:
    text = compute_logs(read_environment({**AZURE, **variables}, tmp_path))
    config = yaml.safe_load(text)["compute_logs"]["config"]
    assert config.pop("storage_account") == "herons"
    assert config == {
        "endpoint_suffix": "core.windows.net",
        "container": "clips",
        "prefix": "dagster",
        **credential,
    }
    assert not any(secret in text for secret in variables.values())


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AL_STORAGE_URL": "/data/clips"},
        {"AL_STORAGE_URL": "az://clips", "AL_STORAGE_ACCOUNT_URL": "http://127.0.0.1:10000/devstoreaccount1"},
    ],
)
def test_elsewhere_the_logs_lie_beside_the_instance(tmp_path: Path, variables: dict[str, str]) -> None:
    assert yaml.safe_load(compute_logs(read_environment(variables, tmp_path))) is None

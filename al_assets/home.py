"""The folder that holds an installation (`AL_HOME`): made, filled in and brought up to date. No loop, no assets."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg

from al_assets.archives import make_archive
from al_assets.engines import dagster_yaml, refuse_dagster_files, refuse_files
from al_assets.settings import load_settings
from resources import migrations
from resources.archive import FOLDERS
from resources.environments import STORAGE_KEY, STORAGE_SAS_TOKEN, Environment, process_environment

ACCOUNT = re.compile(r"https://(?P<name>[a-z0-9-]+)\.blob\.(?P<suffix>[^/:]+)/?")

DAGSTER_YAML = """\
# Written once, at the first start of this home; yours to change.
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
concurrency:
  # One step at a time in each pool: gpu (training, vectors, scores) and sql_write (large writes of one transaction).
  # A machine with two GPUs, or a database that takes several writers: `dagster instance concurrency set gpu 2`.
  pools: {default_limit: 1}
  runs:
    max_concurrent_runs: 2
    tag_concurrency_limits:
      - {key: al/queue, value: model, limit: 1}
      - {key: al/queue, value: labelling_tool, limit: 1}
run_retries: {enabled: true, max_retries: 1, retry_on_asset_or_op_failure: false}
# A process that was killed holds its place in a pool; without the second setting for ever.
run_monitoring: {enabled: true, free_slots_after_run_end_seconds: 60}
retention:
  sensor: {purge_after_days: {skipped: 7, success: -1}}
"""

STATE_BESIDE = """\
# Dagster's own state lies beside this file; a home made with AL_DAGSTER_DATABASE_URL keeps it in PostgreSQL.
"""

LOGS_BESIDE = """\
# What runs print lies beside this file too; a home made with AL_STORAGE_URL=az://... keeps it in the container.
"""

LOGS_IN_BLOB = """\
# What runs print lies in the storage's container, under dagster/; secrets are named here and read at the start.
compute_logs:
  module: dagster_azure.blob
  class: AzureBlobComputeLogManager
  config:
    storage_account: {account}
    endpoint_suffix: {suffix}
    container: {container}
    prefix: dagster
    {credential}
"""

WORKSPACE_YAML = """\
load_from:
  - python_module: {module_name: al_assets.definitions, location_name: active_learning}
"""


def prepare(environment: Environment) -> list[str]:
    """Make what is missing: folders, Dagster's configuration, the tables at their newest revision; says what.

    Raises OneMachineError where `[compute]` asks for several machines and files of one are to be written.
    """
    compute = load_settings(environment.settings_path).compute
    refuse_files(compute, environment)
    refuse_dagster_files(compute, environment)
    environment.dagster_home.mkdir(parents=True, exist_ok=True)
    configuration = environment.dagster_home / "dagster.yaml"
    if not configuration.exists():
        engine = dagster_yaml(compute, environment) or STATE_BESIDE
        configuration.write_text(DAGSTER_YAML + engine + compute_logs(environment), encoding="utf-8")
    archive = make_archive(environment)
    archive.storage.make_folders(FOLDERS)
    return migrations.upgrade(archive.database)


def compute_logs(environment: Environment) -> str:
    """Where an instance keeps what its runs print, as lines of dagster.yaml: with the storage, if that is Azure Blob.

    Dagster's class knows accounts by name only, so one at another kind of address (Azurite) keeps them beside.
    """
    account = ACCOUNT.fullmatch(environment.storage_options.get("account_url", ""))
    if not environment.storage_url.startswith("az://") or account is None:
        return LOGS_BESIDE
    kind = environment.storage_options.get("credential", {}).get("credential_type")
    variable = {"key": STORAGE_KEY, "sas": STORAGE_SAS_TOKEN}.get(kind)
    return LOGS_IN_BLOB.format(
        account=json.dumps(account["name"]),
        suffix=json.dumps(account["suffix"]),
        container=json.dumps(environment.storage_url.removeprefix("az://").strip("/")),
        credential=f"access_key_or_sas_token: {{env: {variable}}}"
        if variable
        else "default_azure_credential: {}",
    )


def workspace_file(environment: Environment) -> Path:
    """The workspace.yaml beside the packages, or one written into the home where a wheel was installed."""
    beside = Path(__file__).parent.parent / "workspace.yaml"
    if beside.is_file():
        return beside
    own = environment.home / "workspace.yaml"
    own.write_text(WORKSPACE_YAML, encoding="utf-8")
    return own


def open_instance(environment: Environment) -> dg.DagsterInstance:
    """Dagster's instance of this home, for runs outside the web server."""
    return dg.DagsterInstance.from_config(str(environment.dagster_home))


def run_dagster(environment: Environment, host: str, port: int) -> int:
    """Run the web server and the daemon until they are stopped; returns the exit status.

    A child of a shell script starts with INT and TERM ignored and hands that on; both are restored here, so
    that stopping `al dev` stops Dagster.
    """
    for line in prepare(environment):
        print(line)
    command = [
        *(sys.executable, "-m", "dagster", "dev"),
        *("-w", str(workspace_file(environment)), "-h", host, "-p", str(port)),
    ]
    variables = process_environment(
        AL_HOME=str(environment.home),
        DAGSTER_HOME=str(environment.dagster_home),
        OMP_WAIT_POLICY="passive",
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    process = subprocess.Popen(command, env=variables, cwd=Path.cwd())
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()

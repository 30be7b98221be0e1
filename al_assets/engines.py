"""From `[compute]` in al.toml to what it names: the resource, the executor, lines of dagster.yaml, and refusals.

Ray and dagster-ray are imported only where the settings ask for them.
"""

from __future__ import annotations

import json

import dagster as dg
import yaml

from al_assets.azure_ml_settings import AzureMLSettings
from al_assets.engine_settings import ComputeSettings
from resources.azure_ml import NO_FOLDER, NO_SQLITE, AzureML
from resources.compute import Compute
from resources.environments import DAGSTER_DATABASE_URL, DATABASE_URL, Environment
from resources.errors import OneMachineError

DAGSTER_DRIVER = "postgresql+psycopg2://"

NO_FILES = (
    '[compute] engine = "ray" needs PostgreSQL for Dagster\'s own storage: SQLite is a file, which several machines '
    "cannot write together"
)

STORAGE = """\
# Dagster's own state, which every machine of the cluster writes. Named here and read at the start: what this file
# says goes into the command line of each run, which anyone in the cluster may read.
storage:
  postgres: {postgres_url: {env: %s}}
"""

RUN_LAUNCHER = """\
# A run is a Ray job on the head node; its heavy work goes on to the workers that [compute] in al.toml asks for.
run_launcher:
  module: dagster_ray
  class: RayRunLauncher
  config:
    ray: {address: %s}
"""


def make_compute(settings: ComputeSettings, azure_ml: AzureMLSettings, environment: Environment) -> Compute:
    """The resource `compute`. Raises OneMachineError for a database that the engine cannot share."""
    refuse_files(settings, environment)
    if settings.engine == "azure_ml":
        return make_azure_ml(azure_ml)
    return Compute(
        engine=settings.engine,
        address=settings.address,
        workers=settings.workers,
        cpus=settings.cpus,
        gpus=settings.gpus,
    )


def make_azure_ml(settings: AzureMLSettings) -> AzureML:
    """The engine of jobs in Azure ML."""
    return AzureML(
        subscription_id=settings.subscription_id,
        resource_group=settings.resource_group,
        workspace=settings.workspace,
        cluster=settings.compute,
        image=settings.image,
        client_id=settings.client_id,
        experiment=settings.experiment,
        timeout_seconds=int(settings.timeout_hours * 3600),
        poll_seconds=settings.poll_seconds,
    )


def make_executor(settings: ComputeSettings) -> dg.ExecutorDefinition:
    """What executes the steps of a run. Raises ValueError where dagster-ray is asked for and not installed."""
    if settings.executor == "in_process":
        return dg.in_process_executor
    try:
        from dagster_ray import ray_executor
    except ImportError as error:
        raise ValueError('[compute] executor = "ray" needs dagster-ray; install al-assets[ray]') from error
    return ray_executor.configured({"ray": {"address": settings.address or "auto"}})


def refuse_files(settings: ComputeSettings, environment: Environment) -> None:
    """Raise OneMachineError where another machine would write a SQLite file, or read a folder, of this one."""
    if settings.engine == "azure_ml" and environment.database_url.startswith("sqlite"):
        raise OneMachineError(NO_SQLITE)
    if settings.engine == "azure_ml" and not environment.storage_url.startswith("az://"):
        raise OneMachineError(NO_FOLDER)
    if uses_ray(settings) and environment.database_url.startswith("sqlite"):
        raise OneMachineError(
            '[compute] engine = "ray" needs PostgreSQL or SQL Server: SQLite is a file, which several machines cannot '
            f"write together; set {DATABASE_URL}"
        )


def refuse_dagster_files(settings: ComputeSettings, environment: Environment) -> None:
    """Raise OneMachineError where Dagster's own state lies, or would lie, in SQLite files of one machine."""
    if not uses_ray(settings):
        return
    file = environment.dagster_home / "dagster.yaml"
    if file.exists():
        kept = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        if "sqlite" in kept.get("storage", {"sqlite": None}):
            raise OneMachineError(
                f"{NO_FILES}; in {file}, which was made for one machine, set storage, or remove it"
            )
    elif not environment.dagster_database_url:
        raise OneMachineError(
            f"{NO_FILES}; set {DAGSTER_DATABASE_URL} to {DAGSTER_DRIVER}USER:PASSWORD@HOST/NAME"
        )
    elif not environment.dagster_database_url.startswith(DAGSTER_DRIVER):
        # Without the driver's name SQLAlchemy 2.1 takes psycopg 3, with which dagster-postgres fails at NOTIFY.
        raise OneMachineError(f"{DAGSTER_DATABASE_URL} must begin with {DAGSTER_DRIVER}")


def uses_ray(settings: ComputeSettings) -> bool:
    """Whether anything runs on Ray."""
    return "ray" in (settings.engine, settings.executor)


def dagster_yaml(settings: ComputeSettings, environment: Environment) -> str:
    """Lines of dagster.yaml for an installation of several machines; empty for one."""
    storage = STORAGE % DAGSTER_DATABASE_URL if environment.dagster_database_url else ""
    return storage + (RUN_LAUNCHER % json.dumps(settings.address or "auto") if uses_ray(settings) else "")

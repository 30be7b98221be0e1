"""A step as a command job of Azure ML: what is submitted, how it is watched, and what its end means in plain words.

What the job does is the caller's module; what it writes, it writes itself, in the archive's own transactions.
azure-ai-ml (41 MB, a second and a half) comes with dagster-azure and is loaded only where a job is submitted.
"""

# No `from __future__ import annotations`: a resource's fields are read by Dagster.
import contextlib
import json
from collections.abc import Mapping
from typing import Any

import dagster as dg
import sqlalchemy as sa
from azure.core.exceptions import AzureError

# Not among Dagster's public names, and no DagsterError.
from dagster._core.errors import DagsterPipesExecutionError
from pydantic import Field

from resources.archive import Archive
from resources.azure_sql import SIGN_INS
from resources.compute import Compute
from resources.database import Database
from resources.environments import DATABASE_URL, STORAGE_ACCOUNT_URL, STORAGE_URL
from resources.errors import OneMachineError
from resources.pipes_blobs import PipesBlobs

SECRET_OPTIONS = ("odbc_connect", "password", "pwd", "passfile", "sslpassword", "accesstoken")
"""Of a database URL: options that hold a secret, or a file of this machine that does."""
NO_SQLITE = (
    "the database is a SQLite file of this machine, which a job in Azure ML cannot write; set AL_DATABASE_URL to a "
    'PostgreSQL or Azure SQL database, or [compute] engine to "local"'
)
NO_FOLDER = (
    "the storage is a folder of this machine, which a job in Azure ML cannot read; set AL_STORAGE_URL to "
    'az://CONTAINER, or [compute] engine to "local"'
)
SAME_LIBRARIES = {"DAGSTER_DISABLE_TELEMETRY": "1", "OMP_WAIT_POLICY": "passive"}


class AzureML(Compute):
    """Hands a whole step to a command job of Azure ML; work that is not handed over runs here, as in `Compute`."""

    engine: str = Field(default="azure_ml", description="`azure_ml`")
    subscription_id: str = Field(description="Azure subscription of the workspace")
    resource_group: str = Field(description="resource group of the workspace")
    workspace: str = Field(description="Azure ML workspace")
    cluster: str = Field(description="compute cluster of the workspace")
    image: str = Field(description="container image with this version of the platform")
    client_id: str = Field(default="", description="client id of the compute's own managed identity, if any")
    experiment: str = Field(default="active-learning", description="experiment under which jobs are listed")
    timeout_seconds: int = Field(default=86_400, description="time after which Azure ML ends the job")
    poll_seconds: float = Field(default=10, description="seconds between two looks")

    def client(self) -> Any:
        """azure-ai-ml's client of the workspace, signed in by azure-identity's default chain."""
        from azure.ai.ml import MLClient
        from azure.identity import DefaultAzureCredential

        return MLClient(
            DefaultAzureCredential(),
            self.subscription_id,
            self.resource_group,
            self.workspace,
            enable_telemetry=False,
        )

    def run(
        self, context: dg.AssetExecutionContext, archive: Archive, module: str, extras: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Run `python -m module` as a job and wait for its end; gives the metadata that it reported.

        extras: what the job is asked for, as JSON knows it. Raises OneMachineError before anything is submitted,
        dagster.Failure where the job did not come to its end, or the run was cancelled: the job is cancelled with it.
        """
        from dagster_azure.pipes import PipesAzureBlobStorageContextInjector, PipesAzureMLClient

        variables = job_variables(archive, self.client_id)
        command = self.command(_job_name(context), module, variables, _tags(context))
        client, blobs, container = self.client(), PipesBlobs(archive.storage), archive.storage.container
        reader = _reader(container, blobs, self.poll_seconds)
        pipes = PipesAzureMLClient(
            client=client,
            context_injector=PipesAzureBlobStorageContextInjector(container=container, client=blobs),  # type: ignore[arg-type]
            message_reader=reader,
            poll_interval_seconds=self.poll_seconds,
        )
        try:
            done = pipes.run(context=context, extras=dict(extras), command=command)
        except DagsterPipesExecutionError as error:
            # A job that says what it died of would die of it again; after a lost node the next one does the rest.
            why = _explained(client, command.name, reader, error)
            raise dg.Failure(why, allow_retries=reader.spoke and not reader.fault) from error
        except AzureError as error:
            # Nobody watches it any more, and the next attempt submits one of its own.
            _cancel(client, command.name)
            raise dg.Failure(f"Azure ML refused job {command.name} or did not answer: {error}") from error
        except dg.DagsterExecutionInterruptedError:
            # The second interruption, while the job was being cancelled for the first.
            _cancel(client, command.name)
            raise _cancelled(command.name) from None
        finally:
            blobs.clean(container)
        if client.jobs.get(command.name).status != "Completed":
            # dagster-azure 0.29.27 cancels the job and then goes on as if it had come to its end.
            raise _cancelled(command.name)
        return done.get_materialize_result().metadata or {}

    def command(self, name: str, module: str, variables: Mapping[str, str], tags: Mapping[str, str]) -> Any:
        """The job as azure-ai-ml submits it: no code is uploaded, since the image holds it."""
        from azure.ai.ml import command
        from azure.ai.ml.entities import Environment, ManagedIdentityConfiguration

        job = command(
            name=name,
            display_name=name,
            experiment_name=self.experiment,
            command=f"python -m {module}",
            environment=Environment(image=self.image),
            environment_variables=dict(variables),
            compute=self.cluster,
            identity=ManagedIdentityConfiguration(client_id=self.client_id or None),
            tags=dict(tags),
            # One node: messages have one writer, and several runs are several jobs.
            instance_count=1,
        )
        job.set_limits(timeout=self.timeout_seconds)
        return job


def job_variables(archive: Archive, client_id: str = "") -> dict[str, str]:
    """Environment of a job: where the archive is, and no secret.

    Raises OneMachineError for an archive that only this machine can reach.
    """
    if archive.storage.is_local:
        raise OneMachineError(NO_FOLDER)
    variables = {
        DATABASE_URL: without_password(archive.database, client_id),
        STORAGE_URL: archive.storage.url,
        STORAGE_ACCOUNT_URL: archive.storage.account_url,
        **SAME_LIBRARIES,
    }
    # azure-identity's default chain takes a compute's own identity by this name.
    return variables | ({"AZURE_CLIENT_ID": client_id} if client_id else {})


def without_password(database: Database, client_id: str = "") -> str:
    """The database's URL without its password; where a managed identity signs in, it is the compute's.

    Raises OneMachineError where a job elsewhere could not use that.
    """
    if database.dialect_name == "sqlite":
        raise OneMachineError(NO_SQLITE)
    url = sa.make_url(database.url)
    if secret := sorted(key for key in url.query if key.lower() in SECRET_OPTIONS):
        raise OneMachineError(
            f"the option {secret[0]} of AL_DATABASE_URL may hold a secret, which a job in Azure ML would show; "
            "give the database in parts (AL_DATABASE_SERVER, AL_DATABASE_NAME, AL_DATABASE_AUTHENTICATION)"
        )
    # Not by URL.set, for which None means "as it was".
    if url.query.get("authentication") == SIGN_INS["managed_identity"]:
        url = url._replace(username=client_id or None)
    return url._replace(password=None).render_as_string()


def _job_name(context: dg.AssetExecutionContext) -> str:
    """A name of its own for each attempt, so that an attempt is found again and never submitted twice."""
    return f"{context.asset_key.path[-1]}-{context.run.run_id}-{context.retry_number}".replace("_", "-")


def _tags(context: dg.AssetExecutionContext) -> dict[str, str]:
    return {"dagster/run_id": context.run.run_id, "dagster/asset": context.asset_key.to_user_string()}


def _reader(container: str, blobs: PipesBlobs, seconds: float) -> Any:
    """Dagster's reader of messages, which also keeps whether the job has spoken and what it died of."""
    from dagster_azure.pipes import PipesAzureBlobStorageMessageReader

    class Reader(PipesAzureBlobStorageMessageReader):
        spoke = False
        fault = ""

        def download_messages_chunk(self, index: int, params: Any) -> str | None:
            chunk = super().download_messages_chunk(index, params)
            self.spoke = self.spoke or bool(chunk)
            for line in (chunk or "").splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    self.fault = fault_of(json.loads(line)) or self.fault
            return chunk

    return Reader(container=container, client=blobs, interval=seconds)  # type: ignore[arg-type]


def fault_of(message: Mapping[str, Any]) -> str:
    """What a job died of, if this message says so: the error's sentence without the name of its class."""
    exception = (message.get("params") or {}).get("exception") or {}
    text = str(exception.get("message") or "").strip()
    name, _, sentence = text.partition(": ")
    return sentence if sentence and " " not in name else text


def _cancel(client: Any, name: str) -> None:
    with contextlib.suppress(AzureError):
        client.jobs.begin_cancel(name)


def _cancelled(name: str) -> dg.Failure:
    """No interruption: Dagster 1.13 answers one by the step's retry policy, and submits the job again."""
    return dg.Failure(f"the run was cancelled, and Azure ML job {name} with it", allow_retries=False)


def _explained(client: Any, name: str, reader: Any, error: Exception) -> str:
    """One sentence on a job that did not come to its end."""
    try:
        job = client.jobs.get(name)
    except AzureError as unknown:
        return f"Azure ML job {name} failed, and Azure ML does not say how: {unknown}"
    if job.status not in ("Failed", "Canceled"):
        return f"Azure ML job {name} is {job.status}, but is not heard any more: {error}"
    log = f"; its log: {job.studio_url}" if getattr(job, "studio_url", None) else ""
    if job.status == "Canceled" and not reader.fault:
        return (
            f"Azure ML job {name} was cancelled there, or ran out of time; videos that it finished stand{log}"
        )
    if reader.fault:
        return f"Azure ML job {name} failed: {reader.fault}{log}"
    if reader.spoke:
        return (
            f"Azure ML job {name} was ended from outside (a lost node, out of memory); "
            f"videos that it finished stand, and a new run does the rest{log}"
        )
    return (
        f"Azure ML job {name} ended before it said anything: look at the image, the compute and the rights of "
        f"its identity on the storage{log}"
    )

"""A workspace of Azure ML as far as `MLClient` is asked of it: records jobs, plays their states, starts them for real.

No workspace can be had in a test. What is played is the order in which Azure ML reports states; the job itself is a
process of its own with the job's environment, and nothing of the test's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from resources.azure_ml import AzureML

QUIET = [
    pytest.mark.filterwarnings("ignore::marshmallow.warnings.RemovedInMarshmallow4Warning"),
    pytest.mark.filterwarnings("ignore::marshmallow.warnings.ChangedInMarshmallow4Warning"),
    pytest.mark.filterwarnings("ignore:AssetExecutionContext.run_id is deprecated"),
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
]
"""Marks of tests that load azure-ai-ml 1.35 and Dagster's pipes, which warn of what they do themselves."""
NODE = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "LD_LIBRARY_PATH")
"""What a node of the compute has of its own."""


@dataclass
class Job:
    """What `jobs.get` gives."""

    name: str
    status: str = "Queued"
    studio_url: str = "https://ml.azure.com/runs/1"


@dataclass
class Workspace:
    """Stands in for MLClient. gives: variables that the image or the node brings. watch: called while a job runs."""

    folder: Path
    gives: Mapping[str, str] = field(default_factory=dict)
    watch: Callable[[subprocess.Popen[str]], object] = lambda process: None
    commands: list[Any] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    output: str = ""
    _process: subprocess.Popen[str] | None = None
    _job: Job | None = None

    @property
    def jobs(self) -> Workspace:
        """MLClient.jobs."""
        return self

    def create_or_update(self, entity: Any) -> Job:
        """MLClient.create_or_update."""
        self.commands.append(entity)
        self._process, self._job = None, Job(entity.name)
        return self._job

    def get(self, name: str) -> Job:
        """JobOperations.get: a job is queued, runs, and ends as its process does."""
        assert self._job is not None
        assert name == self._job.name
        if not self.states or self.states[-1] != self._job.status:
            self.states.append(self._job.status)
        reported = Job(name, self._job.status)
        self._advance()
        return reported

    def begin_cancel(self, name: str) -> None:
        """JobOperations.begin_cancel."""
        assert self._job is not None
        self._job.status = "CancelRequested"
        if self._process is not None:
            self._process.terminate()

    def _advance(self) -> None:
        job = self._job
        assert job is not None
        if job.status == "Queued":
            self._process, job.status = self._started(), "Running"
        elif self._process is not None and job.status in ("Running", "CancelRequested"):
            self.watch(self._process)
            code = self._process.poll()
            if code is not None:
                self.output = (self.folder / "output").read_text()
                ended = "Completed" if code == 0 else "Failed"
                job.status = "Canceled" if job.status == "CancelRequested" else ended

    def _started(self) -> subprocess.Popen[str]:
        command = self.commands[-1]
        python, *arguments = command.command.split()
        assert python == "python"
        own = {name: os.environ[name] for name in NODE if name in os.environ}
        with (self.folder / "output").open("w") as output:
            return subprocess.Popen(
                [sys.executable, *arguments],
                env={**own, **self.gives, **command.environment_variables},
                cwd=self.folder,
                stdout=output,
                stderr=output,
                text=True,
            )


def played(workspace: Workspace) -> AzureML:
    """The engine whose jobs this workspace takes."""

    class Played(AzureML):
        def client(self) -> Any:
            return workspace

    return Played(
        subscription_id="00000000-0000-0000-0000-000000000000",
        resource_group="wildlife",
        workspace="archive",
        cluster="gpu",
        image="registry.azurecr.io/al-assets:1",
        poll_seconds=0.3,
    )

"""A job whose runs meet before they write, so that writes overlap; steps run in processes of their own. No test."""

# No `from __future__ import annotations`: Dagster reads the annotations of assets themselves.

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from resources.database import Database
from resources.slices import Slice
from resources.sql_io_manager import SqlIOManager
from support.versioned_slice import version_slice

VIDEOS = dg.StaticPartitionsDefinition(["clip-1", "clip-2"])
VERSIONS = 12
PATIENCE_SECONDS = 120
"""For another process to start, on a busy machine."""


class Rewriting(dg.Config):
    """What a run writes."""

    first_version: int


def meet(folder: Path, name: str, number: int) -> None:
    """Wait until so many have come."""
    (folder / name).touch()
    until = time.monotonic() + PATIENCE_SECONDS
    while len(list(folder.iterdir())) < number:
        if time.monotonic() > until:
            raise TimeoutError("the other run did not come")
        time.sleep(0.01)


def make_job(url: str, folder: str) -> dg.JobDefinition:
    """The job of an asset `rewritten`: every other version of its video's slice, from the first one given."""

    @dg.asset(partitions_def=VIDEOS, metadata={"table": "frames"})
    def rewritten(context: dg.AssetExecutionContext, config: Rewriting) -> dg.MaterializeResult:
        def parts() -> Iterator[Slice]:
            meet(Path(folder), context.run.run_id, 2)
            for version in range(config.first_version, config.first_version + 2 * VERSIONS, 2):
                yield version_slice(version, VIDEOS.get_partition_keys().index(context.partition_key) + 1)

        return dg.MaterializeResult(value=parts())

    job = dg.define_asset_job("rewriting", [rewritten], executor_def=dg.multiprocess_executor)
    resources = {"io_manager": SqlIOManager(database=Database(url=url))}
    return dg.Definitions([rewritten], jobs=[job], resources=resources).resolve_job_def("rewriting")


def execute(url: str, home: str, folder: str, partition: str, first_version: int) -> str:
    """Run the job of one partition on the instance in `home`; returns the run's id."""
    with dg.DagsterInstance.from_config(home) as instance:
        result = dg.execute_job(
            dg.build_reconstructable_job("support.parallel_job", "make_job", (url, folder)),
            instance,
            run_config={"ops": {"rewritten": {"config": {"first_version": first_version}}}},
            tags={"dagster/partition": partition},
            raise_on_error=True,
        )
        return result.run_id

"""The asset `embeddings` as a job of Azure ML, the job's side: `python -m al_assets.remote_embedding`.

Dagster is on another machine: what is asked for comes by dagster_pipes, and so do log lines, the result and the error
go back. Where the archive is, this process's own environment says; rows are written here, slice by slice, as the SQL
IO manager writes them. No submission here (`azure_embedding.py`).
"""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from dagster_pipes import (
    PipesAzureBlobStorageContextLoader,
    PipesAzureBlobStorageMessageWriter,
    PipesContext,
    PipesEnvVarParamsLoader,
    open_dagster_pipes,
)

from al_assets.embedding_slices import EmbeddingSlices
from al_assets.embedding_work import EmbeddingWork
from al_assets.settings import EmbeddingsSettings
from al_assets.vector_versions import vector_versions
from resources import migrations
from resources.archive import Archive
from resources.compute import Compute
from resources.database import Database
from resources.environments import calm_threads, read_environment
from resources.pipes_blobs import PipesBlobs
from resources.slice_writer import SliceWriter
from resources.storage import Storage

MESSAGE_SECONDS = 1
TOLD_EVERY = 25
"""Slices between two lines on how far the job is."""


class OtherVersionError(RuntimeError):
    """The image holds another version of the platform, or of the weights, than the run or the database."""


def embed(pipes: PipesContext, archive: Archive) -> dict[str, Any]:
    """Embed the videos that `pipes` names and write their vectors; what was done, as metadata.

    Raises what an embedding run on one machine raises, and OtherVersionError.
    """
    settings = EmbeddingsSettings.model_validate(pipes.get_extra("settings"))
    asked, versions = pipes.get_extra("embedder_id"), vector_versions(archive, settings)
    if versions.wanted != asked:
        raise OtherVersionError(
            f"this image embeds as {versions.wanted} and the run asks for {asked}; "
            "build the image from the same version"
        )
    videos = archive.videos.get(pipes.get_extra("videos"))
    slices = EmbeddingSlices(archive, versions, videos, pipes.log.info)
    writer, rows, count = SliceWriter(archive.database), 0, 0
    with closing(Compute().stream(EmbeddingWork(archive.storage, settings), slices.items())) as results:  # type: ignore[type-var]
        written = slices.written(results)
        for part in written:
            done = writer.write(
                "embeddings",
                part,
                run_id=pipes.run_id,
                code_version=pipes.code_version,
                now=datetime.now(UTC),
            )
            rows, count = rows + done.by_table.get("embeddings", 0), count + 1
            if count % TOLD_EVERY == 0:
                pipes.log.info(f"{count} slices with {rows} vectors are written")
    return {"dagster/row_count": rows, "slices_in_job": count, **written.metadata}


def main() -> int:
    """Do what the run asks for and say how it went; the exit status."""
    if not PipesEnvVarParamsLoader().is_dagster_pipes_process():  # type: ignore[no-untyped-call]
        print(
            'a run with [compute] engine = "azure_ml" starts this in a job; there is no run here',
            file=sys.stderr,
        )
        return 2
    calm_threads()
    environment = read_environment()
    storage = Storage(url=environment.storage_url, **environment.storage_options)
    blobs = PipesBlobs(storage)
    with open_dagster_pipes(
        context_loader=PipesAzureBlobStorageContextLoader(client=blobs),
        message_writer=PipesAzureBlobStorageMessageWriter(client=blobs, interval=MESSAGE_SECONDS),
    ) as pipes:
        archive = Archive(database=Database(url=environment.database_url), storage=storage)
        if migrations.current(archive.database) != migrations.head():
            raise OtherVersionError("the tables are of another revision than this image; run `al db upgrade`")
        pipes.report_asset_materialization(metadata=embed(pipes, archive))
    return 0


if __name__ == "__main__":
    sys.exit(main())

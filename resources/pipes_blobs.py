"""Where a step and its job elsewhere leave each other messages: blobs below one folder of the archive's container.

Dagster's pipes name blobs at the root of a container and leave the messages there; here they lie beside the logs of
runs, and go when the step has ended. What the messages say belongs to Dagster.
"""

from __future__ import annotations

import contextlib
from typing import Any

from azure.core.exceptions import AzureError

from resources.storage import Storage

FOLDER = "dagster/pipes/"


class PipesBlobs:
    """What dagster_pipes takes for a client of Azure Blob, in both processes."""

    def __init__(self, storage: Storage) -> None:
        self._service = storage.blob_service()
        self._seen: set[str] = set()

    def get_blob_client(self, container: str, blob: str) -> Any:
        """The client of a blob below the folder."""
        self._seen.add(blob.split("/", 1)[0])
        return self._service.get_blob_client(container, FOLDER + blob)

    def clean(self, container: str) -> None:
        """Remove what this step and its job left; what cannot be removed now stays, and costs a few kilobytes."""
        folder = self._service.get_container_client(container)
        with contextlib.suppress(AzureError):
            for prefix in sorted(self._seen):
                for blob in list(folder.list_blobs(name_starts_with=f"{FOLDER}{prefix}/")):
                    folder.delete_blob(blob.name)

"""Embedding in a job of Azure ML: a process with a job's environment, messages over Azurite, rows in PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from al_assets.arrivals import register_arrivals
from al_assets.embeddings.assets import embeddings
from al_assets.embeddings.configured import configured_embedder
from al_assets.frames import assets as frame_assets
from al_assets.partitions import VIDEOS
from al_assets.remote_embedding import OtherVersionError, embed
from al_assets.settings import parse_settings
from resources import migrations
from resources.archive import Archive
from resources.compute import Compute
from resources.database import Database
from resources.sql_io_manager import SqlIOManager
from resources.storage import Storage
from resources.tables import embeddings as vectors
from resources.tables import materializations, video_coverage
from support import installations, servers
from support.azure_workspace import QUIET, Workspace, played
from support.clips import numbered_frame, render
from support.frame_runs import END, START
from support.small_archives import START as NOW

CLIPS = ("a.mp4", "b.mp4", "c.mp4")
SETTINGS = parse_settings({"frames": {"frames_per_second": 10}, "embeddings": {"threads": 1}})
pytestmark = QUIET
LINEAGE = ("asset", "slice", "rows", "content_hash", "code_version")


class World:
    """An archive on servers whose frames are there, and runs of `embeddings` over it."""

    def __init__(self, archive: Archive, instance: dg.DagsterInstance, secrets: dict[str, str]) -> None:
        self.archive, self.instance, self.secrets = archive, instance, secrets

    def run(self, compute: Compute, *, asset: Any = embeddings) -> dg.ExecuteInProcessResult:
        """One run over all videos."""
        order = self.instance.get_dynamic_partitions(str(VIDEOS.name))
        definitions = dg.Definitions(
            assets=[frame_assets.videos, frame_assets.frames, embeddings],
            jobs=[dg.define_asset_job("ingest", [asset])],
            resources={
                "archive": self.archive,
                "compute": compute,
                "settings": SETTINGS,
                "io_manager": SqlIOManager(database=self.archive.database),
            },
        )
        return definitions.resolve_job_def("ingest").execute_in_process(
            instance=self.instance, tags={START: order[0], END: order[-1]}, raise_on_error=False
        )

    def wipe(self) -> None:
        """Forget all vectors."""
        with self.archive.database.write() as connection:
            for table in (vectors, video_coverage, materializations):
                connection.execute(sa.delete(table))

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """What an embedding run wrote: vectors, what they cover, and how they came to be."""
        parts = {
            "vectors": sa.select(vectors),
            "covered": sa.select(video_coverage).where(video_coverage.c.asset == "embeddings"),
            "lineage": sa.select(*(materializations.c[name] for name in LINEAGE)).where(
                materializations.c.asset == "embeddings"
            ),
        }
        with self.archive.database.read() as connection:
            return {
                name: sorted(tuple(row) for row in connection.execute(query)) for name, query in parts.items()
            }

    def blobs(self) -> list[str]:
        """What steps and jobs left each other."""
        return [file.path for file in self.archive.storage.list("dagster/")]


@pytest.fixture(scope="module")
def world(
    postgresql: servers.PostgreSQL, azurite: servers.Azurite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with (
        installations.empty_postgresql(postgresql) as url,
        installations.empty_container(azurite) as variables,
        dg.instance_for_test() as instance,
    ):
        credential = {"credential_type": "key", "key": variables["AL_STORAGE_KEY"]}
        account_url = variables["AL_STORAGE_ACCOUNT_URL"]
        storage = Storage(url=variables["AL_STORAGE_URL"], account_url=account_url, credential=credential)
        archive = Archive(database=Database(url=url), storage=storage)
        migrations.upgrade(archive.database)
        folder = tmp_path_factory.mktemp("clips")
        for number, name in enumerate(CLIPS):
            render(folder / name, [numbered_frame(20 * number + i) for i in range(6)], rate=10)
            storage.write(f"videos/{name}", (folder / name).read_bytes())
        for _ in range(2):
            register_arrivals(archive, SETTINGS, NOW)
        instance.add_dynamic_partitions(str(VIDEOS.name), [v.video_id for v in archive.videos.all()])
        found = World(archive, instance, {"PGPASSWORD": postgresql.password, "AL_STORAGE_KEY": azurite.key})
        assert found.run(Compute(), asset=frame_assets.frames).success
        yield found
        archive.database.close()


@pytest.fixture(autouse=True)
def fresh(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.wipe()
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    # A job that died is listened to for ten more seconds.
    monkeypatch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)


@pytest.fixture
def workspace(world: World, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, world.secrets)


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the failed step says."""
    (event,) = result.get_step_failure_events()[-1:]
    error = event.step_failure_data.user_failure_data or event.step_failure_data.error
    return str(getattr(error, "description", None) or error.message)


def test_a_job_writes_the_rows_that_a_run_on_one_machine_writes(world: World, workspace: Workspace) -> None:
    assert world.run(Compute()).success
    here = world.rows()
    world.wipe()
    result = world.run(played(workspace))
    assert result.success, workspace.output
    assert world.rows() == here
    assert len(here["vectors"]) == 6 * len(CLIPS)
    assert workspace.states == ["Queued", "Running", "Completed"]
    with world.archive.database.read() as connection:
        assert set(connection.scalars(sa.select(materializations.c.run_id))) == {result.run_id}
    metadata = result.get_asset_materialization_events()[0].materialization.metadata
    assert metadata["dagster/row_count"].value == 18
    assert (metadata["videos"].value, metadata["slices_in_job"].value) == (3, 3)
    assert metadata["AzureML Job Name"].value == workspace.commands[0].name
    assert world.blobs() == []
    assert not set(world.secrets.values()) & set(workspace.commands[0].environment_variables.values())
    assert not any(secret in str(workspace.commands[0]) for secret in world.secrets.values())
    logged = [record.message for record in world.instance.all_logs(result.run_id)]
    assert any(message.endswith("a.mp4: 6 frames to embed, 0 stand") for message in logged)
    # Where every video has its vectors there is no second job.
    assert world.run(played(workspace)).success
    assert len(workspace.commands) == 1


def test_a_lost_node_loses_nothing_and_the_next_job_gets_the_rest(world: World, workspace: Workspace) -> None:
    holder = world.archive.database.engine.connect()
    # The last video's rows wait for this transaction, so that the job dies before them.
    version = configured_embedder(SETTINGS.embeddings)
    key = {"version": version, "video_id": world.archive.videos.all()[-1].video_id}
    holder.execute(video_coverage.insert().values(asset="embeddings", frames_version="", frames=0, **key))
    stood: list[int] = []

    def kill(process: subprocess.Popen[str]) -> None:
        spoke = any(blob.endswith("/1.json") for blob in world.blobs())
        if spoke and not stood and len(world.rows()["covered"]) == len(CLIPS) - 1:
            process.kill()
            process.wait()
            stood.append(len(world.rows()["vectors"]))
            holder.close()

    workspace.watch = kill
    result = world.run(played(workspace))
    assert result.success
    assert stood == [6 * (len(CLIPS) - 1)]
    assert workspace.states == ["Queued", "Running", "Failed", "Queued", "Running", "Completed"]
    assert len({command.name for command in workspace.commands}) == 2
    (event,) = [event for event in result.all_events if event.is_step_up_for_retry]
    assert "was ended from outside" in str(event.event_specific_data)
    assert len(world.rows()["vectors"]) == 6 * len(CLIPS)
    assert len(world.rows()["lineage"]) == len(CLIPS)


def test_an_unreadable_video_is_named_and_the_others_stand(world: World, workspace: Workspace) -> None:
    kept = world.archive.storage.read("videos/b.mp4")
    world.archive.storage.write("videos/b.mp4", b"no video at all")
    try:
        result = world.run(played(workspace))
    finally:
        world.archive.storage.write("videos/b.mp4", kept)
    assert not result.success
    assert "failed: frames of 1 of 3 videos could not be read" in failure(result)
    assert "b.mp4" in failure(result)
    assert len(world.rows()["covered"]) == 2
    assert len(workspace.commands) == 1  # Not submitted again: it would end the same.


def test_a_job_that_cannot_reach_the_storage_is_told_from_one_that_failed_later(
    world: World, workspace: Workspace
) -> None:
    workspace.gives = {"PGPASSWORD": world.secrets["PGPASSWORD"]}
    result = world.run(played(workspace))
    assert "ended before it said anything: look at the image" in failure(result)
    assert world.blobs() == []


def test_a_cancelled_run_cancels_its_job_and_is_not_tried_again(world: World, workspace: Workspace) -> None:
    interruptions = [signal.SIGINT]
    workspace.watch = lambda process: interruptions and os.kill(os.getpid(), interruptions.pop())
    result = world.run(played(workspace))
    assert not result.success
    assert "the run was cancelled, and Azure ML job" in failure(result)
    assert workspace.states == ["Queued", "Running", "CancelRequested", "Canceled"]
    assert len(workspace.commands) == 1
    assert world.rows()["covered"] == []


def test_an_image_of_another_version_is_refused(world: World) -> None:
    asked = {"settings": SETTINGS.embeddings.model_dump(mode="json"), "embedder_id": "newer", "videos": []}
    with pytest.raises(OtherVersionError, match="build the image from the same version"):
        embed(SimpleNamespace(get_extra=asked.__getitem__), world.archive)  # type: ignore[arg-type]

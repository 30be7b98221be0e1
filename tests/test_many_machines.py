"""README's section on Ray, executed: its variables, nodes, settings and `al dev`, on real nodes and PostgreSQL."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from al_assets.demo.archive import render_archive
from al_assets.embedding_work import EmbeddedPart, EmbeddingWork, PartTask
from al_assets.embeddings.vectors import unpack
from al_assets.keys import frame_index_of
from al_assets.scoring_work import ScoringWork, plan_parts
from al_assets.settings import Settings
from resources.compute import Compute
from resources.queries.scoring import Unscored
from support.installations import empty_postgresql
from support.oracle import drop_answers
from support.production import Production, production
from support.ray_cluster import Cluster, ray_cluster
from support.running import running
from support.servers import PostgreSQL, free_port

README = Path(__file__).parent.parent / "README.md"
SETTINGS = """
[frames]
frames_per_second = 0.5
[selection]
batch_size = 24
[drift]
report = false
[map]
points = 0
[sensors]
interval_seconds = 1
"""
RUN_SECONDS = 400


def section() -> str:
    """The section of the README."""
    text = README.read_text(encoding="utf-8")
    return text.split("## Many machines: Ray\n", 1)[1].split("\n## ", 1)[0]


def boxes(language: str) -> list[str]:
    """Its boxes of one language."""
    return re.findall(rf"```{language}\n(.*?)```", section(), re.DOTALL)


@dataclass
class Machines:
    """The platform on several nodes after a model was learned there."""

    platform: Production
    variables: dict[str, str]
    cluster: Cluster
    passwords: list[str]
    log: Path


def write_home(home: Path, cluster: Cluster) -> None:
    """The settings of the README, with the address of the real head."""
    (box,) = boxes("toml")
    home.mkdir()
    settings = SETTINGS + box.replace("HEAD:6379", cluster.address)
    (home / "al.toml").write_text(settings, encoding="utf-8")


def start_nodes(cluster: Cluster) -> None:
    """The nodes of the README, each with ports and folders that let them share this machine."""
    commands = [shlex.split(line) for line in boxes("sh")[1].splitlines()]
    assert [command[:2] for command in commands] == [["ray", "start"]] * 2
    given = [
        [word for word in command[2:] if word not in ("--head", "--port", "6379", "--address", "HEAD:6379")]
        for command in commands
    ]
    cluster.start_head(*given[0], jobs=True).wait(cluster.port)
    cluster.start_node(*given[1])
    for node in cluster.nodes:
        node.wait()


def dagster_runs(machines: Machines, job: str) -> list[str]:
    """How the runs of a job stand."""
    return [run.status.value for run in machines.platform.instance.get_runs() if run.job_name == job]


def learn_by_daemon(machines: Machines) -> None:
    """`al dev` until the run that it launches for the answers has ended."""
    assert boxes("sh")[2] == "al dev\n"
    command = [sys.executable, "-m", "al_assets.cli", "dev", "--port", str(free_port())]
    with machines.log.open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **machines.variables}, stdout=log, stderr=log, cwd=machines.log.parent
        )
        try:
            deadline = time.monotonic() + RUN_SECONDS
            while not set(dagster_runs(machines, "learn")) & {"SUCCESS", "FAILURE"}:
                assert process.poll() is None, machines.log.read_text()[-4000:]
                assert time.monotonic() < deadline, machines.log.read_text()[-4000:]
                time.sleep(0.5)
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def machines(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Clips embedded on the workers, a batch answered, and `learn` launched on Ray by the daemon."""
    place, clips = tmp_path_factory.mktemp("machines"), tmp_path_factory.mktemp("clips")
    truth = render_archive(clips, seed=5, clips=10, seconds=12, real_clips=False)
    names = dict(re.findall(r"export (\w+)=(\S+)", boxes("sh")[0]))
    with empty_postgresql(postgresql) as data, empty_postgresql(postgresql) as dagster:
        variables = {
            **names,
            "AL_HOME": str(place / "home"),
            "AL_DATABASE_URL": data,
            "AL_DAGSTER_DATABASE_URL": dagster.replace("+psycopg:", "+psycopg2:"),
            "AL_STORAGE_URL": str(place / "storage"),
        }
        assert set(variables) == set(names)
        with running(ray_cluster(**variables)) as cluster, pytest.MonkeyPatch.context() as environment:
            environment.setenv("AL_DAGSTER_DATABASE_URL", variables["AL_DAGSTER_DATABASE_URL"])
            write_home(Path(variables["AL_HOME"]), cluster)
            start_nodes(cluster)
            with production(variables) as platform:
                found = Machines(platform, variables, cluster, [postgresql.password], place / "dev.log")
                for clip in clips.iterdir():
                    platform.archive.storage.write(f"videos/{clip.name}", clip.read_bytes())
                assert platform.settle() == ["ingest_videos", "select_batch"]
                paths = {video.video_id: video.path for video in platform.archive.videos.all()}
                drop_answers(platform.archive.storage, truth.truth, paths, "first.json")
                learn_by_daemon(found)
                yield found


def test_learn_ran_as_a_job_of_ray_and_a_model_serves(machines: Machines) -> None:
    assert dagster_runs(machines, "learn") == ["SUCCESS"]
    archive = machines.platform.archive
    serving = archive.models.serving()
    assert serving is not None
    assert archive.videos.lacking_predictions(serving.checkpoint_id, serving.embedder_id) == []
    (run,) = [run for run in machines.platform.instance.get_runs() if run.job_name == "learn"]
    log = [entry.message for entry in machines.platform.instance.all_logs(run.run_id)]
    assert any("Ray run job created" in message for message in log)


def test_what_al_dev_wrote_is_what_the_readme_shows(machines: Machines) -> None:
    (box,) = boxes("yaml")
    shown = yaml.safe_load(box.replace("HEAD:6379", machines.cluster.address))
    written = yaml.safe_load(Path(machines.variables["AL_HOME"], "dagster", "dagster.yaml").read_text())
    assert {key: written[key] for key in shown} == shown


def tasks(machines: Machines) -> list[PartTask]:
    """Every video whole, as a task."""
    archive = machines.platform.archive
    found = []
    for video in archive.videos.all():
        keys = archive.frames.ids_of_video(video.video_no)
        found.append(PartTask(video.video_no, f"videos/{video.path}", keys, frame_index_of(keys)))
    return found


def assert_stored(machines: Machines, part: EmbeddedPart) -> None:
    """The vectors are those in the database."""
    archive = machines.platform.archive
    serving = archive.models.serving()
    assert serving is not None
    keys, vectors = archive.frames.vectors_of_video(serving.embedder_id, part.number)
    assert len(keys) == 6
    assert keys.tolist() == part.vectors["frame_id"].to_pylist()
    made = unpack(part.vectors["vector"], part.embedder.dimensions)
    # A batch of another size may round the last bit of a float16 otherwise: a thousandth of the value.
    np.testing.assert_allclose(vectors, made, atol=1e-3, rtol=1e-3)


def test_vectors_are_those_of_one_machine(machines: Machines) -> None:
    work = EmbeddingWork(machines.platform.archive.storage, Settings().embeddings)
    parts = list(Compute().stream(work, [tasks(machines)]))
    assert len(parts) == 10
    for part in parts:
        assert_stored(machines, part)


def test_scores_are_those_of_one_machine_and_so_are_decisions_that_are_not_near_a_tie(
    machines: Machines,
) -> None:
    archive = machines.platform.archive
    model = archive.models.serving()
    videos = [Unscored(v.video_id, v.video_no, v.frames_version, 6) for v in archive.videos.all()]
    slices = Compute().stream(ScoringWork(archive, model), [list(plan_parts(videos, lambda _: np.empty(0)))])
    here = pd.concat([part.rows["frame_scores"].to_pandas() for part in slices]).set_index("frame_id")
    query = "SELECT checkpoint_id, frame_id, top_class_id, confidence, margin FROM frame_scores"
    found = archive.monitoring.query(query)
    there = found[found["checkpoint_id"] == model.checkpoint_id].set_index("frame_id")
    assert len(there) == len(here) == 60
    here = here.loc[there.index]
    np.testing.assert_allclose(there["confidence"], here["confidence"], atol=1e-3)
    clear = there["margin"] > 2e-3
    assert clear.any()
    assert (there["top_class_id"] == here["top_class_id"])[clear].all()


def test_no_password_lies_in_what_ray_keeps(machines: Machines) -> None:
    from ray.job_submission import JobSubmissionClient

    jobs = JobSubmissionClient(f"http://127.0.0.1:{machines.cluster.dashboard_port}").list_jobs()
    kept = json.dumps([job.model_dump() for job in jobs], default=str)
    assert "AL_DAGSTER_DATABASE_URL" in kept
    files = [file for file in machines.cluster.folder.rglob("*") if file.is_file() and not file.is_symlink()]
    texts = [kept.encode(), machines.log.read_bytes(), *(file.read_bytes() for file in files)]
    for password in machines.passwords:
        assert not any(password.encode() in text for text in texts)


def test_a_node_that_is_killed_while_it_embeds_loses_nothing(machines: Machines) -> None:
    """The last that needs this node: it stays away."""
    compute = Compute(engine="ray", address=machines.cluster.address, workers=2)
    work = EmbeddingWork(machines.platform.archive.storage, Settings().embeddings)
    asked = tasks(machines) * 4
    results = compute.stream(work, [[task] for task in asked])
    parts = [next(results) for _ in range(8)]
    machines.cluster.nodes[-1].kill()
    parts += results
    assert sorted(part.number for part in parts) == sorted(task.number for task in asked)
    for part in parts:
        assert_stored(machines, part)


def test_the_settings_of_the_readme_are_settings() -> None:
    assert tomllib.loads(boxes("toml")[0]).keys() == {"compute"}

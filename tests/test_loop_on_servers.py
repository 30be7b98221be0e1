"""The loop on servers, driven as in production: environment variables only, sensors, real jobs, the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from al_assets.demo.archive import DemoArchive, render_archive
from resources.archive import Archive
from support import installations
from support.oracle import drop_answers
from support.production import Production, production

SETTINGS = """
[frames]
frames_per_second = 0.5
[selection]
batch_size = 24
evaluation_fraction = 0.25
[drift]
report = false
"""
HOSTILE = "x' OR 1=1 --"
RENAMED = {"thicket-1_20260305_0918.mp4": f"ёжик/🐒 {HOSTILE}.mp4"}


@dataclass
class Servers:
    """The platform on servers, the truth about its clips, and a clip that comes late."""

    platform: Production
    variables: dict[str, str]
    truth: DemoArchive
    late: Path
    jobs: dict[str, list[str]]

    def answer(self, name: str) -> list[str]:
        """An expert answers the newest batch; returns the jobs that this sets off."""
        archive = self.platform.archive
        paths = {video.video_id: video.path for video in archive.videos.all()}
        drop_answers(archive.storage, self.truth.truth, paths, name)
        return self.platform.settle()


def al(servers: Servers, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, with nothing but these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AL_", "DAGSTER_"))}
    return subprocess.run(
        [sys.executable, "-m", "al_assets.cli", *arguments],
        env={**kept, **servers.variables, "COLUMNS": "500", **changes},
        capture_output=True,
        text=True,
    )


def bring_clips(archive: Archive, folder: Path, clips: list[Path]) -> None:
    """Clips and the owner's table, some under names that nobody would choose."""
    for clip in clips:
        archive.storage.write(f"videos/{RENAMED.get(clip.name, clip.name)}", clip.read_bytes())
    table = (folder / "videos.csv").read_text(encoding="utf-8")
    for old, new in RENAMED.items():
        table = table.replace(f"{old},thicket,", f"{new},{HOSTILE},")
    archive.storage.write("videos/videos.csv", table.encode())


@pytest.fixture(scope="module", params=installations.KINDS[1:])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The platform after two rounds and a late clip."""
    folder, home = tmp_path_factory.mktemp("clips"), tmp_path_factory.mktemp("servers")
    truth = render_archive(folder, seed=5, clips=10, seconds=12, real_clips=False)
    truth.truth["path"] = truth.truth["path"].replace(RENAMED)
    *clips, late = sorted(folder.glob("*.mp4"))
    (home / "al.toml").write_text(SETTINGS, encoding="utf-8")
    with installations.variables(request.param, request) as variables:
        variables["AL_HOME"] = str(home)
        with production(variables) as platform:
            found = Servers(platform, variables, truth, late, {})
            bring_clips(platform.archive, folder, clips)
            found.jobs["clips"] = platform.settle()
            found.jobs["first answers"] = found.answer("first.json")
            bring_clips(platform.archive, folder, [late])
            found.jobs["late clip"] = platform.settle()
            found.jobs["second answers"] = found.answer(f"{HOSTILE}.json")
            yield found


def test_what_is_dropped_sets_off_the_right_jobs(servers: Servers) -> None:
    assert servers.jobs == {
        "clips": ["ingest_videos", "select_batch"],
        "first answers": ["learn"],
        "late clip": ["ingest_videos", "score"],
        "second answers": ["learn"],
    }


def test_every_clip_is_indexed_embedded_and_scored(servers: Servers) -> None:
    archive = servers.platform.archive
    assert archive.videos.by_status() == {"indexed": 10}
    serving = archive.models.serving()
    assert serving is not None
    assert archive.videos.lacking_predictions(serving.checkpoint_id, serving.embedder_id) == []
    counts = archive.monitoring.counts(["frames", "embeddings", "promotions", "selection_batches"])
    assert counts["frames"] == counts["embeddings"] == 10 * 6
    assert (counts["promotions"], counts["selection_batches"]) == (2, 3)
    assert archive.incidents.all().empty


def test_names_that_look_like_sql_went_through_the_whole_loop(servers: Servers) -> None:
    archive = servers.platform.archive
    (video,) = (video for video in archive.videos.all() if video.site == HOSTILE)
    assert video.path in RENAMED.values()
    predictions = archive.monitoring.view("current_predictions")
    assert video.video_id in set(predictions["video_id"])
    assert [export.uri for export in archive.labels.exports()][-1] == f"label_exports/{HOSTILE}.json"


def test_labels_lead_back_to_their_run_on_this_instance(servers: Servers) -> None:
    provenance = servers.platform.archive.monitoring.view("label_provenance")
    runs = {run.run_id for run in servers.platform.instance.get_runs()}
    assert len(provenance) == sum(book[2] for book in servers.platform.archive.labels.books()) > 24
    for name in ("import_run_id", "selection_run_id", "checkpoint_run_id"):
        told = set(provenance[name].dropna())
        assert told, name
        assert told <= runs, name


def test_the_command_line_finds_everything_by_its_variables(servers: Servers, tmp_path: Path) -> None:
    status = al(servers, "status")
    assert status.returncode == 0, status.stderr
    assert "10 indexed" in status.stdout
    assert "2 imported, 0 waiting" in status.stdout
    check = al(servers, "db", "check")
    assert (check.returncode, check.stdout) == (0, "the tables are as the code expects\n"), check.stderr
    frame = int(servers.platform.archive.monitoring.query("SELECT MIN(frame_id) AS n FROM frames")["n"][0])
    export = tmp_path / "more.csv"
    export.write_text(f"frame_id,label,annotator\n{frame},{HOSTILE},{HOSTILE}\n", encoding="utf-8")
    preview = al(servers, "labels", "check", str(export))
    assert preview.returncode == 0, preview.stderr
    assert (
        f"1 would be imported (0 of them known already), 0 rejected; new classes: {HOSTILE}" in preview.stdout
    )


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AL_STORAGE_URL", "az://no-such-container", "container no-such-container does not exist; create it"),
        ("AL_STORAGE_KEY", "bm90IHRoZSBrZXk=", "cannot be"),
    ],
)
def test_storage_that_cannot_be_had_is_one_line(
    servers: Servers, variable: str, value: str, message: str
) -> None:
    failed = al(servers, "archive", "verify", **{variable: value})
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert failed.stderr.startswith("al: ")
    assert message in failed.stderr


def test_a_database_that_cannot_be_reached_is_one_line_without_the_password(servers: Servers) -> None:
    url = servers.variables["AL_DATABASE_URL"].rsplit(":", 1)[0] + ":1/nowhere"
    failed = al(servers, "status", AL_DATABASE_URL=url)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert failed.stderr.startswith(("al: connection ", "al: the server does not answer"))
    assert url.rsplit("@", 1)[0].rsplit(":", 1)[1] not in failed.stderr

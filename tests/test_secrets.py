"""Passwords, keys and tokens of the environment are named to Dagster, never handed to what it stores and shows."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from al_assets.archives import make_labelling_tool
from al_assets.definitions import build_defs, make_resources
from al_assets.settings import Settings
from resources.archive import Archive
from resources.environments import read_environment
from resources.storage import Storage
from support.servers import Azurite

AZURE = {
    "AL_STORAGE_URL": "az://clips",
    "AL_STORAGE_ACCOUNT_URL": "https://herons.blob.core.windows.net",
    "AL_DATABASE_URL": "postgresql+psycopg://anna:hunter2@db/al",
}


@pytest.mark.parametrize(
    ("variable", "secret"),
    [
        ("AL_STORAGE_KEY", "c2VjcmV0"),
        ("AL_STORAGE_SAS_TOKEN", "sv=2026&sig=c2VjcmV0"),
        ("AL_LABEL_STUDIO_TOKEN", "c2VjcmV0"),
    ],
)
def test_what_the_ui_shows_holds_names_of_variables_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, secret: str
) -> None:
    for name, value in {**AZURE, variable: secret, "AL_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    definitions = build_defs(read_environment(), Settings())
    resources = make_resources(read_environment(), Settings())
    repository = definitions.get_repository_def()
    shown = "\n".join(
        [
            dg.serialize_value(RepositorySnap.from_def(repository)),
            *(dg.serialize_value(job.get_job_snapshot()) for job in repository.get_all_jobs()),
            repr(resources),
            repr(resources["archive"].storage.credential),
        ]
    )
    assert variable in shown
    assert "c2VjcmV0" not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AL_LABEL_STUDIO_TOKEN", "c2VjcmV0\n"),
        ("AL_LABEL_STUDIO_TOKEN", " c2VjcmV0\r\n"),
        ("AL_LABEL_STUDIO_URL", "https://anna:c2VjcmV0@label"),
        ("AL_LABEL_STUDIO_URL", "anna:c2VjcmV0@label"),
        ("AL_LABEL_STUDIO_URL", "https://label/?token=c2VjcmV0"),
        ("AL_LABEL_STUDIO_URL", "https://anna:c2/VjcmV0@label#c2VjcmV0"),
    ],
)
def test_neither_does_it_where_a_secret_is_written_carelessly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str
) -> None:
    monkeypatch.setenv("AL_HOME", str(tmp_path))
    monkeypatch.setenv(variable, value)
    environment = read_environment()
    shown = dg.serialize_value(
        RepositorySnap.from_def(build_defs(environment, Settings()).get_repository_def())
    )
    assert "label" in shown
    assert "VjcmV0" not in shown
    assert "VjcmV0" not in make_labelling_tool(environment).url


def test_a_run_finds_the_key_behind_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, azurite_storage: Storage, azurite: Azurite
) -> None:
    monkeypatch.setenv("AL_HOME", str(tmp_path))
    monkeypatch.setenv("AL_DATABASE_URL", "")
    monkeypatch.setenv("AL_STORAGE_URL", azurite_storage.url)
    monkeypatch.setenv("AL_STORAGE_ACCOUNT_URL", azurite_storage.account_url)
    monkeypatch.setenv("AL_STORAGE_KEY", azurite.key)
    seen: list[str] = []

    @dg.asset
    def listing(archive: Archive) -> None:
        seen.extend(file.path for file in archive.storage.list())

    azurite_storage.write("videos/a.mp4", b"x")
    archive = make_resources(read_environment(), Settings())["archive"]
    assert archive.storage.credential.key == "AL_STORAGE_KEY"
    assert dg.materialize([listing], resources={"archive": archive}).success
    assert seen == ["videos/a.mp4"]

"""Where an installation keeps things, read from the environment, and what is never shown of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.environments import calm_threads, process_environment, read_environment
from resources.storage import Storage


def test_everything_lies_in_the_home_by_default(tmp_path: Path) -> None:
    found = read_environment({}, tmp_path)
    home = tmp_path / ".al"
    assert found.home == home
    assert found.database_url == f"sqlite:///{home / 'al.db'}"
    assert found.storage_url == str(home / "storage")
    assert found.dagster_home == home / "dagster"
    assert found.settings_path is None


def test_empty_variables_are_as_good_as_none(tmp_path: Path) -> None:
    empty = dict.fromkeys(("AL_HOME", "AL_DATABASE_URL", "AL_STORAGE_URL", "AL_STORAGE_KEY"), "")
    assert read_environment(empty, tmp_path) == read_environment({}, tmp_path)


@pytest.mark.parametrize("home", ["data", "./data", "other/../data"])
def test_a_relative_home_lies_in_the_working_folder(tmp_path: Path, home: str) -> None:
    assert read_environment({"AL_HOME": home}, tmp_path).home == tmp_path / "data"


def test_a_tilde_is_the_users_folder(tmp_path: Path) -> None:
    found = read_environment({"AL_HOME": "~/al", "AL_STORAGE_URL": "~/clips"}, tmp_path)
    assert found.home == (Path.home() / "al").resolve()
    assert found.storage_url == str(Path.home() / "clips")


def test_a_relative_storage_folder_means_the_same_to_every_process(tmp_path: Path) -> None:
    assert read_environment({"AL_STORAGE_URL": "clips"}, tmp_path).storage_url == str(tmp_path / "clips")
    assert read_environment({"AL_STORAGE_URL": "/data"}, tmp_path).storage_url == "/data"
    assert read_environment({"AL_STORAGE_URL": "az://clips"}, tmp_path).storage_url == "az://clips"


def test_a_homes_own_settings_come_first(tmp_path: Path) -> None:
    (tmp_path / "al.toml").touch()
    assert read_environment({}, tmp_path).settings_path == tmp_path / "al.toml"
    (tmp_path / ".al").mkdir()
    (tmp_path / ".al" / "al.toml").touch()
    assert read_environment({}, tmp_path).settings_path == tmp_path / ".al" / "al.toml"


def test_neither_password_nor_key_is_shown(tmp_path: Path) -> None:
    variables = {
        "AL_DATABASE_URL": "postgresql://anna:hunter2@host/al",
        "AL_STORAGE_URL": "az://clips",
        "AL_STORAGE_ACCOUNT_URL": "https://a.blob.core.windows.net",
        "AL_STORAGE_KEY": "c2VjcmV0",
    }
    assert "hunter2" not in repr(read_environment(variables, tmp_path))
    assert "c2VjcmV0" not in repr(read_environment(variables, tmp_path))


@pytest.mark.parametrize(
    ("variable", "kind"),
    [("AL_STORAGE_KEY", "key"), ("AL_STORAGE_SAS_TOKEN", "sas"), ("AL_HOME", "default_azure_credential")],
)
def test_storage_signs_in_by_what_is_given(tmp_path: Path, variable: str, kind: str) -> None:
    url = {"AL_STORAGE_URL": "az://clips", "AL_STORAGE_ACCOUNT_URL": "https://a.blob.core.windows.net"}
    found = read_environment({**url, variable: "c2VjcmV0"}, tmp_path)
    storage = Storage(url=found.storage_url, **found.storage_options)
    assert storage.credential.credential_type == kind
    assert storage.account_url == "https://a.blob.core.windows.net"


def test_an_owner_who_sets_the_thread_policy_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    calm_threads()
    assert process_environment(X="1")["OMP_WAIT_POLICY"] == "active"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    calm_threads()
    assert process_environment(X="1")["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.delenv("OMP_WAIT_POLICY")

"""What `[compute]` asks for is what there is; several machines on files of one are refused before anything starts."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from al_assets.definitions import build_defs
from al_assets.engine_settings import ComputeSettings
from al_assets.engines import make_executor
from al_assets.home import prepare
from al_assets.settings import Settings
from resources.compute import Compute
from resources.environments import Environment, read_environment
from resources.errors import OneMachineError

ON_RAY = '[compute]\nengine = "ray"\n'
POSTGRESQL = "postgresql+psycopg://al:secret-word@127.0.0.1:1/al"
DAGSTER = "postgresql+psycopg2://al:secret-word@127.0.0.1:1/dagster"


def environment(home: Path, settings: str = "", **variables: str) -> Environment:
    """An installation with these settings and variables."""
    (home / "al.toml").write_text(settings, encoding="utf-8")
    return read_environment({"AL_HOME": str(home), **variables}, home)


def test_sqlite_is_refused_before_anything_starts_and_it_says_why_and_what_to_set(tmp_path):
    place = environment(tmp_path, ON_RAY)
    settings = Settings(compute=ComputeSettings(engine="ray"))
    for start in (lambda: prepare(place), lambda: build_defs(place, settings)):
        with pytest.raises(
            OneMachineError, match=r"SQLite is a file, which several machines .* set AL_DATABASE_URL"
        ):
            start()
    assert not (tmp_path / "dagster").exists()


def test_sqlite_of_dagster_is_refused_too(tmp_path):
    with pytest.raises(OneMachineError, match=r"Dagster's own storage: SQLite .* AL_DAGSTER_DATABASE_URL"):
        prepare(environment(tmp_path, ON_RAY, AL_DATABASE_URL=POSTGRESQL))


def test_a_home_of_one_machine_that_turns_to_ray_is_told_which_file_to_change(tmp_path):
    prepare(environment(tmp_path))
    several = environment(tmp_path, ON_RAY, AL_DATABASE_URL=POSTGRESQL, AL_DAGSTER_DATABASE_URL=DAGSTER)
    with pytest.raises(OneMachineError, match=r"dagster\.yaml, which was made for one machine, set storage"):
        prepare(several)


def test_a_run_on_ray_is_refused_on_an_instance_in_files(tmp_path):
    @dg.asset
    def heavy(compute: Compute) -> None:
        pass

    with dg.instance_for_test() as instance, pytest.raises(dg.DagsterResourceFunctionError) as refused:
        dg.materialize([heavy], instance=instance, resources={"compute": Compute(engine="ray")})
    assert isinstance(refused.value.__cause__, OneMachineError)
    assert "needs PostgreSQL for Dagster" in str(refused.value.__cause__)


def test_the_driver_that_dagster_needs_is_named(tmp_path):
    plain = DAGSTER.replace("+psycopg2", "")
    with pytest.raises(OneMachineError, match=r"must begin with postgresql\+psycopg2://$"):
        prepare(environment(tmp_path, ON_RAY, AL_DATABASE_URL=POSTGRESQL, AL_DAGSTER_DATABASE_URL=plain))


def test_al_says_it_in_one_line(tmp_path):
    (tmp_path / "al.toml").write_text(ON_RAY)
    command = [sys.executable, "-m", "al_assets.cli", "dev"]
    said = subprocess.run(
        command, env={"AL_HOME": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True
    )
    assert said.returncode == 1
    assert said.stderr.startswith('al: [compute] engine = "ray" needs PostgreSQL or SQL Server: SQLite')
    assert said.stderr.count("\n") == 1


def test_dagster_yaml_names_the_run_launcher_and_the_variable_but_no_secret(tmp_path):
    text = written(tmp_path, ON_RAY + 'address = "10.0.0.1:6379"\n')
    assert yaml.safe_load(text)["run_launcher"] == {
        "module": "dagster_ray",
        "class": "RayRunLauncher",
        "config": {"ray": {"address": "10.0.0.1:6379"}},
    }
    assert yaml.safe_load(text)["storage"] == {
        "postgres": {"postgres_url": {"env": "AL_DAGSTER_DATABASE_URL"}}
    }
    assert "secret-word" not in text


def test_one_machine_may_keep_dagster_in_postgresql_and_has_no_launcher(tmp_path):
    kept = yaml.safe_load(written(tmp_path, ""))
    assert "storage" in kept
    assert "run_launcher" not in kept


def written(home: Path, settings: str) -> str:
    """The dagster.yaml of a new home; its databases are not there."""
    variables = {"AL_DATABASE_URL": POSTGRESQL, "AL_DAGSTER_DATABASE_URL": DAGSTER}
    with pytest.raises(RuntimeError, match=r"127\.0\.0\.1"):
        prepare(environment(home, settings, **variables))
    return (home / "dagster" / "dagster.yaml").read_text()


def test_the_executor_is_the_one_that_is_asked_for():
    assert make_executor(ComputeSettings()).name == "in_process"
    pytest.importorskip("dagster_ray")
    assert make_executor(ComputeSettings(executor="ray")).name == "ray"


def test_definitions_load_ray_only_where_it_is_asked_for():
    check = (
        "import sys, al_assets.definitions; print([m for m in ('ray', 'dagster_ray') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert said.stdout.strip().endswith("[]")

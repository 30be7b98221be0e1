"""The Containerfile, as far as it can be held without a container engine: what it copies, installs and runs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from resources.environments import process_environment
from support.helm_values import DEPLOY, ROOT, values

PIP_CONF = "--mount=type=secret,id=pip,target=/etc/pip.conf"
TEXT = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
STEPS = [
    step.split(None, 1)
    for step in re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", TEXT)).splitlines()
    if step.strip()
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def of(instruction: str) -> list[str]:
    """What follows each such instruction."""
    return [" ".join(rest.split()) for name, rest in STEPS if name == instruction]


def copied() -> set[str]:
    """Paths of the checkout that are copied."""
    return {path for step in of("COPY") if "--from" not in step for path in step.split()[:-1]}


def test_every_path_that_is_copied_exists_and_is_let_in() -> None:
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in let_in
    for path in copied():
        assert (ROOT / path).exists(), path
        assert f"!{path}" in let_in, path


def test_what_the_wheel_carries_is_copied() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    wheel = build["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"], "pyproject.toml", "README.md"} == copied()


def test_torch_is_the_pinned_pair() -> None:
    (install,) = [step for step in of("RUN") if "torch==" in step]
    pinned = [need for need in PROJECT["dependencies"] if need.startswith("torch")]
    assert install == f"{PIP_CONF} pip install {' '.join(pinned)}"


def test_where_packages_come_from_is_the_builders_secret() -> None:
    assert "index-url" not in TEXT
    assert of("ARG") == []
    fetching = [step for step in of("RUN") if "pip " in step and "--no-deps --force" not in step]
    assert [step.startswith(PIP_CONF) for step in fetching] == [True] * 3


def test_the_extras_that_are_installed_exist() -> None:
    (extras,) = re.findall(r"'\.\[([a-z,-]+)\]'", TEXT)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_dependencies_come_before_the_code_so_that_their_layer_is_kept() -> None:
    last = [
        rest
        for name, rest in STEPS[len(STEPS) - 1 - [n for n, _ in STEPS][::-1].index("FROM") :]
        if name == "RUN"
    ]
    assert [("torch==" in step, "kubernetes" in step, ".whl" in step) for step in last[-3:]] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_it_runs_as_nobody_in_particular_where_the_chart_expects_it() -> None:
    given = values("values.yaml")
    (deployment,) = given["dagster-user-deployments"]["deployments"]
    assert of("USER") == ["1000:1000"]
    assert deployment["podSecurityContext"]["runAsUser"] == 1000
    variables = " ".join(of("ENV"))
    assert f"DAGSTER_HOME={given['global']['dagsterHome']}" in variables
    assert f"AL_HOME={deployment['volumeMounts'][0]['mountPath']}" in variables


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and installed as the Containerfile says, into a folder of its own."""
    folder = tmp_path_factory.mktemp("image")
    (build,) = [step for step in of("RUN") if "pip wheel" in step]
    assert build == f"{PIP_CONF} pip wheel --no-cache-dir --no-deps --wheel-dir /wheels ."
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels = str(folder / "wheels")
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, "."], cwd=ROOT, check=True)
    (wheel,) = (folder / "wheels").glob("*.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    return target


def test_the_definitions_load_from_the_wheel_and_bring_the_sql(installed: Path, tmp_path: Path) -> None:
    variables = process_environment(
        PYTHONPATH=str(installed), AL_HOME=str(tmp_path / "home"), DAGSTER_HOME=str(tmp_path)
    )
    asked = "import al_assets.definitions as d, resources.migrations as m; print(d.__file__, m.head())"
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(str(installed))

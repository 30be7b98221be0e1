"""Our values for Dagster's Helm chart: known to it, taken by Dagster, the same limits as at home, and runs' pods."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from dagster._config import process_config, validate_config
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.config import dagster_instance_config
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.storage.dagster_run import DagsterRun
from dagster_azure.blob import AzureBlobComputeLogManager
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import construct_dagster_k8s_job
from dagster_postgres.utils import pg_url_from_config

from al_assets.home import DAGSTER_YAML
from support.helm_values import DEPLOY, KNOWN, context_of, instance_of, laid_over, unknown, values

CPU, GPU = ("values.yaml",), ("values.yaml", "values-gpu.yaml")
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "none",
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
}


@pytest.mark.parametrize("files", [CPU, GPU], ids=["cpu", "gpu"])
def test_every_key_is_one_of_the_chart(files: tuple[str, ...]) -> None:
    assert unknown(values(*files), KNOWN) == []


def test_a_misspelt_key_is_found() -> None:
    assert unknown({"dagsterDaemon": {"runRetry": {}, "image": {"tag": 1}}}, KNOWN) == [
        ".dagsterDaemon.runRetry",
        ".dagsterDaemon.image.tag is int, not str",
    ]


def test_the_chart_is_of_the_version_of_dagster() -> None:
    head = (DEPLOY / "values.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert f"version {version('dagster')}," in head


@pytest.mark.parametrize("files", [CPU, GPU], ids=["cpu", "gpu"])
def test_dagster_takes_the_configuration_that_comes_of_it(files: tuple[str, ...], tmp_path: Path) -> None:
    instance = instance_of(values(*files))
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(instance), encoding="utf-8")
    taken, _ = dagster_instance_config(str(tmp_path))
    assert taken["concurrency"] == instance["concurrency"]
    for kind, part in [(K8sRunLauncher, "run_launcher"), (AzureBlobComputeLogManager, "compute_logs")]:
        checked = validate_config(kind.config_type(), instance[part]["config"])
        assert checked.success, [error.message for error in checked.errors or []]


def test_limits_pools_and_retries_are_those_of_a_home() -> None:
    home, instance = yaml.safe_load(DAGSTER_YAML), instance_of(values(*CPU))
    for part in ("concurrency", "run_retries", "nux", "telemetry"):
        assert instance[part] == home[part], part
    assert instance["run_monitoring"]["enabled"] is home["run_monitoring"]["enabled"]
    kept = home["retention"]["sensor"]["purge_after_days"]
    assert instance["retention"]["sensor"]["purge_after_days"].items() >= kept.items()
    assert instance["run_coordinator"]["class"] == home["run_coordinator"]["class"]


def test_dagsters_own_database_is_reached_by_the_driver_it_can_notify_with() -> None:
    storage = instance_of(values(*CPU))["storage"]["postgres"]["postgres_db"]
    url = sa.make_url(pg_url_from_config({"postgres_db": {**storage, "password": "x"}}))
    assert url.get_driver_name() == "psycopg2"
    assert url.query == {"sslmode": "require"}


def test_the_code_server_serves_the_definitions() -> None:
    (deployment,) = values(*CPU)["dagster-user-deployments"]["deployments"]
    assert deployment["dagsterApiGrpcArgs"] == ["-m", "al_assets.definitions"]


def test_everything_runs_in_the_one_image() -> None:
    given = values(*CPU)
    (deployment,) = given["dagster-user-deployments"]["deployments"]
    images = [deployment["image"], given["dagsterWebserver"]["image"], given["dagsterDaemon"]["image"]]
    assert all(image == images[0] for image in images)


def test_no_secret_is_written_down() -> None:
    text = json.dumps(values(*GPU)).lower()
    assert 'postgresqlpassword"' not in text
    for name in ("al_database_url", "al_database_password", "al_label_studio_token"):
        assert name not in text
    assert text.count("al_storage_key") == text.count('{"env": "al_storage_key"}') == 1


@pytest.fixture
def launcher(tmp_path: Path) -> Any:
    """Dagster's launcher for given values, with a cluster that nobody asks."""
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(KUBECONFIG), encoding="utf-8")

    def make(*files: str) -> K8sRunLauncher:
        config = instance_of(values(*files))["run_launcher"]["config"]
        config |= {"load_incluster_config": False, "kubeconfig_file": str(tmp_path / "kubeconfig")}
        taken = process_config(K8sRunLauncher.config_type(), config)
        return K8sRunLauncher.from_config_value(None, taken.value)  # type: ignore[arg-type]

    return make


def pod_of(launcher: K8sRunLauncher, deployment: dict[str, Any]) -> dict[str, Any]:
    """The pod of a run of this code server, as Kubernetes would be sent it."""
    repository = RepositoryPythonOrigin(
        executable_path="python",
        code_pointer=ModuleCodePointer("al_assets.definitions", "defs"),
        container_image="REGISTRY/al-assets:VERSION",
        entry_point=["dagster"],
        container_context=context_of(deployment),
    )
    run = DagsterRun("learn", job_code_origin=JobPythonOrigin("learn", repository))
    context = launcher.get_container_context_for_run(run)
    config = context.get_k8s_job_config("REGISTRY/al-assets:VERSION", launcher)
    job = construct_dagster_k8s_job(
        config, args=[], job_name="run", user_defined_k8s_config=context.run_k8s_config
    )
    return laid_over({}, job.to_dict()["spec"]["template"]["spec"])


@pytest.mark.parametrize("files", [CPU, GPU], ids=["cpu", "gpu"])
def test_a_run_has_its_own_share_and_the_secrets_and_settings_of_the_code_server(
    launcher: Any, files: tuple[str, ...]
) -> None:
    (deployment,) = values(*files)["dagster-user-deployments"]["deployments"]
    pod = pod_of(launcher(*files), deployment)
    (container,) = pod["containers"]
    given = values(*files)["runLauncher"]["config"]["k8sRunLauncher"]["resources"]
    assert container["resources"]["requests"] == given["requests"]
    assert container["resources"]["limits"] == given["limits"]
    sources = [next(iter(filter(None, source.values())))["name"] for source in container["env_from"]]
    assert "al-environment" in sources
    assert "/al/archive" in [mount["mount_path"] for mount in container["volume_mounts"]]
    assert pod["security_context"]["run_as_user"] == 1000


def test_runs_on_gpus_go_to_nodes_that_have_one(launcher: Any) -> None:
    (deployment,) = values(*GPU)["dagster-user-deployments"]["deployments"]
    pod = pod_of(launcher(*GPU), deployment)
    assert pod["node_selector"] == {"kubernetes.io/os": "linux", "al/gpu": "true"}
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert [toleration["value"] for toleration in pod["tolerations"]] == ["gpu"]
    assert "nvidia.com/gpu" not in str(pod_of(launcher(*CPU), deployment))

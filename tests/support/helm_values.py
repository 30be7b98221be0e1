"""Our values for Dagster's Helm chart, and what the chart makes of them as far as runs depend on it. No test here.

The chart itself is not in the checkout (`.ci/chart` fetches it): what is said of it here was read in its templates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / ".deploy"

IMAGE = {"repository": str, "tag": str, "pullPolicy": str}
SOURCES = [{"name": str}]
POD: dict[str, Any] = {"image": IMAGE, "envSecrets": SOURCES, "resources": dict}
KNOWN: dict[str, Any] = {
    "global": {"postgresqlSecretName": str, "dagsterHome": str},
    "generatePostgresqlPasswordSecret": bool,
    "postgresql": {
        "enabled": bool,
        "postgresqlHost": str,
        "postgresqlUsername": str,
        "postgresqlDatabase": str,
        "postgresqlParams": dict,
        "postgresqlScheme": str,
    },
    "dagsterWebserver": POD,
    "dagster-user-deployments": {
        "enabled": bool,
        "enableSubchart": bool,
        "deployments": [
            {
                **POD,
                "name": str,
                "dagsterApiGrpcArgs": [str],
                "port": int,
                "env": dict,
                "volumes": [dict],
                "volumeMounts": [dict],
                "podSecurityContext": dict,
                "includeConfigInLaunchedRuns": {"enabled": bool},
                "readinessProbe": dict,
            }
        ],
    },
    "runLauncher": {
        "type": str,
        "config": {
            "k8sRunLauncher": {
                "imagePullPolicy": str,
                "resources": dict,
                "runK8sConfig": {"podSpecConfig": dict, "jobSpecConfig": dict, "containerConfig": dict},
            }
        },
    },
    "dagsterDaemon": {
        **POD,
        "runMonitoring": {
            "enabled": bool,
            "startTimeoutSeconds": int,
            "pollIntervalSeconds": int,
            "freeSlotsAfterRunEndSeconds": int,
        },
        "runRetries": {"enabled": bool, "maxRetries": int},
    },
    "concurrency": {
        "enabled": bool,
        "pools": {"defaultLimit": int, "granularity": str, "opGranularityRunBuffer": int},
        "runs": {
            "maxConcurrentRuns": int,
            "tagConcurrencyLimits": [{"key": str, "value": str, "limit": int}],
        },
    },
    "retention": {"enabled": bool, "sensor": {"purgeAfterDays": dict}, "schedule": {"purgeAfterDays": dict}},
    "additionalInstanceConfig": dict,
    "computeLogManager": {
        "type": str,
        "config": {"customComputeLogManager": {"module": str, "class": str, "config": dict}},
    },
    "telemetry": {"enabled": bool},
}
"""Keys of the chart that we set, or might: a misspelt one would be ignored by helm or fail in the cluster."""


def values(*names: str) -> dict[str, Any]:
    """The values files laid over each other as helm does it."""
    found: dict[str, Any] = {}
    for name in names:
        found = laid_over(found, yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8")))
    return found


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Mappings are merged, all else is replaced."""
    both = {k: laid_over(below[k], v) for k, v in above.items() if isinstance(v, dict) and k in below}
    return {**below, **above, **both}


def unknown(given: Any, known: Any, path: str = "") -> list[str]:
    """Keys that the chart does not know, and values of another type."""
    if isinstance(known, dict) and isinstance(given, dict):
        parts = [
            unknown(v, known[k], f"{path}.{k}") if k in known else [f"{path}.{k}"] for k, v in given.items()
        ]
        return [fault for part in parts for fault in part]
    if isinstance(known, list) and isinstance(given, list):
        return [fault for item in given for fault in unknown(item, known[0], f"{path}[]")]
    kind = known if isinstance(known, type) else type(known)
    return [] if isinstance(given, kind) else [f"{path} is {type(given).__name__}, not {kind.__name__}"]


def instance_of(given: dict[str, Any], release: str = "al") -> dict[str, Any]:
    """The dagster.yaml that the chart renders."""
    database, daemon = given["postgresql"], given["dagsterDaemon"]
    runs, pools = given["concurrency"]["runs"], given["concurrency"]["pools"]
    monitoring, logs = (
        daemon["runMonitoring"],
        given["computeLogManager"]["config"]["customComputeLogManager"],
    )
    storage = {
        "username": database["postgresqlUsername"],
        "password": {"env": "DAGSTER_PG_PASSWORD"},
        "hostname": database["postgresqlHost"],
        "db_name": database["postgresqlDatabase"],
        "port": 5432,
        "params": database["postgresqlParams"],
        "scheme": database["postgresqlScheme"],
    }
    return {
        "storage": {"postgres": {"postgres_db": storage}},
        "run_coordinator": {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"},
        "run_launcher": {
            "module": "dagster_k8s",
            "class": "K8sRunLauncher",
            "config": launcher_of(given, release),
        },
        "compute_logs": logs,
        "run_monitoring": {
            "enabled": monitoring["enabled"],
            "start_timeout_seconds": monitoring["startTimeoutSeconds"],
            "poll_interval_seconds": monitoring["pollIntervalSeconds"],
            "free_slots_after_run_end_seconds": monitoring["freeSlotsAfterRunEndSeconds"],
        },
        "concurrency": {
            "pools": {"default_limit": pools["defaultLimit"]},
            "runs": {
                "max_concurrent_runs": runs["maxConcurrentRuns"],
                "tag_concurrency_limits": runs["tagConcurrencyLimits"],
            },
        },
        "retention": {"sensor": {"purge_after_days": given["retention"]["sensor"]["purgeAfterDays"]}},
        "telemetry": given["telemetry"],
        **given["additionalInstanceConfig"],
    }


def launcher_of(given: dict[str, Any], release: str) -> dict[str, Any]:
    """The configuration of the run launcher."""
    own = given["runLauncher"]["config"]["k8sRunLauncher"]
    spelled = {"podSpecConfig": "pod_spec_config", "jobSpecConfig": "job_spec_config"}
    return {
        "load_incluster_config": True,
        "job_namespace": "default",
        "image_pull_policy": own["imagePullPolicy"],
        "service_account_name": f"{release}-dagster",
        "dagster_home": given["global"]["dagsterHome"],
        "instance_config_map": f"{release}-dagster-instance",
        "postgres_password_secret": given["global"]["postgresqlSecretName"],
        "resources": own["resources"],
        "run_k8s_config": {spelled[key]: value for key, value in own["runK8sConfig"].items()},
    }


def context_of(deployment: dict[str, Any], release: str = "al") -> dict[str, Any]:
    """What the code server says of itself, and its runs are given."""
    names = {"env_config_maps": [f"{release}-dagster-user-deployments-{deployment['name']}-user-env"]}
    secrets = {"env_secrets": [secret["name"] for secret in deployment["envSecrets"]]}
    mounted = {"volumes": deployment["volumes"], "volume_mounts": deployment["volumeMounts"]}
    return {"k8s": {"image_pull_policy": deployment["image"]["pullPolicy"], **names, **secrets, **mounted}}

"""What the code location shows: loadable, light to import, and as the snapshot says."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from al_assets.definitions import build_defs
from al_assets.settings import Settings, refresh_readme
from resources.environments import read_environment

SNAPSHOT = Path(__file__).parent / "snapshots" / "definitions.json"
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    home = tmp_path_factory.mktemp("home")
    return build_defs(read_environment({"AL_HOME": str(home)}, home), Settings())


def _days(policy: Any) -> dict[str, int] | None:
    if policy is None:
        return None
    windows = {"warn": policy.warn_window, "fail": policy.fail_window}
    return {name: window.to_timedelta().days for name, window in windows.items() if window}


def shape(definitions: dg.Definitions) -> dict[str, Any]:
    """Names that other people rely on."""
    graph = definitions.resolve_asset_graph()
    assets = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        assets[key.to_user_string()] = {
            "group": node.group_name,
            "kinds": sorted(node.kinds),
            "after": sorted(parent.to_user_string() for parent in node.parent_keys),
            "partitioned": node.partitions_def is not None,
            "checks": sorted(check.name for check in node.check_keys),
            "table": node.metadata.get("dagster/table_name"),
            "columns": "dagster/column_schema" in node.metadata,
            "column_lineage": "dagster/column_lineage" in node.metadata,
            "freshness": _days(node.freshness_policy),
        }
    return {
        "assets": assets,
        "jobs": sorted(
            job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")
        ),
        "sensors": {sensor.name: sensor.default_status.value for sensor in definitions.sensors or ()},
    }


def test_definitions_are_as_the_snapshot_says(definitions: dg.Definitions) -> None:
    """After a change that is meant: `AL_TEST_SNAPSHOT=write pytest tests/test_definitions.py`."""
    found = json.dumps(shape(definitions), indent=1, sort_keys=True) + "\n"
    if os.environ.get("AL_TEST_SNAPSHOT") == "write":
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(found, encoding="utf-8")
    assert found == SNAPSHOT.read_text(encoding="utf-8")


def test_definitions_are_loadable(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_every_asset_check_job_and_sensor_says_what_it_is(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    told = {key.to_user_string(): graph.get(key).description for key in graph.get_all_asset_keys()}
    told |= {str(key): graph.get_check_spec(key).description for key in graph.asset_check_keys}
    told |= {j.name: j.description for j in definitions.resolve_all_job_defs() if not j.name.startswith("__")}
    told |= {sensor.name: sensor.description for sensor in definitions.sensors or ()}
    assert [name for name, words in told.items() if len((words or "").split()) < 4] == []


def test_importing_the_definitions_loads_nothing_slow(tmp_path: Path) -> None:
    program = (
        "import sys, al_assets.definitions\n"
        "slow = ('torch', 'torchvision', 'evidently', 'sklearn', 'label_studio_sdk')\n"
        "print([name for name in slow if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "AL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"


def test_the_readmes_settings_are_fresh() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert refresh_readme(text) == text, "run `python -m al_assets.settings`"

"""`al bench checks`: how long each asset check takes over a large archive and in how much memory, as Dagster runs it.

Each step of checks is a Dagster run of its own, over all rows: what a person starts in the UI. In `learn` and
`ingest_videos` they read less. Not here: what the checks say.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dagster as dg

from al_assets.benches.cases import Result
from resources.archive import FOLDERS, Archive

MANY = 100_000
"""Rows from which each step has a process of its own, so that its memory is its own."""


def measure_checks(rows: int) -> tuple[Result, Result]:
    """(measured, ratios) over `rows` frames in SQLite: seconds of each step of checks, peak MiB, and the most of both.

    Ratios: seconds of the slowest step over those of one plain pass over the frames' brightness.
    """
    with tempfile.TemporaryDirectory(prefix="al-bench-") as name:
        home = Path(name)
        fill = _child("fill", home, str(rows))
        steps = [str(step) for step in fill["steps"]]
        groups = [[step] for step in steps] if rows >= MANY else [steps]
        found = {step: told for group in groups for step, told in _child("run", home, *group).items()}
    measured = {f"{step}_seconds": told[0] for step, told in found.items()}
    measured["slowest_seconds"] = max(told[0] for told in found.values())
    measured["peak_mib"] = max(told[1] for told in found.values())
    measured["failed"] = float(sum(told[2] for told in found.values()))
    return measured, {"slowest_vs_plain_scan": measured["slowest_seconds"] / fill["scan_seconds"]}


def _child(work: str, home: Path, *told: str) -> Any:
    command = [sys.executable, "-m", "al_assets.benches.checks", work, str(home), *told]
    found = subprocess.run(command, text=True, capture_output=True, check=False)
    if found.returncode:
        raise RuntimeError(f"the bench of checks stopped: {found.stderr.strip().splitlines()[-1]}")
    return json.loads(found.stdout.strip().splitlines()[-1])


def fill(home: Path, rows: int) -> dict[str, object]:
    """Make the archive; the steps of checks there are, and the seconds of a plain pass."""
    from al_assets.definitions import CHECKS
    from al_assets.embeddings.assets import configured_embedder
    from al_assets.settings import Settings
    from resources.sample_archive import fill_archive

    archive = _archive(home)
    fill_archive(archive.database, rows, configured_embedder(Settings().embeddings))
    began = time.perf_counter()
    archive.monitoring.query("SELECT SUM(brightness) AS light FROM frames")
    return {"scan_seconds": time.perf_counter() - began, "steps": [check.node_def.name for check in CHECKS]}


def run(home: Path, steps: list[str]) -> dict[str, list[float]]:
    """Seconds, peak MiB and failed checks of each step, by name."""
    from al_assets.definitions import ASSETS, CHECKS, make_resources
    from al_assets.settings import Settings
    from resources.environments import read_environment
    from resources.memory_bench import peak_mib

    environment = read_environment({"AL_HOME": str(home)}, home)
    found = {}
    for check in CHECKS:
        if check.node_def.name not in steps:
            continue
        job = dg.define_asset_job("one", dg.AssetSelection.checks(*check.check_keys))
        definitions = dg.Definitions(
            assets=ASSETS,
            asset_checks=CHECKS,
            jobs=[job],
            resources=make_resources(environment, Settings()),
            executor=dg.in_process_executor,
        )
        began = time.perf_counter()
        result = definitions.resolve_job_def("one").execute_in_process(raise_on_error=False)
        seconds = time.perf_counter() - began
        failed = sum(not each.passed for each in result.get_asset_check_evaluations())
        found[check.node_def.name] = [seconds, peak_mib(), float(failed)]
    return found


def _archive(home: Path) -> Archive:
    from al_assets.archives import make_archive
    from resources import migrations
    from resources.environments import read_environment

    archive = make_archive(read_environment({"AL_HOME": str(home)}, home))
    archive.storage.make_folders(FOLDERS)
    migrations.upgrade(archive.database)
    return archive


if __name__ == "__main__":
    _, work, home, *told = sys.argv
    print(json.dumps(fill(Path(home), int(told[0])) if work == "fill" else run(Path(home), told)))

"""`al bench`: each case measures our code against a plain reference in the same run and gives ratios.

The machines are shared and noisy: a ratio of two measurements taken in turns means something, a time does not. The
cases lie beside, one module each or a few that are alike, and are imported when they are run.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

PACKAGES = ("dagster", "torch", "torchvision", "sqlalchemy", "pandas", "numpy", "pyarrow", "av")
REPEATS = 3
Result = dict[str, float]


@dataclass(frozen=True)
class Case:
    """Where a case is measured, `measure(rows) -> (measured, ratios)`, and the size at which its figures are quoted.

    options: names of what else `measure` takes.
    """

    module: str
    function: str
    rows: int = 200_000
    options: tuple[str, ...] = ()

    def measure(self, rows: int, **options: Any) -> tuple[Result, Result]:
        """Run it."""
        found: tuple[Result, Result] = getattr(import_module(self.module), self.function)(rows, **options)
        return found


CASES = {
    "ingest": Case("al_assets.benches.kernels", "measure_ingest"),
    "embed": Case("al_assets.benches.kernels", "measure_embed"),
    "pipeline": Case("al_assets.benches.pipeline", "measure_pipeline"),
    "ray": Case("al_assets.benches.ray", "measure_ray"),
    "score": Case("al_assets.benches.kernels", "measure_score"),
    "io": Case("al_assets.benches.sql", "measure_io", 1_000_000),
    "views": Case("al_assets.benches.sql", "measure_views", 1_000_000),
    "design": Case("al_assets.benches.sql", "measure_design", 1_000_000),
    "margin": Case("al_assets.benches.sql", "measure_margin", 30_000_000),
    "checks": Case("al_assets.benches.checks", "measure_checks", 1_000_000),
    "dataset": Case("al_assets.benches.dataset", "measure_dataset", 10_000_000),
    "labels": Case("al_assets.benches.labels", "measure_labels"),
    "selection": Case("al_assets.benches.selection", "measure_selection", 100_000),
    "peers": Case("al_assets.benches.peers", "measure_peers", 20_000),
    "auto": Case("al_assets.benches.auto", "measure_auto", 40_000),
    "reference": Case("al_assets.benches.reference", "measure_reference", 19_000),
    "map": Case("al_assets.benches.maps", "measure_map", 100_000),
    "similar": Case("al_assets.benches.maps", "measure_similar", 300_000),
    "backfill": Case("al_assets.backfill_bench", "measure_backfill", 20_000),
    "project": Case("al_assets.benches.projection", "measure_project", 100_000),
    "drift": Case("al_assets.benches.drift", "measure_drift", 20_000),
    "loop": Case(
        "al_assets.benches.loop", "measure_loop", 30_000_000, ("dim", "classes", "folder", "sizes", "rounds")
    ),
}


class UnknownCaseError(LookupError):
    """There is no such case, or it takes no such option; the message lists those there are."""


@dataclass(frozen=True)
class BenchResult:
    """One case: what was measured, our speed over the reference's, the machine, the versions."""

    case: str
    measured: dict[str, float]
    ratios: dict[str, float]
    machine: dict[str, Any]
    versions: dict[str, str]

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(asdict(self), indent=1)


def run_case(case: str, *, rows: int | None = None, **options: Any) -> BenchResult:
    """Run a case, at its own size unless told; options that are None are not given. Raises UnknownCaseError."""
    if case not in CASES:
        raise UnknownCaseError(f"no case {case!r}; there are: {', '.join(CASES)}")
    given = {name: value for name, value in options.items() if value is not None}
    if strange := sorted(given.keys() - set(CASES[case].options)):
        takes = ", ".join(("rows", *CASES[case].options))
        raise UnknownCaseError(f"case {case} has no option {strange[0]!r}; it takes: {takes}")
    measured, ratios = CASES[case].measure(rows or CASES[case].rows, **given)
    machine = {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()}
    return BenchResult(
        case,
        {name: round(value, 3) for name, value in measured.items()},
        {name: round(value, 3) for name, value in ratios.items()},
        machine,
        {name: version(name) for name in PACKAGES},
    )


def rates(work: dict[str, Callable[[], int]], repeats: int = REPEATS) -> dict[str, float]:
    """Units a second of each piece of work, taken in turns; the best of the repeats, since noise only slows."""
    best = dict.fromkeys(work, 0.0)
    for _ in range(repeats):
        for name, run in work.items():
            began = time.perf_counter()
            units = run()
            best[name] = max(best[name], units / (time.perf_counter() - began))
    return best

"""`al simulate --data`: a file in, results out. The experiment itself is the room `simulation`.

Not here: the archive as the source of labels (simulate_archive.py); this much starts without Dagster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from al_assets.selection.redundancy import NO_RULE, RedundancyRule
from al_assets.simulation.curves import check, simulate
from al_assets.simulation.dataset import read_npz
from al_assets.simulation.experiment import BASELINE, Experiment, Plan
from al_assets.simulation.results import PACKAGES, result_files

Say = Callable[[str], None]
DEFAULT = ("auto", "margin")
PER_CLIP = "random_per_clip"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What was asked for on the command line."""

    strategies: tuple[str, ...]
    rounds: int
    per_round: int
    seeds: int
    initial: int
    candidates: int | None
    test_groups: int | None
    head: str
    workers: int
    rule: RedundancyRule = NO_RULE

    def plan(self, *, grouped: bool) -> Plan:
        """The plan: those strategies or the default ones, random first of all and per clip where there are clips."""
        wanted = self.strategies or (*DEFAULT, *([PER_CLIP] if grouped else []))
        return Plan(
            strategies=wanted if BASELINE in wanted else (BASELINE, *wanted),
            rounds=self.rounds,
            per_round=self.per_round,
            seeds=self.seeds,
            initial=self.initial,
            candidates=self.candidates,
            head=self.head,
            rule=self.rule,
        )


def simulate_file(path: Path, out: Path, wish: Wish, say: Say) -> None:
    """Simulate on an .npz file and write the results into a folder."""
    data = read_npz(path)
    about = {"name": path.name, "sha256": data.sha256, "test_part": data.test_part(wish.test_groups)}
    write_results(data.experiment(wish.test_groups), wish.plan(grouped=data.grouped), about, out, wish, say)


def unmet_classes(experiment: Experiment) -> list[int]:
    """Columns of classes that are in the test part and nowhere in the pool."""
    shown, pool = (experiment.targets[part] == 1 for part in (experiment.test, ~experiment.test))
    return np.flatnonzero(shown.any(axis=0) & ~pool.any(axis=0)).tolist()


def write_results(
    experiment: Experiment, plan: Plan, data: dict[str, Any], out: Path, wish: Wish, say: Say
) -> None:
    """Run the plan and write curves.csv, summary.json and curves.svg into a folder, made if it is not there."""
    check(experiment, plan)
    out.mkdir(parents=True, exist_ok=True)
    curves = simulate(
        experiment,
        plan,
        workers=wish.workers,
        clock=time.perf_counter,
        progress=lambda name, seed: say(f"{name}, seed {seed}") if seed == plan.seeds - 1 else None,
    )
    unmet = unmet_classes(experiment)
    if unmet:
        say(f"{len(unmet)} classes of the test part are on no row of the pool; every strategy misses them")
    data = {**data, "classes_the_pool_lacks": len(unmet)}
    about = {"data": data, "versions": {package: version(package) for package in PACKAGES}}
    for file, text in result_files(curves, experiment, plan, about).items():
        (out / file).write_text(text, encoding="utf-8")
        say(str(out / file))

"""`al bench auto`: whether the default strategy loses to anything simple, on data of several kinds.

Cold start, the whole pool open, one label a class a round, logistic regression. Not here: the protocol (simulation/),
the data (known_sets.py), other libraries (peers.py).
"""

from __future__ import annotations

from al_assets.benches.known_sets import cells, digit_pairs, digits, long_tailed_digits, rendered_archive
from al_assets.benches.sets import Result, Sets, each_set, seeds_of
from al_assets.simulation.curves import simulate
from al_assets.simulation.experiment import BASELINE, Experiment, Plan
from al_assets.simulation.measures import primary
from al_assets.simulation.summary import OURS, summarise

RIVALS = (BASELINE, "margin", "max_herding", "typiclust", "badge")
ROUNDS, QUICK = 12, 10_000
CLIPS = 40
ALLOWED = -0.5
"""Points that `auto` may be behind at the lower end of an interval."""


def measure_auto(rows: int) -> tuple[Result, Result]:
    """(measured, ratios): rows: one seed for each 2,000, from 2 to 20; under 10,000 a third of the digits only.

    Measured, in points of the data set's metric: the area under the curve of each strategy, and of the paired
    differences of `auto` to each rival at the quarters of the budget the mean and the lower end of the 95 % interval;
    behind: how many of those ends are below -0.5. Ratios: the area of `auto` over that of the best rival.
    """
    quick = rows < QUICK
    data: Sets = {"digits": lambda: digits(600 if quick else None)}
    if not quick:
        data |= {"long_tailed_digits": long_tailed_digits, "digit_pairs": digit_pairs}
        data["cells"] = cells
        data["archive"] = lambda: rendered_archive(CLIPS)
    return each_set(data, lambda each: compare(each, rounds=4 if quick else ROUNDS, seeds=seeds_of(rows)))


def compare(experiment: Experiment, *, rounds: int, seeds: int) -> tuple[Result, Result]:
    """The same for one data set."""
    metric = primary(experiment.task)
    plan = Plan(strategies=(*RIVALS, OURS), rounds=rounds, per_round=experiment.targets.shape[1], seeds=seeds)
    report = summarise(simulate(experiment, plan), metric=metric, initial=0)
    areas = {name: report["strategies"][name]["area_under_curve"][metric]["mean"] for name in plan.strategies}
    measured = {f"area_{name}": 100 * area for name, area in areas.items()}
    for name in RIVALS:
        for number, quarter in enumerate(report["auto_against"][name]["quarters"], start=1):
            for end in ("mean", "low"):
                measured[f"over_{name}_quarter_{number}_{end}"] = 100 * quarter["at"][end]
    lows = [value for key, value in measured.items() if key.endswith("_low")]
    measured["behind"] = float(sum(low < ALLOWED for low in lows))
    return measured, {"auto_vs_best_rival": areas[OURS] / max(areas[name] for name in RIVALS)}

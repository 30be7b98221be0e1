"""What learning curves come to over the seeds: areas, labels to reach an accuracy, differences to random.

Intervals are Student's t over seeds, 95 %: of a mean, or of the paired difference to random, where each seed's initial
draw and test part are the same for both. Not here: any run, any plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from al_assets.simulation.experiment import BASELINE
from al_assets.simulation.measures import LOG_LOSS_CLIP, MEASURES

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
QUARTERS = 4
OURS = "auto"
"""The default strategy: what it gains or loses is told against each of the others."""
METHOD = {
    "area_under_curve": "trapezoid over labels divided by their range, by seed; mean over seeds",
    "interval": "95 %, Student's t over seeds; difference_to_random is paired by seed",
    "auto_against": "difference of the strategy auto to each other one in `metric`, paired by seed",
    "quarters": "of the labels bought after the initial draw; `at` its end, `over` the mean of the rounds in it",
    "labels_to_reach": "first number of labels at which the mean over seeds is there; null where it never is",
    "seconds_fit": "median over rounds and seeds, as is seconds_select",
    "log_loss": f"nats, lower is better, probabilities clipped to {LOG_LOSS_CLIP:g} from 0 and 1",
}
Values = npt.NDArray[np.float64]
Report = dict[str, Any]


def summarise(curves: pd.DataFrame, *, metric: str, initial: int, levels: Sequence[float] = LEVELS) -> Report:
    """The report of `curves` (as `curves.simulate` gives them); JSON-ready. metric: what strategies are ranked by.

    Differences are left out where no curve is of BASELINE, and in its own entry.
    """
    labels = np.sort(curves["labels"].unique()).astype(np.int64)
    by_name = {str(name): _matrices(part) for name, part in curves.groupby("strategy", sort=False)}
    random = by_name.get(BASELINE)
    wanted = [float(level) for level in levels]
    if random is not None:
        wanted = sorted({*wanted, _floored(random[metric].mean(axis=0)[-1])})
    report: Report = {"metric": metric, "method": METHOD, "strategies": {}}
    for name, found in by_name.items():
        entry: Report = {
            "area_under_curve": {m: interval(area(found[m], labels)) for m in MEASURES},
            "final": {m: interval(found[m][:, -1]) for m in MEASURES},
            "labels_to_reach": {f"{level:g}": _reach(found[metric], labels, level) for level in wanted},
            "seconds_fit": round(float(np.median(found["seconds_fit"])), 6),
            "seconds_select": round(float(np.median(found["seconds_select"])), 6),
        }
        if random is not None and name != BASELINE:
            entry["difference_to_random"] = {
                m: difference(found[m], random[m], labels, initial) for m in MEASURES
            }
        report["strategies"][name] = entry
    if random is not None:
        report["random_final"] = _floored(random[metric].mean(axis=0)[-1])
    if OURS in by_name:
        report["auto_against"] = {
            name: difference(by_name[OURS][metric], found[metric], labels, initial)
            for name, found in by_name.items()
            if name != OURS
        }
    return report


def difference(ours: Values, theirs: Values, labels: npt.NDArray[np.int64], initial: int) -> Report:
    """Paired difference of two (seeds, rounds) matrices: of their areas, and at and over each quarter."""
    gaps, quarters = ours - theirs, []
    bought, span = labels - initial, int(labels[-1]) - initial
    for quarter in range(1, QUARTERS + 1):
        end = int(np.searchsorted(bought * QUARTERS, span * quarter))
        inside = (bought * QUARTERS > span * (quarter - 1)) & (bought * QUARTERS <= span * quarter)
        over = interval(gaps[:, inside].mean(axis=1)) if inside.any() else None
        quarters.append({"labels": int(labels[end]), "at": interval(gaps[:, end]), "over": over})
    return {"overall": interval(area(gaps, labels)), "quarters": quarters}


def area(values: Values, labels: npt.NDArray[np.int64]) -> Values:
    """Mean height of each row of values (seeds, rounds) over the range of labels, by the trapezoid rule."""
    if len(labels) == 1:
        return values[:, 0]
    return np.asarray(np.trapezoid(values, labels, axis=1) / (labels[-1] - labels[0]))


def interval(values: Values) -> dict[str, float | None]:
    """Mean over seeds with its 95 % interval; none of a single seed."""
    from scipy.stats import t

    mean, count = float(values.mean()), len(values)
    if count < 2:
        return {"mean": round(mean, 6), "low": None, "high": None}
    half = float(t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count))
    return {"mean": round(mean, 6), "low": round(mean - half, 6), "high": round(mean + half, 6)}


def _floored(value: float) -> float:
    """To four digits and never above, so that the level is one that was reached."""
    return float(np.floor(1e4 * value) / 1e4)


def _matrices(part: pd.DataFrame) -> dict[str, Values]:
    """(seeds, rounds) of each number of one strategy."""
    return {
        name: part.pivot(index="seed", columns="labels", values=name).to_numpy(np.float64)
        for name in (*MEASURES, "seconds_fit", "seconds_select")
    }


def _reach(values: Values, labels: npt.NDArray[np.int64], level: float) -> dict[str, int | None]:
    """First labels at which the mean is at the level, and how many seeds get there at all."""
    there = np.flatnonzero(values.mean(axis=0) >= level - 1e-9)
    return {
        "labels": int(labels[there[0]]) if there.size else None,
        "seeds": int((values >= level - 1e-9).any(axis=1).sum()),
    }

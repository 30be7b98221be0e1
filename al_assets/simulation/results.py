"""The files of a finished simulation: curves.csv, summary.json and curves.svg, as text. Nothing is run or written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from al_assets.reports.plots import CurvePoint, strategy_curves_svg
from al_assets.selection.redundancy import RedundancyRule
from al_assets.simulation.experiment import BASELINE, Experiment, Plan
from al_assets.simulation.measures import primary
from al_assets.simulation.summary import interval, summarise

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch")
TITLES = {"accuracy": "accuracy", "mean_average_precision": "mean average precision"}


def result_files(
    curves: pd.DataFrame, experiment: Experiment, plan: Plan, about: Mapping[str, Any]
) -> dict[str, str]:
    """Text of each file by name. about: what else the summary says, such as `versions` and the data's `sha256`."""
    metric = primary(experiment.task)
    summary = summarise(curves, metric=metric, initial=plan.initial)
    summary["settings"] = {
        "rounds": plan.rounds,
        "per_round": plan.per_round,
        "initial": plan.initial,
        "candidates": plan.candidates,
        "seeds": plan.seeds,
        "head": plan.head,
        "rule": {"per_clip": plan.rule.per_clip, "cosine": plan.rule.cosine, "collapse": plan.rule.collapse},
        "task": experiment.task,
    }
    summary["data"] = {
        "pool_rows": int((~experiment.test).sum()),
        "test_rows": int(experiment.test.sum()),
        "test_groups": len(np.unique(experiment.groups[experiment.test])),
        "classes": experiment.targets.shape[1],
        "dimensions": experiment.embeddings.shape[1],
    }
    summary |= {name: {**summary.get(name, {}), **value} for name, value in about.items()}
    return {
        "curves.csv": curves.round(6).to_csv(index=False),
        "summary.json": json.dumps(summary, indent=1, allow_nan=False) + "\n",
        "curves.svg": plot(curves, metric, plan),
    }


def fingerprint(experiment: Experiment, plan: Plan) -> str:
    """Hash of the data and of all settings but the strategies: curves with the same one may be compared."""
    digest = hashlib.sha256(repr(replace(plan, strategies=("any",))).encode())
    for part in (experiment.embeddings, experiment.targets, experiment.groups, experiment.test):
        digest.update(repr((part.dtype.str, part.shape)).encode() + np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def plot(curves: pd.DataFrame, metric: str, plan: Plan) -> str:
    """Mean over seeds against labels with its 95 % interval, one curve a strategy."""
    points: dict[str, list[CurvePoint]] = {}
    for (name, labels), part in curves.groupby(["strategy", "labels"], sort=False):
        found = interval(part[metric].to_numpy(np.float64))
        point = CurvePoint(int(str(labels)), found["mean"] or 0.0, found["low"], found["high"])
        points.setdefault(str(name), []).append(point)
    ordered = {name: points[name] for name in sorted(points, key=lambda name: name != BASELINE)}
    return strategy_curves_svg(ordered, TITLES[metric], _caption(plan))


def _caption(plan: Plan) -> str:
    band = f"mean of {plan.seeds} seeds with its 95 % interval" if plan.seeds > 1 else "one seed"
    start = f"{plan.initial} labels at random, then" if plan.initial else "cold start,"
    shown = f"{plan.candidates} fresh candidates" if plan.candidates else "the whole pool"
    return f"{band}; {start} {plan.per_round} a round out of {shown}; head {plan.head}{_rule(plan.rule)}"


def _rule(rule: RedundancyRule) -> str:
    parts = [
        f"{rule.per_clip} a clip" if rule.per_clip else "",
        f"cosine below {rule.cosine:g}" if rule.cosine else "",
    ]
    told = ", ".join(filter(None, [*parts, "runs collapsed" if rule.collapse else ""]))
    return f"; {told}" if told else ""

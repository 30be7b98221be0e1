"""`al bench reference`: the protocol of Microsoft's template, 200 labels at random and then 50 out of 500 a round.

Its published table has one seed, no interval and no fixed hold-out; this one has five seeds and a fixed test part. Not
here: the protocol itself (simulation/), the data (known_sets.py).
"""

from __future__ import annotations

from al_assets.benches.known_sets import digit_pairs, digits
from al_assets.benches.sets import Result, each_set
from al_assets.simulation.curves import simulate
from al_assets.simulation.experiment import BASELINE, Experiment, Plan
from al_assets.simulation.measures import primary
from al_assets.simulation.summary import OURS, summarise

STRATEGIES = (BASELINE, "least_confidence", "margin", "entropy", OURS)
INITIAL, ROUNDS, PER_ROUND, SHOWN, SEEDS = 200, 30, 50, 500, 5
QUICK = 10_000
"""Rows below which two seeds do; four fifths of 19,000 feed all the rounds."""


def measure_reference(rows: int) -> tuple[Result, Result]:
    """(measured, ratios) on `rows` frames of pairs of digits, and on all digits: as many rounds as either can feed.

    Measured, in points of mean average precision and accuracy: the mean gain over random draws, from the initial labels
    (where it is 0) on, with its paired 95 % interval, and the rounds. Ratios: areas under the curve over that of random
    draws.
    """
    sets = {"digit_pairs": lambda: digit_pairs(rows), "digits": lambda: digits(None)}
    return each_set(sets, lambda each: gains(each, SEEDS if rows >= QUICK else 2))


def gains(experiment: Experiment, seeds: int) -> tuple[Result, Result]:
    """The same for one data set."""
    rounds = max(1, min(ROUNDS, (len(experiment.pool()) - INITIAL) // SHOWN))
    metric = primary(experiment.task)
    plan = Plan(
        strategies=STRATEGIES,
        rounds=rounds,
        per_round=PER_ROUND,
        seeds=seeds,
        initial=INITIAL,
        candidates=SHOWN,
    )
    report = summarise(simulate(experiment, plan), metric=metric, initial=INITIAL)["strategies"]
    areas = {name: report[name]["area_under_curve"][metric]["mean"] for name in STRATEGIES}
    measured: Result = {"rounds": float(rounds)}
    for name in STRATEGIES[1:]:
        overall = report[name]["difference_to_random"][metric]["overall"]
        measured |= {f"{name}_gain_{end}": 100 * overall[end] for end in ("mean", "low", "high")}
    return measured, {f"{name}_vs_random": areas[name] / areas[BASELINE] for name in STRATEGIES[1:]}

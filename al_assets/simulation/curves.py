"""Learning curves of all strategies and seeds of a plan, run one after another or over worker processes.

Not here: what happens in a run (run.py).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import pandas as pd

from al_assets.selection.strategies import Strategy, strategy
from al_assets.simulation.experiment import Experiment, ExperimentError, Plan, runnable
from al_assets.simulation.run import Clock, Row, Run

COLUMNS = (
    "strategy",
    "seed",
    "round",
    "labels",
    "accuracy",
    "macro_f1",
    "log_loss",
    "mean_average_precision",
    "seconds_fit",
    "seconds_select",
    "picks",
)
_shared: list[tuple[Experiment, Plan, Clock, Mapping[str, Strategy]]] = []
"""What a worker process was given when it started: the pool travels to it once, not once a run."""


def no_clock() -> float:
    """A clock for runs whose seconds nobody asks for."""
    return 0.0


def simulate(
    experiment: Experiment,
    plan: Plan,
    *,
    workers: int = 1,
    clock: Clock = no_clock,
    others: Mapping[str, Strategy] | None = None,
    progress: Callable[[str, int], None] = lambda name, seed: None,
) -> pd.DataFrame:
    """Curves with COLUMNS, strategies in the order of the plan, then seeds, then rounds.

    The classifier, the test part, the initial draw and the candidates shown are the same for all strategies of a
    seed; every other draw is seeded by (seed, round, strategy). A run uses one thread, so that the curves are the
    same whatever the number of workers. others: strategies beside the registered ones (picklable, for workers).
    progress: told the strategy and seed of each run that is done. Raises ExperimentError and UnknownStrategyError.
    """
    others = others or {}
    check(experiment, plan, others)
    tasks = [(name, seed) for name in plan.strategies for seed in range(plan.seeds)]
    given = (experiment, plan, clock, others)
    rows: list[Row] = []
    with _results(tasks, given, workers) as results:
        for (name, seed), part in zip(tasks, results, strict=True):
            rows += part
            progress(name, seed)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def check(experiment: Experiment, plan: Plan, others: Mapping[str, Strategy] | None = None) -> None:
    """Refuse what `simulate` would refuse, before anything is run. ExperimentError, UnknownStrategyError."""
    from al_assets.checkpoints.training import RECIPES

    plan.check(len(experiment.pool()))
    if plan.head not in RECIPES:
        raise ExperimentError(f"head {plan.head!r} is unknown; choose one of {', '.join(RECIPES)}")
    for name in plan.strategies:
        if name not in (others or {}):
            strategy(name)
            if not runnable(name):
                raise ExperimentError(f"strategy {name!r} looks for given examples; a simulation has none")


@contextmanager
def _results(
    tasks: list[tuple[str, int]],
    given: tuple[Experiment, Plan, Clock, Mapping[str, Strategy]],
    workers: int,
) -> Iterator[Iterator[list[Row]]]:
    """Rows of each task, in the order of the tasks, as they come."""
    if workers == 1 or len(tasks) == 1:
        yield (_rows(*task, given) for task in tasks)
        return
    # Spawned, not forked: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    processes = min(workers, len(tasks))
    with ProcessPoolExecutor(processes, context, initializer=_keep, initargs=(given,)) as executor:
        try:
            yield executor.map(_rows, *zip(*tasks, strict=True))
        finally:
            executor.shutdown(cancel_futures=True)


def _keep(given: tuple[Experiment, Plan, Clock, Mapping[str, Strategy]]) -> None:
    _shared.append(given)


def _rows(
    name: str, seed: int, given: tuple[Experiment, Plan, Clock, Mapping[str, Strategy]] | None = None
) -> list[Row]:
    experiment, plan, clock, others = given or _shared[-1]
    with _one_thread():
        return list(Run(experiment, plan, name, seed, clock, others).rounds())


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(before)

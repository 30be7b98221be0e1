"""Strategies compared on a pool whose labels are known: production strategies, production training, an oracle.

Not here: reading labels or writing curves.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from al_assets.keys import Task
from al_assets.selection.pool import Pool
from al_assets.selection.strategies import strategy
from al_assets.selection.strategies.ranking import NoModelError

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A pool with known targets and a fixed test part.

    embeddings: (n, d); targets: (n, k) int8, 1 present, 0 absent, -1 not judged; groups: (n,) clip of each row;
    test: (n,) bool, the fixed hold-out, whole clips.
    """

    embeddings: Array
    targets: npt.NDArray[np.int8]
    groups: npt.NDArray[np.int64]
    test: npt.NDArray[np.bool_]
    task: Task

    def __post_init__(self) -> None:
        """Refuse a pool that cannot be measured, or whose test clips leak."""
        if not self.test.any() or self.test.all():
            raise ValueError(
                "an experiment needs both training and test rows; label frames of hold-out videos too"
            )
        leaking = np.intersect1d(self.groups[self.test], self.groups[~self.test])
        if leaking.size:
            raise ValueError(f"clip {leaking[0]} is in the test part and in the pool; split by whole clips")


def simulate(
    experiment: Experiment, *, strategies: Sequence[str], rounds: int, per_round: int, seeds: int
) -> pd.DataFrame:
    """Curves (strategy, seed, round, labels, macro_f1, mean_average_precision) from no label on.

    Every draw is seeded by (seed, round, strategy), and the classifier is the same for all strategies. While nothing
    can be learned yet, strategies that need a model draw at random, all alike, so that they differ in what
    they then ask for and not in where they began.
    """
    rows = [
        {"strategy": name, "seed": seed, **point}
        for name in strategies
        for seed in range(seeds)
        for point in _run(experiment, name, rounds, per_round, seed)
    ]
    return pd.DataFrame(rows)


def _run(
    experiment: Experiment, name: str, rounds: int, per_round: int, seed: int
) -> Iterator[dict[str, float]]:
    pool = np.flatnonzero(~experiment.test)
    labelled = np.empty(0, dtype=np.intp)
    probabilities: Array | None = None
    for number in range(1, rounds + 1):
        rng, start = (
            np.random.default_rng([seed, number, zlib.crc32(key)]) for key in (name.encode(), b"start")
        )
        open_rows = np.setdiff1d(pool, labelled)
        picked = _pick(
            experiment, open_rows, labelled, probabilities, name, min(per_round, len(open_rows)), rng, start
        )
        labelled = np.concatenate([labelled, picked])
        probabilities, scores = _fit_and_measure(experiment, labelled, seed)
        yield {"round": number, "labels": len(labelled), **scores}
        if len(labelled) == len(pool):
            return


def _pick(
    experiment: Experiment,
    open_rows: npt.NDArray[np.intp],
    labelled: npt.NDArray[np.intp],
    probabilities: Array | None,
    name: str,
    budget: int,
    rng: np.random.Generator,
    start: np.random.Generator,
) -> npt.NDArray[np.intp]:
    pool = Pool(
        frame_ids=open_rows.astype(np.int64),
        embeddings=experiment.embeddings[open_rows],
        probabilities=None if probabilities is None else probabilities[open_rows],
        task=experiment.task,
        labelled_embeddings=experiment.embeddings[labelled],
        labelled_targets=experiment.targets[labelled],
    )
    try:
        picks = strategy(name)(pool, budget, rng)
    except NoModelError:
        picks = strategy("random")(pool, budget, start)
    return np.asarray(open_rows[picks.positions])


def _fit_and_measure(
    experiment: Experiment, labelled: npt.NDArray[np.intp], seed: int
) -> tuple[Array | None, dict[str, float]]:
    """Probabilities of all rows (None while nothing can be learned) and the metrics on the test part."""
    from al_assets.checkpoints.evaluation import evaluate
    from al_assets.checkpoints.training import TrainingConfig, fit_head
    from al_assets.checkpoints.training_set import why_not_trainable

    names = ("macro_f1", "mean_average_precision")
    targets = experiment.targets[labelled]
    if why_not_trainable(targets, experiment.task):
        return None, dict.fromkeys(names, 0.0)
    class_ids = tuple(range(1, targets.shape[1] + 1))
    head = fit_head(
        experiment.embeddings[labelled],
        targets,
        None,
        task=experiment.task,
        class_ids=class_ids,
        class_names=tuple(map(str, class_ids)),
        embedder_id="simulation",
        config=TrainingConfig(seed=seed),
        groups=experiment.groups[labelled],
    ).head
    probabilities = head.probabilities(experiment.embeddings)
    metrics = evaluate(
        probabilities[experiment.test],
        experiment.targets[experiment.test],
        experiment.groups[experiment.test],
        task=experiment.task,
        class_ids=class_ids,
        thresholds=head.thresholds,
        rng=np.random.default_rng(seed),
        resamples=2,
    )
    overall = {metric.metric: metric.value or 0.0 for metric in metrics if metric.class_id == 0}
    return probabilities, {name: overall[name] for name in names}

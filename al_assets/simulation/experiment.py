"""What an experiment is: a pool with known answers and a fixed test part, and the plan by which labels are bought.

Not here: any run (run.py), files (dataset.py), statistics over the curves (summary.py).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.selection.redundancy import NO_RULE, RedundancyRule
from al_assets.selection.strategies import needs

if TYPE_CHECKING:  # loads torch
    from al_assets.checkpoints.surroundings import Surroundings

Array = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.intp]
BASELINE = "random"
"""The strategy that every other one is compared with."""
SURROUNDINGS = 20_000
"""Pool vectors that a head which learns from unlabelled frames gets at most."""
MODEL_FREE = frozenset({"random", "random_per_clip"})
"""Strategies that look at nothing: they are spared the model's opinion of the pool."""


class ExperimentError(ValueError):
    """The experiment cannot be run as asked; the message says what to change."""


@dataclass(frozen=True, kw_only=True, eq=False)
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
            raise ExperimentError(
                "an experiment needs both training and test rows; label frames of hold-out videos too"
            )
        leaking = np.intersect1d(self.groups[self.test], self.groups[~self.test])
        if leaking.size:
            raise ExperimentError(
                f"clip {leaking[0]} is in the test part and in the pool; split by whole clips"
            )

    def pool(self) -> Rows:
        """Rows that may be asked for."""
        return np.flatnonzero(~self.test)

    @cached_property
    def test_embeddings(self) -> Array:
        """Vectors of the test part, side by side."""
        return self.embeddings[self.test]

    @cached_property
    def surroundings(self) -> Surroundings:
        """A sample of the pool as heads that learn from unlabelled frames want it, the same for all runs."""
        from al_assets.checkpoints.surroundings import Surroundings

        rows = generator(0, 0, "surroundings").permutation(self.pool())[:SURROUNDINGS]
        return Surroundings.of(self.embeddings[np.sort(rows)])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How labels are bought.

    `initial` rows are drawn at random before the first round, the same for all strategies of a seed; 0 is a cold start.
    With `candidates`, each round shows that many rows never shown before, the same to all strategies of a seed, and
    what is not picked of them is not shown again; without, all of the pool that has no label is open. rule: the
    production rule of redundancy, which all strategies obey, random too; rows of a clip are in the order of time, but
    how far apart is not known, so it can have no minimum gap.
    """

    strategies: tuple[str, ...]
    rounds: int
    per_round: int
    seeds: int
    initial: int = 0
    candidates: int | None = None
    head: str = "logistic"
    rule: RedundancyRule = NO_RULE

    def __post_init__(self) -> None:
        """Refuse plans that cannot be carried out."""
        least = {"rounds": 1, "per_round": 1, "seeds": 1, "initial": 0}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise ExperimentError(f"{name} = {getattr(self, name)} must be at least {smallest}")
        if self.candidates is not None and self.candidates < self.per_round:
            raise ExperimentError(
                f"{self.per_round} picks a round out of {self.candidates} candidates; show at least as many"
            )
        if self.rule.minimum_gap_ms or self.rule.per_site is not None:
            raise ExperimentError("a simulation knows neither times nor sites; leave out their rules")
        twice = {name for name in self.strategies if self.strategies.count(name) > 1}
        if twice or not self.strategies:
            raise ExperimentError(
                f"name each strategy once, at least one; given: {', '.join(self.strategies)}"
            )

    def check(self, rows: int) -> None:
        """Refuse a plan whose first draw leaves nothing of a pool of so many rows to choose from."""
        if self.initial >= rows:
            raise ExperimentError(
                f"initial = {self.initial} leaves none of {rows} pool rows to choose from; draw fewer"
            )


def runnable(name: str) -> bool:
    """Whether a registered strategy can be simulated: nobody gives examples of what to look for here."""
    return "examples" not in needs(name)


def generator(seed: int, number: int, purpose: str) -> np.random.Generator:
    """The random stream of one purpose (a strategy's name, say) in one round of one seed."""
    return np.random.default_rng([seed, number, zlib.crc32(purpose.encode())])

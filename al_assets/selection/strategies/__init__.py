"""The registry of selection strategies: one module each, one function.

Not here: redundancy between picks (redundancy.py) and the arms of a batch (batch_plan.py).
"""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

import numpy as np

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies import (
    activelab,
    auto,
    badge,
    bald,
    class_balanced,
    cluster_margin,
    core_set,
    coverage,
    cvirs,
    density_weighted,
    dropquery,
    entropy,
    least_confidence,
    margin,
    max_herding,
    mean_margin,
    mmc,
    probcover,
    query_by_committee,
    random_draw,
    random_per_clip,
    similarity,
    tcm,
    typiclust,
    uncertainty_herding,
)
from al_assets.selection.strategies.own import OwnStrategy, is_own


class UnknownStrategyError(ValueError):
    """No strategy has that name."""


class Strategy(Protocol):
    """Chooses `budget` candidates, or all where there are fewer; then up to `spare` next best, in order.

    The spare ones stand in where the redundancy rule leaves a choice out. Same pool (in any order of rows)
    and same generator state, same picks.
    """

    def __call__(self, pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
        """Picks in the order of preference."""


_MODULES: dict[str, ModuleType] = {
    "activelab": activelab,
    "auto": auto,
    "badge": badge,
    "bald": bald,
    "class_balanced": class_balanced,
    "cluster_margin": cluster_margin,
    "core_set": core_set,
    "coverage": coverage,
    "cvirs": cvirs,
    "density_weighted": density_weighted,
    "dropquery": dropquery,
    "entropy": entropy,
    "least_confidence": least_confidence,
    "margin": margin,
    "max_herding": max_herding,
    "mean_margin": mean_margin,
    "mmc": mmc,
    "probcover": probcover,
    "query_by_committee": query_by_committee,
    "random": random_draw,
    "random_per_clip": random_per_clip,
    "similarity": similarity,
    "tcm": tcm,
    "typiclust": typiclust,
    "uncertainty_herding": uncertainty_herding,
}

STRATEGIES: dict[str, Strategy] = {name: module.select for name, module in _MODULES.items()}


def strategy(name: str) -> Strategy:
    """The strategy of that name, or a user's own (own.py). Raises UnknownStrategyError, which lists the names."""
    if is_own(name):
        return OwnStrategy(name)
    if name not in STRATEGIES:
        raise UnknownStrategyError(f"there is no strategy {name!r}; choose one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def needs(name: str) -> frozenset[str]:
    """Optional parts of the pool that a strategy cannot do without: `probabilities`, `committee`, `linear`, `examples`.

    A module states them as NEEDS; without one it needs none (it may still use what is there).
    """
    found = strategy(name)
    if isinstance(found, OwnStrategy):
        return found.needs
    return frozenset(getattr(_MODULES[name], "NEEDS", ()))

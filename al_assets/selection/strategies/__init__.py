"""The registry of selection strategies: one module each, one function.

Not here: redundancy between picks (redundancy.py) and the arms of a batch (batch_plan.py).
"""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

import numpy as np

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies import auto, coverage, entropy, least_confidence, margin, random_draw


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
    "auto": auto,
    "coverage": coverage,
    "entropy": entropy,
    "least_confidence": least_confidence,
    "margin": margin,
    "random": random_draw,
}

STRATEGIES: dict[str, Strategy] = {name: module.select for name, module in _MODULES.items()}


def strategy(name: str) -> Strategy:
    """The strategy of that name. Raises UnknownStrategyError, which lists the names."""
    if name not in STRATEGIES:
        raise UnknownStrategyError(f"there is no strategy {name!r}; choose one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def needs(name: str) -> frozenset[str]:
    """Optional parts of the pool that a strategy cannot do without: `probabilities`, `committee`, `linear`, `examples`.

    A module states them as NEEDS; without one it needs none (it may still use what is there).
    """
    strategy(name)
    return frozenset(getattr(_MODULES[name], "NEEDS", ()))

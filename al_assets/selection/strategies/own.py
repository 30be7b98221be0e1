"""A user's own strategy: a function named in `al.toml` as `package.module:function`, and a check of what it answers.

Not here: the strategies that come with the platform, or what a pool holds (pool.py says).
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import numpy as np

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies.ranking import seeded_order, wanted

FORM = "package.module:function"
PARTS = frozenset({"probabilities", "committee", "linear", "examples"})


class OwnStrategyError(ValueError):
    """A user's strategy cannot be found or answers what no batch can be made of."""


class OwnStrategy:
    """The function behind a name, called and checked as a strategy.

    The function takes `(pool, budget, rng)` and may take `spare`; without it, spare picks are drawn at random after its
    own. It may say what it cannot do without in `NEEDS`, an attribute of the function or of its module.
    """

    def __init__(self, name: str) -> None:
        """Raises OwnStrategyError, which says what to mend, where there is no such function."""
        self.name = name
        self.function, module = _found(name)
        self.needs = frozenset(getattr(self.function, "NEEDS", getattr(module, "NEEDS", ())))
        if unknown := sorted(map(str, self.needs - PARTS)):
            raise self._wrong(
                f"NEEDS {unknown[0]!r}, which no pool has; it may need {', '.join(sorted(PARTS))}"
            )
        self.takes_spare = _takes_spare(self.function)

    def __call__(self, pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
        """The function's picks. Raises OwnStrategyError where they are not what was asked for."""
        count = wanted(pool, budget, spare)
        for_function, for_spare = rng.spawn(2)
        asked = count if self.takes_spare else min(budget, len(pool))
        options = {"spare": spare} if self.takes_spare else {}
        try:
            answer = self.function(pool, budget, for_function, **options)
        except Exception as error:
            # The cause would hide this sentence: a run's failure is told by the innermost error.
            raise self._wrong(f"failed with {_told(error)}") from None
        picks = self._checked(answer, len(pool), asked)
        if count == asked:
            return picks
        left = np.setdiff1d(np.arange(len(pool)), picks.positions)
        left = left[np.argsort(seeded_order(pool.frame_ids, for_spare)[left])][: count - asked]
        return Picks(
            np.concatenate([picks.positions, left]),
            np.concatenate([picks.scores, np.zeros(len(left))]),
            [*picks.reasons, *[f"drawn at random: {self.name} ranks no spare picks"] * len(left)],
        )

    def _checked(self, answer: Any, candidates: int, asked: int) -> Picks:
        if not isinstance(answer, Picks):
            raise self._wrong(
                f"answered {type(answer).__name__}; return al_assets.selection.pool.Picks(positions, scores, reasons)"
            )
        positions, scores = np.asarray(answer.positions), np.asarray(answer.scores)
        if positions.ndim != 1 or not (np.issubdtype(positions.dtype, np.integer) or not len(positions)):
            raise self._wrong(
                f"answered positions {positions.dtype} {positions.shape}; they must be (n,) integers"
            )
        positions = positions.astype(np.intp)
        outside = positions[(positions < 0) | (positions >= candidates)]
        if len(outside):
            raise self._wrong(
                f"picked position {outside[0]} of a pool of {candidates}; positions count from 0"
            )
        if len(np.unique(positions)) < len(positions):
            raise self._wrong("picked a position twice; give each candidate once")
        if len(positions) != asked:
            raise self._wrong(f"picked {len(positions)} where {asked} were asked for; give as many as that")
        if scores.shape != positions.shape or not _finite(scores):
            raise self._wrong("must give one finite score for each pick, with 0 where it has none")
        reasons = list(answer.reasons)
        if len(reasons) != len(positions) or not all(isinstance(each, str) and each for each in reasons):
            raise self._wrong("must give one reason for each pick, a short text that the expert can read")
        return Picks(positions, scores.astype(np.float64), reasons)

    def _wrong(self, what: str) -> OwnStrategyError:
        return OwnStrategyError(f"[selection] strategy {self.name!r} {what}")


def is_own(name: str) -> bool:
    """Whether a strategy's name is that of a user's function."""
    return ":" in name


def _found(name: str) -> tuple[Callable[..., Any], object]:
    path, _, attribute = name.partition(":")
    if not path or not attribute:
        raise OwnStrategyError(f"[selection] strategy {name!r} is not of the form {FORM}")
    try:
        module = importlib.import_module(path)
    except Exception as error:
        raise OwnStrategyError(
            f"[selection] strategy {name!r}: {path} cannot be imported: {_told(error)}; "
            "install its package, or put its folder on PYTHONPATH"
        ) from None
    function = getattr(module, attribute, None)
    if not callable(function):
        raise OwnStrategyError(f"[selection] strategy {name!r}: {path} has no function {attribute!r}")
    return function, module


def _told(error: Exception) -> str:
    """The error, and the line of the user's code that it comes from, if it comes from there."""
    ours = (__file__, importlib.__file__)
    frames = [
        each
        for each in traceback.extract_tb(error.__traceback__)
        if each.filename not in ours and not each.filename.startswith("<frozen")
    ]
    line = f" ({PurePath(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{line}"


def _takes_spare(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(each.name == "spare" or each.kind is each.VAR_KEYWORD for each in parameters)


def _finite(scores: np.ndarray[Any, Any]) -> bool:
    return bool(np.issubdtype(scores.dtype, np.number) and np.isfinite(scores).all())

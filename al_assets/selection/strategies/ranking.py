"""What the strategies share: counts, seeded ties, and picks by a score.

Not here: any score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task
from al_assets.selection.pool import Floats, Ints, Linear, Picks, Pool

CELLS = 1 << 22
"""Values worked on at once: in float64 32 MB a temporary, whatever the number of classes."""


class NoModelError(ValueError):
    """The strategy ranks by what a model says and there is no model yet."""


class NoExamplesError(ValueError):
    """The strategy looks for frames like given ones, and none are given."""


def wanted(pool: Pool, budget: int, spare: int) -> int:
    """How many picks to return. Raises ValueError for a negative budget or spare."""
    if budget < 0 or spare < 0:
        raise ValueError(f"budget {budget} and spare {spare} must not be negative")
    return min(budget + spare, len(pool))


def seeded_order(frame_ids: Ints, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """A random rank for each frame, drawn over the frames in the order of their ids.

    Ties broken by it do not depend on how the pool is stored, and do not take one clip whole, as the plain
    order of ids or rows would: neighbours in a clip often score alike.
    """
    ranks = np.empty(len(frame_ids), dtype=np.intp)
    ranks[np.argsort(frame_ids)] = rng.permutation(len(frame_ids))
    return ranks


def model_probabilities(pool: Pool, name: str) -> Floats:
    """(n, k) of the model. Raises NoModelError, which names the strategy, where there are none."""
    if pool.probabilities is None:
        raise _no_model(name, "a model's probabilities")
    return pool.probabilities


def committee_probabilities(pool: Pool, name: str) -> Floats:
    """(members >= 1, n, k) of several models. Raises NoModelError, which names the strategy, where there are none."""
    if pool.committee is None or not len(pool.committee):
        raise _no_model(name, "the probabilities of several models")
    return pool.committee


def linear_model(pool: Pool, name: str) -> Linear:
    """The model as arrays. Raises NoModelError, which names the strategy, where there is none."""
    if pool.linear is None:
        raise _no_model(name, "a linear model")
    return pool.linear


def _no_model(name: str, what: str) -> NoModelError:
    return NoModelError(f"strategy {name!r} needs {what}; use 'coverage' or 'auto' until one serves")


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Slices that cover the rows, each of at most CELLS values of that width, and of one row at least."""
    step = max(1, CELLS // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))


def highest(
    pool: Pool, scores: npt.NDArray[np.float64], name: str, count: int, rng: np.random.Generator
) -> Picks:
    """The `count` candidates of highest score, ties in a seeded order; the reason gives the name and the score."""
    order = np.lexsort((seeded_order(pool.frame_ids, rng), -scores))[:count]
    return Picks(order, scores[order], [f"{name} {score:.3f}" for score in scores[order]])


def most_uncertain(
    pool: Pool,
    uncertainty: Callable[[Floats, Task], Floats],
    name: str,
    budget: int,
    rng: np.random.Generator,
    spare: int,
) -> Picks:
    """The candidates of highest uncertainty. Raises NoModelError without probabilities."""
    count = wanted(pool, budget, spare)
    probabilities = model_probabilities(pool, name)
    scores = np.empty(len(pool))
    for rows in blocks(len(pool), probabilities.shape[1]):
        scores[rows] = uncertainty(np.clip(probabilities[rows], 0, 1), pool.task)
    return highest(pool, scores, f"{name} uncertainty", count, rng)

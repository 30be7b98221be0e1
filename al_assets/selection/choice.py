"""A strategy's choice under the rule of redundancy: collapse, choose, admit. Production and simulation alike.

Not here: the rule (redundancy.py), the runs (collapse.py), the arms of a batch (batch_plan.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from al_assets.selection.collapse import Runs, collapse
from al_assets.selection.passed_over import PassedOver, passed_over
from al_assets.selection.pool import Ints, Pool
from al_assets.selection.redundancy import Frames, RedundancyRule, admit
from al_assets.selection.strategies import Strategy


@dataclass(frozen=True)
class Choice:
    """Positions in the pool in the order of preference, score and reason of each; note: what holds for all.

    left_out: how many preferences the rule passed over, by reason. passed: the first of them, one by one.
    """

    positions: npt.NDArray[np.intp]
    scores: npt.NDArray[np.float64]
    reasons: list[str]
    left_out: Mapping[str, int]
    note: str = ""
    passed: tuple[PassedOver, ...] = ()


def choose(
    strategy: Strategy,
    pool: Pool,
    candidates: Frames,
    taken: Frames,
    rule: RedundancyRule,
    budget: int,
    rng: np.random.Generator,
    *,
    in_batch: Ints | None = None,
    sites: Mapping[int, str] | None = None,
    record: bool = False,
) -> Choice:
    """At most `budget` frames of the pool. candidates: the pool's frames, in its order; the rest as in `admit`.
    record: whether to tell one by one what was passed over.

    With rule.collapse the strategy sees one candidate a run, which weighs as many frames as it stands for. Runs all
    weighing the same would be another archive, in which the odd frame is the rule: on 500 rendered clips of 8 frames,
    a third of them without runs (their vectors were rounding, which collapse.NOTHING now sees through), that cost
    max_herding 39 points of area under the curve (mean average precision, ten labels a round, 8 seeds); by their
    weights it gained 2. Strategies that look at no weights stay exposed to that.
    """
    runs = _runs(candidates, rule)
    shown, frames = (
        (pool, candidates) if runs is None else (pool.take(runs.positions), candidates.take(runs.positions))
    )
    if runs is not None:
        shown = replace(shown, weights=runs.sizes.astype(np.float32))
    picks = strategy(shown, budget, rng, spare=len(shown) if budget else 0)
    admitted = admit(picks.positions, frames, taken, rule, budget, in_batch=in_batch, sites=sites)
    pick_of = np.empty(len(shown), dtype=np.intp)
    pick_of[picks.positions] = np.arange(len(picks.positions))
    order = pick_of[admitted.positions]
    reasons = [
        f"{picks.reasons[at]}; {why}" for at, why in zip(order.tolist(), admitted.reasons, strict=True)
    ]
    passed = passed_over(admitted, frames, taken, picks.scores) if record else ()
    if runs is None:
        return Choice(admitted.positions, picks.scores[order], reasons, admitted.left_out, picks.note, passed)
    sizes = runs.sizes[admitted.positions].tolist()
    reasons = [f"{reason}{_stands_for(size)}" for reason, size in zip(reasons, sizes, strict=True)]
    positions = runs.positions[admitted.positions]
    return Choice(positions, picks.scores[order], reasons, admitted.left_out, picks.note, passed)


def _runs(candidates: Frames, rule: RedundancyRule) -> Runs | None:
    if not rule.collapse or rule.cosine is None:
        return None
    runs = collapse(candidates, rule.cosine)
    return runs if len(runs.positions) < len(candidates) else None


def _stands_for(size: int) -> str:
    return f"; stands for {size} near-identical frames of its clip" if size > 1 else ""

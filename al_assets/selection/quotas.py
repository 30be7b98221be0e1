"""Places of the strategy arm that are reserved: for slices, for what drifted, for classes with few labels.

A quota is filled by the batch's own strategy and rule of redundancy, shown only the frames that it is for; what it
cannot fill goes back to all. Not here: which quotas there are (al_assets/quota_pool.py), the other arms of a batch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.keys import FRAME_BITS
from al_assets.selection.choice import Choice, choose
from al_assets.selection.passed_over import PassedOver
from al_assets.selection.pool import Ints, Pool
from al_assets.selection.redundancy import Frames, RedundancyRule
from al_assets.selection.strategies import strategy as strategy_named

Mask = npt.NDArray[np.bool_]
NAMED = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class Quota:
    """Reserved places: a share of the strategy arm, or as many as a class lacks labels.

    name: what for, as reasons and notes tell it. eligible: (n,) which of the pool's frames are for it.
    """

    name: str
    eligible: Mask
    share: float = 0.0
    lacks: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Reservations:
    """Quotas in the order in which they are filled, those of class floors by rising class_id.

    share: of the strategy arm that class floors leave to the other quotas, whether there are any now or not. extra:
    (n,) candidates that are in the pool for quotas only.
    """

    quotas: Sequence[Quota] = ()
    share: float = 0.0
    extra: Mask | None = None

    def asked(self, budget: int) -> list[int]:
        """Places of each quota out of `budget`: a share is rounded half up and is one place at least."""
        lacking = {at: quota.lacks for at, quota in enumerate(self.quotas) if quota.lacks}
        floors = floor_places(lacking, floor_room(budget, self.share))
        return [
            floors.get(at, 0) if quota.lacks else min(budget, max(1, math.floor(quota.share * budget + 0.5)))
            for at, quota in enumerate(self.quotas)
        ]


@dataclass(frozen=True)
class StrategyArm:
    """The strategy's frames in the order in which they were chosen, quotas first; the rest as in `Choice`."""

    frame_ids: Ints
    scores: npt.NDArray[np.float64]
    reasons: list[str]
    notes: tuple[str, ...]
    left_out: Mapping[str, int]
    passed: tuple[PassedOver, ...]


def floor_places(lacking: Mapping[int, int], room: int) -> dict[int, int]:
    """class_id -> places in a batch, of classes that lack labels (class_id -> how many): one place after the other,
    round after round, the class that lacks most first, until none lacks any or the room is used up."""
    places = dict.fromkeys(sorted(lacking, key=lambda class_id: (-lacking[class_id], class_id)), 0)
    left = {class_id: lacking[class_id] for class_id in places if lacking[class_id] > 0}
    while room > 0 and left:
        for class_id in list(left)[:room]:
            places[class_id] += 1
            left[class_id] -= 1
            room -= 1
        left = {class_id: lack for class_id, lack in left.items() if lack > 0}
    return {class_id: count for class_id, count in places.items() if count}


def floor_room(budget: int, reserved: float) -> int:
    """Places of a strategy arm that class floors may take where a share of it is reserved for quotas."""
    return max(0, math.floor(budget * (1 - reserved) + 1e-9))


def strategy_arm(
    pool: Pool,
    candidates: Frames,
    taken: Frames,
    drawn: Ints,
    name: str,
    rule: RedundancyRule,
    budget: int,
    rng: np.random.Generator,
    *,
    sites: Mapping[int, str] | None = None,
    reserved: Reservations | None = None,
) -> StrategyArm:
    """The strategy's choice among the candidates that the random arm left (`drawn`), quotas first, in their order.

    A frame that is chosen for one quota counts for every other that it fits. Each quota gets a note, but for class
    floors only those that fall short, and no more than NAMED of them by name.
    """
    reserved = reserved or Reservations()
    chooser = _Chooser(pool, candidates, taken, name, rule, sites, drawn)
    notes: list[str] = []
    short: list[str] = []
    streams = rng.spawn(len(reserved.quotas))
    for quota, asked, own in zip(reserved.quotas, reserved.asked(budget), streams, strict=True):
        missing = min(asked - chooser.holds(quota.eligible), budget - chooser.count)
        if missing > 0:
            chooser.choose(quota.eligible, missing, own, f"quota {quota.name}: ")
        there = chooser.holds(quota.eligible)
        told = _told(quota, there, asked, chooser.count >= budget)
        if not quota.lacks:
            notes.append(told)
        elif there < asked:
            short.append(told)
    if len(short) > NAMED:
        short[NAMED:] = [f"{len(short) - NAMED} more class floors fall short"]
    general = np.ones(len(pool), dtype=bool) if reserved.extra is None else ~reserved.extra
    last = chooser.choose(general, budget - chooser.count, rng, "")
    return chooser.arm([*filter(None, [last.note]), *notes, *short])


def _told(quota: Quota, there: int, asked: int, full: bool) -> str:
    if there >= asked:
        return f"quota {quota.name}: {there} frames for {asked} places"
    why = "the batch is full" if full else "no further candidates, so the rest is open to all"
    return f"quota {quota.name}: {there} of {asked} places, {why}"


class _Chooser:
    """Chooses again and again from what is left of a pool, each choice keeping its distance from those before."""

    def __init__(
        self,
        pool: Pool,
        candidates: Frames,
        taken: Frames,
        name: str,
        rule: RedundancyRule,
        sites: Mapping[int, str] | None,
        drawn: Ints,
    ) -> None:
        self.pool, self.candidates, self.strategy = pool, candidates, strategy_named(name)
        self.rule, self.sites, self.drawn = rule, sites, drawn
        is_drawn = np.isin(pool.frame_ids, drawn)
        self.left = ~is_drawn
        self.taken = taken.joined(candidates.take(np.flatnonzero(is_drawn)))
        self.positions: list[int] = []
        self.scores: list[float] = []
        self.reasons: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.passed: list[PassedOver] = []

    @property
    def count(self) -> int:
        """Frames chosen so far."""
        return len(self.positions)

    def holds(self, eligible: Mask) -> int:
        """How many of the chosen are eligible."""
        return int(eligible[self.positions].sum()) if self.positions else 0

    def choose(self, eligible: Mask, budget: int, rng: np.random.Generator, told: str) -> Choice:
        """At most `budget` more, of the eligible; told: what their reasons begin with."""
        open_now = np.flatnonzero(self.left & eligible)
        every = len(open_now) == len(self.pool)
        pool, frames = (
            (self.pool, self.candidates)
            if every
            else (self.pool.take(open_now), self.candidates.take(open_now))
        )
        in_batch = np.concatenate([self.drawn, self.pool.frame_ids[self.positions]]) >> FRAME_BITS
        chosen = choose(
            self.strategy,
            pool,
            frames,
            self.taken,
            self.rule,
            budget,
            rng,
            in_batch=in_batch,
            sites=self.sites,
            record=True,
        )
        found = open_now[chosen.positions]
        self.left[found] = False
        self.taken = self.taken.joined(self.candidates.take(found))
        self.positions += found.tolist()
        self.scores += chosen.scores.tolist()
        self.reasons += [told + reason for reason in chosen.reasons]
        self.left_out.update(chosen.left_out)
        self.passed += chosen.passed
        return chosen

    def arm(self, notes: Sequence[str]) -> StrategyArm:
        """All that was chosen."""
        return StrategyArm(
            self.pool.frame_ids[np.array(self.positions, dtype=np.intp)],
            np.array(self.scores, dtype=np.float64),
            self.reasons,
            tuple(notes),
            self.left_out,
            tuple(self.passed),
        )

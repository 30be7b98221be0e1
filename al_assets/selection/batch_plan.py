"""How a batch is made up: its arms, their sizes, their frames, and the chance each frame had.

Four arms. `evaluation` draws uniformly from hold-out frames until enough of them are labelled to measure;
`random` draws uniformly from the training pool and stays free of any rule, so that its propensity holds;
`second_opinion` asks again about frames that are judged; `strategy` takes the rest. Not here: any score, any rule of
redundancy, or the task a person sees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from al_assets.keys import FRAME_BITS
from al_assets.selection.asking_again import Again
from al_assets.selection.passed_over import as_table
from al_assets.selection.pool import Ints, Pool, PoolError
from al_assets.selection.population import Listed, Population, draw
from al_assets.selection.quotas import Reservations, StrategyArm, strategy_arm
from al_assets.selection.redundancy import Frames, RedundancyRule
from al_assets.selection.strategies import needs

SELECTION_SCHEMA = pa.schema(
    [
        ("rank", pa.int32()),
        ("frame_id", pa.int64()),
        ("score", pa.float64()),
        ("arm", pa.string()),
        ("propensity", pa.float64()),
        ("reason", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class BatchPolicy:
    """Size of a batch and the shares of its arms.

    random_fraction and evaluation_fraction: shares of the batch, 0 to 1, together at most 1.
    second_opinion_fraction: the most of the batch that asks again about judged frames, out of the strategy's share;
    frames of split classes may take all of that.
    evaluation_target: hold-out labels beyond which the evaluation arm rests.
    """

    size: int
    random_fraction: float = 0.1
    evaluation_fraction: float = 0.2
    second_opinion_fraction: float = 0.1
    evaluation_target: int = 200

    def __post_init__(self) -> None:
        """Refuse sizes and shares that make no batch."""
        if self.size < 1:
            raise ValueError(f"size {self.size} must be 1 or more")
        shares = (self.random_fraction, self.evaluation_fraction)
        if not all(0 <= share <= 1 for share in shares) or sum(shares) > 1 + 1e-9:
            raise ValueError(
                f"random_fraction and evaluation_fraction {shares} must be in [0, 1], together too"
            )
        if not 0 <= self.second_opinion_fraction <= 1:
            raise ValueError(f"second_opinion_fraction {self.second_opinion_fraction} must be in [0, 1]")
        if self.evaluation_target < 0:
            raise ValueError(f"evaluation_target {self.evaluation_target} must be 0 or more")


@dataclass(frozen=True)
class ArmSizes:
    """Frames asked of each arm."""

    strategy: int
    random: int
    evaluation: int
    second_opinion: int = 0


@dataclass(frozen=True)
class BatchPlan:
    """A batch: SELECTION_SCHEMA rows in the order of rank, and what there is to say about it.

    left_out: how many preferences the redundancy rule passed over, by reason; passed_over: the first of them one by
    one (passed_over.SCHEMA). notes: readable, for the log; a batch smaller than asked for is explained here.
    """

    selections: pa.Table
    sizes: ArmSizes
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    passed_over: pa.Table


@dataclass(frozen=True)
class _Arm:
    name: str
    frame_ids: Ints
    scores: npt.NDArray[np.float64]
    propensity: float | None
    reasons: list[str]


def arm_sizes(policy: BatchPolicy, holdout_labels: int, again: int = 0, urgent: int = 0) -> ArmSizes:
    """Sizes that add up to the batch: shares rounded half up, an evaluation arm of at least one frame while
    hold-out labels are missing (in batches of two or more), and no more of it than are missing. again: frames that
    there are to ask about again; urgent: so many of them may take the strategy's whole share."""
    missing = max(0, policy.evaluation_target - holdout_labels)
    evaluation = 0
    if missing and policy.evaluation_fraction > 0 and policy.size > 1:
        evaluation = min(max(1, math.floor(policy.size * policy.evaluation_fraction + 0.5)), missing)
    random = min(math.floor(policy.size * policy.random_fraction + 0.5), policy.size - evaluation)
    left = policy.size - random - evaluation
    share = math.floor(policy.size * policy.second_opinion_fraction + 0.5)
    second = min(left, max(min(again, share), urgent))
    return ArmSizes(left - second, random, evaluation, second)


def plan_batch(
    pool: Pool,
    video_no: Ints,
    pts_ms: Ints,
    *,
    taken: Frames,
    holdout: Population,
    holdout_labels: int,
    strategy: str,
    policy: BatchPolicy,
    rule: RedundancyRule,
    rng: np.random.Generator,
    random_population: Population | None = None,
    again: Again | None = None,
    sites: Mapping[int, str] | None = None,
    notes: Sequence[str] = (),
    reserved: Reservations | None = None,
) -> BatchPlan:
    """The next batch.

    pool: training frames that are neither labelled, answered "cannot tell" nor queued, with their clips and
    times (n,). taken: training frames that are. holdout: hold-out frames that nobody was asked
    about yet. holdout_labels: hold-out frames labelled so far. The random arm is drawn first; the strategy
    chooses among the rest and keeps its distance from it. What the evaluation arm cannot fill goes to the
    strategy arm. The arms' ranks are interleaved, so that a batch answered in part is answered in proportion.
    random_population: frames that the random arm is drawn from where the pool is a cut of them (else the pool),
    so that its propensity holds for the archive and not for the cut.
    again: judged frames of training videos worth another opinion, the most urgent first. sites: of clips, by
    video_no, for the cap of a site; the random arm counts towards caps and knows none. notes: what there is to say
    of how the pool came about; a strategy that lacks what it needs is replaced by coverage, and a note says so.
    reserved: places of the strategy arm for quotas.
    Raises PoolError, naming a frame, where the pool holds one that is taken or in a hold-out video.
    """
    candidates = Frames(
        frame_ids=pool.frame_ids, video_no=video_no, pts_ms=pts_ms, embeddings=pool.embeddings
    )
    _check(pool, holdout, taken)
    again = again or Again.none()
    sizes = arm_sizes(policy, holdout_labels, len(again.frame_ids), again.urgent)
    asked = again.first(sizes.second_opinion)
    second = _Arm("second_opinion", asked.frame_ids, asked.scores, None, asked.reasons)
    for_evaluation, for_random, for_strategy = rng.spawn(3)
    evaluation = _uniform("evaluation", holdout, sizes.evaluation, for_evaluation)
    population = Listed(pool.frame_ids) if random_population is None else random_population
    random = _uniform("random", population, sizes.random, for_random)
    wanted = policy.size - len(evaluation.frame_ids) - sizes.random - sizes.second_opinion
    strategy, replaced = _possible(pool, strategy)
    chosen = strategy_arm(
        pool,
        candidates,
        taken,
        random.frame_ids,
        strategy,
        rule,
        wanted,
        for_strategy,
        sites=sites,
        reserved=reserved,
    )
    by_strategy = _Arm("strategy", chosen.frame_ids, chosen.scores, None, chosen.reasons)
    return BatchPlan(
        selections=_interleaved([evaluation, random, second, by_strategy]),
        sizes=sizes,
        left_out=chosen.left_out,
        notes=(*notes, *replaced, *chosen.notes, *_notes(sizes, evaluation, random, chosen, wanted)),
        passed_over=as_table(chosen.passed),
    )


def _check(pool: Pool, holdout: Population, taken: Frames) -> None:
    if len(taken) and taken.embeddings.shape[1] != pool.embeddings.shape[1]:
        raise PoolError(
            "embeddings of taken frames and of the pool differ in width; use one embedder for both"
        )
    clips = holdout.clips()
    held = np.isin(pool.frame_ids >> FRAME_BITS, clips)
    if held.any():
        raise PoolError(
            f"frame {pool.frame_ids[held][0]} is in the training pool and its video in the hold-out"
        )
    doubled = {
        "training pool": taken.frame_ids[np.isin(taken.frame_ids, pool.frame_ids)],
        "evaluation candidates": taken.frame_ids[np.isin(taken.frame_ids >> FRAME_BITS, clips)],
    }
    for name, frames in doubled.items():
        if frames.size:
            raise PoolError(f"frame {frames[0]} is labelled or queued and still in the {name}; leave it out")


def _uniform(name: str, population: Population, size: int, rng: np.random.Generator) -> _Arm:
    """size frames, each with the same chance. A population is counted only where something is drawn from it."""
    if not size:
        return _Arm(name, np.empty(0, dtype=np.int64), np.zeros(0), None, [])
    drawn, total = draw(population, size, rng), len(population)
    reason = f"{name} arm: drawn uniformly from {total} frames"
    propensity = len(drawn) / total if total else None
    return _Arm(name, drawn, np.zeros(len(drawn)), propensity, [reason] * len(drawn))


def _possible(pool: Pool, strategy: str) -> tuple[str, list[str]]:
    """The strategy, or coverage where the pool lacks what it needs, and a note that says so.

    A first batch must come about whatever the settings name: without a model, coverage is all there is.
    """
    missing = sorted(part for part in needs(strategy) if getattr(pool, part) is None)
    if not missing:
        return strategy, []
    return "coverage", [f"strategy {strategy} needs {', '.join(missing)}: none there yet, so coverage chose"]


def _interleaved(arms: list[_Arm]) -> pa.Table:
    """One table, ranks from 1, each arm spread evenly over them and in its own order."""
    place = np.concatenate(
        [(np.arange(len(arm.frame_ids)) + 0.5) / max(1, len(arm.frame_ids)) for arm in arms]
    )
    order = np.argsort(place, kind="stable")
    table = pa.table(
        {
            "rank": np.empty(len(order), dtype=np.int32),
            "frame_id": np.concatenate([arm.frame_ids for arm in arms]),
            "score": np.concatenate([arm.scores for arm in arms]),
            "arm": [arm.name for arm in arms for _ in arm.reasons],
            "propensity": [arm.propensity for arm in arms for _ in arm.reasons],
            "reason": [reason for arm in arms for reason in arm.reasons],
        },
        schema=SELECTION_SCHEMA,
    ).take(order)
    return table.set_column(0, SELECTION_SCHEMA.field("rank"), pa.array(range(1, len(order) + 1), pa.int32()))


def _notes(
    sizes: ArmSizes, evaluation: _Arm, random: _Arm, chosen: StrategyArm, wanted: int
) -> tuple[str, ...]:
    notes = []
    for name, found, asked in (
        ("evaluation", len(evaluation.frame_ids), sizes.evaluation),
        ("random", len(random.frame_ids), sizes.random),
        ("strategy", len(chosen.frame_ids), wanted),
    ):
        if found < asked:
            notes.append(f"{name} arm: {found} of {asked} frames, no further candidates")
    notes += [f"{count} candidates left out: {why}" for why, count in sorted(chosen.left_out.items())]
    return tuple(notes)

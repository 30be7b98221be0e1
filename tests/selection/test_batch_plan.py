"""A batch: its arms, their propensities, who may be in it, and what it says when it falls short."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_assets.keys import video_no_of
from al_assets.selection.asking_again import Again
from al_assets.selection.batch_plan import (
    SELECTION_SCHEMA,
    ArmSizes,
    BatchPlan,
    BatchPolicy,
    arm_sizes,
    plan_batch,
)
from al_assets.selection.pool import Pool, PoolError
from al_assets.selection.population import Listed
from al_assets.selection.redundancy import Frames, RedundancyRule
from al_assets.selection.strategies import STRATEGIES

STEP = 1000


def frame(video_no: int, index: int) -> int:
    return video_no * 2**24 + index


def clips(videos: range, frames: int) -> np.ndarray:
    return np.array([frame(video, index) for video in videos for index in range(frames)], dtype=np.int64)


def as_frames(frame_ids: np.ndarray, seed: int = 0) -> Frames:
    vectors = np.random.default_rng(seed).normal(size=(len(frame_ids), 6)).astype(np.float16)
    index = frame_ids & (2**24 - 1)
    return Frames(frame_ids=frame_ids, video_no=frame_ids >> 24, pts_ms=index * STEP, embeddings=vectors)


def plan(
    *,
    train: np.ndarray | None = None,
    taken: np.ndarray | None = None,
    holdout: np.ndarray | None = None,
    seed: int = 0,
    model: bool = True,
    **options: Any,
) -> BatchPlan:
    """A batch from 8 training clips and 2 hold-out clips of 25 frames, unless told otherwise."""
    candidates = as_frames(clips(range(1, 9), 25) if train is None else train)
    known = as_frames(np.empty(0, dtype=np.int64) if taken is None else taken, seed=1)
    pool = Pool(
        frame_ids=candidates.frame_ids,
        embeddings=candidates.embeddings,
        probabilities=np.random.default_rng(2).dirichlet(np.ones(3), len(candidates)) if model else None,
        task="single_label",
        labelled_embeddings=known.embeddings,
        labelled_targets=np.zeros((len(known), 3), dtype=np.int8),
    )
    chosen: dict[str, Any] = {
        "holdout_labels": 0,
        "strategy": "margin",
        "policy": BatchPolicy(size=40),
        "rule": RedundancyRule(minimum_gap_ms=2 * STEP, per_clip=6, cosine=0.999),
        **options,
    }
    return plan_batch(
        pool,
        candidates.video_no,
        candidates.pts_ms,
        taken=known,
        holdout=Listed(clips(range(20, 22), 25) if holdout is None else holdout),
        rng=np.random.default_rng(seed),
        **chosen,
    )


def arm(done: BatchPlan, name: str) -> list[dict[str, Any]]:
    return [row for row in done.selections.to_pylist() if row["arm"] == name]


def test_a_batch_has_its_arms_and_says_why_each_frame_is_in_it() -> None:
    done = plan()
    assert done.selections.schema == SELECTION_SCHEMA
    assert done.selections["rank"].to_pylist() == list(range(1, 41))
    assert [len(arm(done, name)) for name in ("strategy", "random", "evaluation")] == [28, 4, 8]
    assert len(set(done.selections["frame_id"].to_pylist())) == 40
    assert all(
        row["reason"].startswith("margin uncertainty") and "; " in row["reason"]
        for row in arm(done, "strategy")
    )
    assert {row["propensity"] for row in arm(done, "strategy")} == {None}
    assert {row["propensity"] for row in arm(done, "random")} == {4 / 200}
    assert {row["propensity"] for row in arm(done, "evaluation")} == {8 / 50}


def test_hold_out_frames_are_in_the_evaluation_arm_only() -> None:
    done = plan()
    assert {video_no_of(row["frame_id"]) for row in arm(done, "evaluation")} <= {20, 21}
    assert {video_no_of(row["frame_id"]) for row in arm(done, "strategy") + arm(done, "random")} <= set(
        range(1, 9)
    )


def test_a_batch_answered_in_part_is_answered_in_proportion() -> None:
    first = plan(policy=BatchPolicy(size=40)).selections.slice(0, 20)["arm"].to_pylist()
    assert [first.count(name) for name in ("strategy", "random", "evaluation")] == [14, 2, 4]


def test_the_strategy_arm_keeps_its_distance_from_the_random_arm_too() -> None:
    done = plan(
        rule=RedundancyRule(minimum_gap_ms=2 * STEP), policy=BatchPolicy(size=60, random_fraction=0.3)
    )
    random = [row["frame_id"] for row in arm(done, "random")]
    for row in arm(done, "strategy"):
        assert all(abs(row["frame_id"] - other) >= 2 for other in random)


def test_the_random_arm_counts_towards_the_cap_of_a_clip() -> None:
    done = plan(rule=RedundancyRule(per_clip=3), policy=BatchPolicy(size=40, random_fraction=0.3))
    random = [video_no_of(row["frame_id"]) for row in arm(done, "random")]
    chosen = [video_no_of(row["frame_id"]) for row in arm(done, "strategy")]
    assert all(chosen.count(clip) + random.count(clip) == max(3, random.count(clip)) for clip in range(1, 9))


def test_the_random_arm_knows_no_rule() -> None:
    rule = RedundancyRule(minimum_gap_ms=10**9, per_clip=1, cosine=0.01)
    done = plan(policy=BatchPolicy(size=40, random_fraction=0.5), rule=rule)
    assert len(arm(done, "random")) == 20


def test_a_batch_smaller_than_asked_for_says_why() -> None:
    done = plan(rule=RedundancyRule(minimum_gap_ms=10**9))
    assert len(done.selections) < 40
    assert "strategy arm: " in done.notes[0]
    assert any("less than 1000000000 ms" in note for note in done.notes)
    assert sum(done.left_out.values()) > 0


def test_what_the_evaluation_arm_cannot_fill_goes_to_the_strategy() -> None:
    done = plan(holdout=clips(range(20, 21), 3))
    assert [len(arm(done, name)) for name in ("strategy", "random", "evaluation")] == [33, 4, 3]
    assert done.notes[0] == "evaluation arm: 3 of 8 frames, no further candidates"


def test_an_empty_archive_gives_an_empty_batch_that_says_so() -> None:
    none = np.empty(0, dtype=np.int64)
    done = plan(train=none, holdout=none)
    assert done.selections.schema == SELECTION_SCHEMA
    assert (len(done.selections), len(done.notes)) == (0, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"holdout": clips(range(3, 4), 1)}, "its video in the hold-out"),
        ({"taken": clips(range(2, 3), 1)}, "still in the training pool"),
        ({"taken": clips(range(20, 21), 1)}, "still in the evaluation candidates"),
    ],
)
def test_a_pool_that_holds_what_it_must_not_is_refused_by_name(wrong: Any, message: str) -> None:
    with pytest.raises(PoolError, match=message):
        plan(**wrong)


def test_vectors_of_two_embedders_are_refused() -> None:
    known = as_frames(clips(range(9, 10), 1))
    wide = Frames(
        frame_ids=known.frame_ids, video_no=known.video_no, pts_ms=known.pts_ms, embeddings=np.ones((1, 7))
    )
    candidates = as_frames(clips(range(1, 3), 5))
    pool = Pool(
        frame_ids=candidates.frame_ids,
        embeddings=candidates.embeddings,
        probabilities=None,
        task="multi_label",
        labelled_embeddings=np.empty((0, 0)),
        labelled_targets=np.empty((0, 0), dtype=np.int8),
    )
    with pytest.raises(PoolError, match="use one embedder for both"):
        plan_batch(
            pool,
            candidates.video_no,
            candidates.pts_ms,
            taken=wide,
            holdout=Listed(np.empty(0, dtype=np.int64)),
            holdout_labels=0,
            strategy="auto",
            policy=BatchPolicy(size=2),
            rule=RedundancyRule(),
            rng=np.random.default_rng(0),
        )


def test_the_same_seed_gives_the_same_batch_and_another_seed_another() -> None:
    assert plan(seed=5).selections.equals(plan(seed=5).selections)
    assert not plan(seed=5).selections.equals(plan(seed=6).selections)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(sorted(STRATEGIES)),
    st.integers(0, 6),
    st.integers(1, 30),
    st.integers(1, 60),
    st.integers(0, 9),
)
def test_any_batch_is_of_distinct_allowed_frames_and_full_while_there_are_any(
    strategy: str, videos: int, frames: int, size: int, seed: int
) -> None:
    every = clips(range(1, 1 + videos), frames)
    taken = np.random.default_rng(seed).random(len(every)) < 0.3
    holdout = clips(range(20, 22), frames)
    done = plan(
        train=every[~taken],
        taken=every[taken],
        holdout=holdout,
        strategy=strategy,
        policy=BatchPolicy(size=size),
        rule=RedundancyRule(),
        seed=seed,
    )
    picked = done.selections["frame_id"].to_pylist()
    assert len(picked) == len(set(picked))
    assert not set(picked) & set(every[taken].tolist())
    assert {row["frame_id"] for row in arm(done, "evaluation")} <= set(holdout.tolist())
    evaluation = min(done.sizes.evaluation, len(holdout))
    assert len(picked) == evaluation + min(size - evaluation, int((~taken).sum()))


@pytest.mark.parametrize(
    ("policy", "labels", "sizes"),
    [
        (BatchPolicy(size=50), 0, ArmSizes(35, 5, 10)),
        (BatchPolicy(size=50), 195, ArmSizes(40, 5, 5)),
        (BatchPolicy(size=50), 200, ArmSizes(45, 5, 0)),
        (BatchPolicy(size=2), 0, ArmSizes(1, 0, 1)),
        (BatchPolicy(size=1), 0, ArmSizes(1, 0, 0)),
        (BatchPolicy(size=3, random_fraction=0.5, evaluation_fraction=0.5), 0, ArmSizes(0, 1, 2)),
        (BatchPolicy(size=10, random_fraction=0, evaluation_fraction=0), 0, ArmSizes(10, 0, 0)),
    ],
)
def test_arms_have_their_shares_until_enough_hold_out_is_labelled(
    policy: BatchPolicy, labels: int, sizes: ArmSizes
) -> None:
    assert arm_sizes(policy, labels) == sizes


@given(st.integers(1, 500), st.floats(0, 0.5), st.floats(0, 0.5), st.integers(0, 300))
def test_arms_always_add_up_to_the_batch(size: int, random: float, evaluation: float, labels: int) -> None:
    policy = BatchPolicy(size=size, random_fraction=random, evaluation_fraction=evaluation)
    sizes = arm_sizes(policy, labels)
    assert sizes.strategy + sizes.random + sizes.evaluation == size
    assert min(sizes.strategy, sizes.random, sizes.evaluation) >= 0


@pytest.mark.parametrize(
    "wrong",
    [{"size": 0}, {"random_fraction": 1.2}, {"evaluation_fraction": -0.1}, {"evaluation_target": -1}],
)
def test_a_policy_that_makes_no_batch_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BatchPolicy(**{"size": 10, **wrong})


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_makes_a_first_batch_without_a_model(name: str) -> None:
    assert plan(strategy=name, model=False).selections.num_rows == 40


def test_the_random_arm_is_drawn_from_the_population_and_not_from_the_cut() -> None:
    population = clips(range(1, 9), 25)
    done = plan(
        train=population[:60],
        random_population=Listed(population),
        policy=BatchPolicy(size=40, random_fraction=0.5),
    )
    random = [row for row in done.selections.to_pylist() if row["arm"] == "random"]
    assert len(random) == 20
    assert {row["propensity"] for row in random} == {20 / len(population)}
    assert any(row["frame_id"] not in population[:60] for row in random)


def test_judged_frames_are_asked_again_out_of_the_strategys_share() -> None:
    again = Again(
        frames := clips(range(9, 11), 10), np.linspace(0, 1, 20), [f"reason {n}" for n in range(20)]
    )
    done = plan(again=again, policy=BatchPolicy(size=40, second_opinion_fraction=0.1), holdout_labels=10**6)
    asked = arm(done, "second_opinion")
    assert [row["frame_id"] for row in asked] == frames[:4].tolist()
    assert [row["reason"] for row in asked] == [f"reason {n}" for n in range(4)]
    assert all(row["propensity"] is None for row in asked)
    assert len(arm(done, "random")) == 4
    assert done.selections.num_rows == 40
    assert (
        arm(plan(again=again, policy=BatchPolicy(size=40, second_opinion_fraction=0)), "second_opinion") == []
    )


def test_asking_again_never_takes_more_than_the_strategy_has() -> None:
    policy = BatchPolicy(size=10, random_fraction=0.5, evaluation_fraction=0.5, second_opinion_fraction=1)
    assert arm_sizes(policy, 0, again=7) == ArmSizes(0, 5, 5, 0)
    policy = BatchPolicy(size=10, random_fraction=0.2, evaluation_fraction=0.3, second_opinion_fraction=1)
    assert arm_sizes(policy, 0, again=3) == ArmSizes(2, 2, 3, 3)
    policy = BatchPolicy(size=10, random_fraction=0.2, evaluation_fraction=0.3, second_opinion_fraction=0.1)
    assert arm_sizes(policy, 0, again=9) == ArmSizes(4, 2, 3, 1)
    assert arm_sizes(policy, 0, again=9, urgent=4) == ArmSizes(1, 2, 3, 4)
    assert arm_sizes(policy, 0, again=9, urgent=9) == ArmSizes(0, 2, 3, 5)
    with pytest.raises(ValueError, match="second_opinion_fraction"):
        BatchPolicy(size=10, second_opinion_fraction=1.5)


def test_a_strategy_without_what_it_needs_leaves_the_choice_to_coverage_and_says_so() -> None:
    done = plan(strategy="similarity", notes=["[mining] 200 of 300 open frames: site north"])
    assert done.notes[:2] == (
        "[mining] 200 of 300 open frames: site north",
        "strategy similarity needs examples: none there yet, so coverage chose",
    )
    assert [row["frame_id"] for row in arm(done, "strategy")] == [
        row["frame_id"] for row in arm(plan(strategy="coverage"), "strategy")
    ]

"""Random draws against the strategy: as many labels of each, from the same batches, on frames nobody chose."""

from __future__ import annotations

import numpy as np
import pytest

from al_assets.selection.arms import Answers, compare, match_arms, redrawn


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_each_batch_gives_as_many_frames_of_each_arm() -> None:
    frames = np.arange(20)
    batches = np.repeat([1, 2], 10)
    is_random = np.isin(frames, [0, 1, 2, 10, 11, 12, 13, 14, 15, 16])
    matched = match_arms(frames, batches, is_random, 4, rng())
    assert sorted(matched.random[:3].tolist()) == [0, 1, 2]
    assert matched.random.size == 3 + 3
    assert matched.strategy.shape == (4, 6)
    assert all(
        set(draw[:3]) <= set(range(3, 10)) and set(draw[3:]) == {17, 18, 19} for draw in matched.strategy
    )
    assert all(len(set(draw)) == 6 for draw in matched.strategy)


def test_a_batch_with_one_arm_only_is_left_out() -> None:
    matched = match_arms(np.arange(4), np.array([1, 1, 2, 2]), np.array([True, True, True, False]), 2, rng())
    assert (matched.batches, matched.random.tolist(), matched.strategy.tolist()) == (1, [2], [[3], [3]])


def test_no_answer_at_all_is_an_empty_match() -> None:
    nothing = np.empty(0, np.int64)
    assert match_arms(nothing, nothing, nothing.astype(bool), 3, rng()).strategy.shape == (3, 0)


def answers(right: np.ndarray, *, luck: float = 0.0, again: int = 20, seed: int = 1) -> Answers:
    """Models that get these right; those of labels drawn again are off by `luck` on all frames alike."""
    shift = np.random.default_rng(seed).normal(0, luck, again) if luck else np.zeros(again)
    return Answers(right, right + shift[:, None])


def test_the_difference_weighs_frames_by_the_inverse_of_their_chance() -> None:
    # Ten clips; frames that were drawn with a tenth of the chance stand for ten times as many.
    clips = np.repeat(np.arange(10), 2)
    propensity = np.tile([0.5, 0.05], 10)
    found = compare(
        answers(np.tile([1.0, 0.0], 10)), answers(np.tile([0.0, 1.0], 10)), propensity, clips, rng()
    )
    assert found.random == pytest.approx(1 / 11)
    assert found.strategy == pytest.approx(10 / 11)
    assert found.verdict == "better"


def test_a_difference_that_clips_disagree_on_is_level() -> None:
    right = np.tile([1.0, 0.0], 10)
    found = compare(answers(right), answers(right[::-1].copy()), np.full(20, 0.5), np.arange(20), rng())
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert found.verdict == "level"


def test_a_difference_within_the_luck_of_the_draw_is_level() -> None:
    clips, chance = np.arange(400), np.full(400, 0.5)
    one, two = np.tile([1.0, 0.0, 0.0, 1.0], 100), np.tile([1.0, 0.0, 1.0, 1.0], 100)
    assert compare(answers(one), answers(two), chance, clips, rng()).verdict == "better"
    lucky = compare(answers(one, luck=0.2), answers(two, luck=0.2, seed=2), chance, clips, rng())
    assert lucky.verdict == "level"


def test_few_clips_are_too_early() -> None:
    clips = np.repeat(np.arange(5), 2)
    assert (
        compare(answers(np.ones(10)), answers(np.zeros(10)), np.ones(10), clips, rng()).verdict == "too_early"
    )


def test_arms_that_are_alike_are_told_apart_as_seldom_as_the_interval_says() -> None:
    """Both arms' models are off by the luck of their labels; only chance makes one the better."""
    draw = np.random.default_rng(5)
    wrong = 0
    for _ in range(300):
        clips = np.repeat(np.arange(40), 3)
        arms = []
        for _arm in range(2):
            luck = draw.normal(0, 0.07)
            skill = np.repeat(np.clip(0.6 + luck + draw.normal(0, 0.1, 40), 0, 1), 3)
            once = (draw.random(120) < skill).astype(float)
            arms.append(Answers(once, once + draw.normal(0, 0.07, 20)[:, None]))
        wrong += compare(*arms, np.full(120, 0.3), clips, draw).verdict != "level"
    assert wrong <= 30  # 15 expected; five standard deviations are 19


def test_clips_are_weighed_anew_whole_and_none_is_lost() -> None:
    clips = np.repeat(np.arange(50), 4)
    weights = redrawn(clips, rng())
    assert (weights > 0).all()
    assert all(len(set(weights[clips == clip])) == 1 for clip in range(50))
    assert len(set(weights)) == 50


def test_a_chance_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="over 0 and at most 1"):
        compare(answers(np.ones(6)), answers(np.ones(6)), np.zeros(6), np.arange(6), rng())

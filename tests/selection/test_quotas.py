"""Reserved places: how many, who fills them, what happens to those that nobody can fill."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from al_assets.selection.pool import Pool
from al_assets.selection.quotas import (
    NAMED,
    Quota,
    Reservations,
    StrategyArm,
    floor_places,
    floor_room,
    strategy_arm,
)
from al_assets.selection.redundancy import NO_RULE, Frames, RedundancyRule

VIDEOS, PER_VIDEO, STEP = 8, 25, 1000
KEYS = np.array([v * 2**24 + at for v in range(1, VIDEOS + 1) for at in range(PER_VIDEO)], dtype=np.int64)
CLIPS = KEYS >> 24


def frames(keys: np.ndarray = KEYS) -> Frames:
    vectors = np.random.default_rng(0).normal(size=(len(keys), 6)).astype(np.float16)
    return Frames(frame_ids=keys, video_no=keys >> 24, pts_ms=(keys & (2**24 - 1)) * STEP, embeddings=vectors)


def arm(
    *quotas: Quota,
    budget: int = 20,
    rule: RedundancyRule = NO_RULE,
    drawn: tuple[int, ...] = (),
    **options: Any,
) -> StrategyArm:
    candidates = frames()
    pool = Pool(
        frame_ids=KEYS,
        embeddings=candidates.embeddings,
        probabilities=np.random.default_rng(2).dirichlet(np.ones(3), len(KEYS)),
        task="single_label",
        labelled_embeddings=np.empty((0, 6), np.float16),
        labelled_targets=np.empty((0, 3), np.int8),
    )
    none = frames(np.empty(0, np.int64))
    return strategy_arm(
        pool,
        candidates,
        none,
        np.array(drawn, dtype=np.int64),
        "margin",
        rule,
        budget,
        np.random.default_rng(0),
        reserved=Reservations(quotas=quotas, **options),
    )


def of(*videos: int) -> np.ndarray:
    return np.isin(CLIPS, videos)


def held(done: StrategyArm, *videos: int) -> int:
    return int(np.isin(done.frame_ids >> 24, videos).sum())


def test_without_quotas_the_strategy_chooses_as_ever() -> None:
    assert arm().frame_ids.tolist() == arm(Quota(name="none", eligible=of(99), share=0.1)).frame_ids.tolist()


def test_a_quota_is_filled_by_the_strategy_from_its_own_frames_and_says_so() -> None:
    done = arm(Quota(name="site:north", eligible=of(3), share=0.5))
    first = done.reasons[:10]
    assert held(done, 3) >= 10
    assert len(done.frame_ids) == len(set(done.frame_ids.tolist())) == 20
    assert all(reason.startswith("quota site:north: margin uncertainty") for reason in first)
    assert not any(reason.startswith("quota") for reason in done.reasons[10:])
    assert done.scores[:10].tolist() == sorted(done.scores[:10], reverse=True)


def test_a_share_is_rounded_and_never_nothing() -> None:
    quotas = [Quota(name="a", eligible=of(1), share=share) for share in (0.01, 0.125, 0.3)]
    assert Reservations(quotas=quotas).asked(20) == [1, 3, 6]


def test_what_a_quota_cannot_fill_is_open_to_all_and_noted() -> None:
    few = of(2) & (np.arange(len(KEYS)) % PER_VIDEO < 3)
    done = arm(Quota(name="light:dark", eligible=few, share=0.5))
    assert len(done.frame_ids) == 20
    assert done.notes == (
        "quota light:dark: 3 of 10 places, no further candidates, so the rest is open to all",
    )


def test_a_quota_keeps_to_the_rule_of_redundancy() -> None:
    rule = RedundancyRule(minimum_gap_ms=5 * STEP, per_clip=4)
    done = arm(Quota(name="site:north", eligible=of(3), share=0.5), rule=rule)
    times = np.sort(done.frame_ids[done.frame_ids >> 24 == 3] & (2**24 - 1))
    assert len(times) == 4
    assert (np.diff(times) >= 5).all()
    assert done.notes[0].startswith("quota site:north: 4 of 10 places")
    assert done.left_out["its clip has 4 frames in the batch"] > 0


def test_random_draws_count_towards_the_cap_of_a_clip_within_a_quota() -> None:
    drawn = tuple(KEYS[of(3)][:3].tolist())
    done = arm(Quota(name="q", eligible=of(3), share=0.5), rule=RedundancyRule(per_clip=4), drawn=drawn)
    assert held(done, 3) == 1
    assert not set(done.frame_ids.tolist()) & set(drawn)


def test_a_frame_counts_for_every_quota_that_it_fits() -> None:
    done = arm(
        Quota(name="videos adrift", eligible=of(3), share=0.3),
        Quota(name="site:north", eligible=of(3, 4), share=0.3),
    )
    assert not any(reason.startswith("quota site:north") for reason in done.reasons)
    assert done.notes[1] == "quota site:north: 6 frames for 6 places"


def test_extra_candidates_are_for_quotas_only() -> None:
    extra = of(7, 8)
    assert held(arm(extra=extra), 7, 8) == 0
    done = arm(Quota(name="q", eligible=of(7), share=0.2), extra=extra)
    assert (held(done, 7), held(done, 8)) == (4, 0)


def test_floors_share_the_room_the_class_that_lacks_most_first() -> None:
    assert floor_places({1: 1, 2: 5, 3: 9}, 8) == {3: 4, 2: 3, 1: 1}
    assert floor_places({1: 2, 2: 2}, 1) == {1: 1}
    assert floor_places({1: 2, 2: 0}, 9) == {1: 2}
    assert floor_places({1: 2}, 0) == {}


def test_floors_leave_the_other_quotas_their_share() -> None:
    assert floor_room(20, 0.4) == 12
    assert floor_room(20, 1.0) == 0
    floors = [Quota(name=f"class floor {at}", eligible=of(at), lacks=50) for at in (1, 2)]
    done = arm(*floors, Quota(name="q", eligible=of(5), share=0.4), share=0.4)
    assert (held(done, 1), held(done, 2), held(done, 5)) == (6, 6, 8)


def test_floors_that_fall_short_are_named_up_to_a_number() -> None:
    floors = [Quota(name=f"class floor {at}", eligible=of(99), lacks=1) for at in range(NAMED + 5)]
    notes = arm(*floors).notes
    assert len(notes) == NAMED + 1
    assert notes[-1] == "5 more class floors fall short"


@pytest.mark.parametrize("budget", [0, 1])
def test_a_batch_of_next_to_nothing_holds_what_it_can(budget: int) -> None:
    quotas = [Quota(name=f"q{video}", eligible=of(video), share=0.3) for video in (1, 2)]
    done = arm(*quotas, budget=budget)
    assert len(done.frame_ids) == held(done, 1) == budget

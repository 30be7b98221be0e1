"""The redundancy rule: time, clip and likeness, against this batch and what is taken already."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_assets.selection import redundancy
from al_assets.selection.pool import PoolError
from al_assets.selection.redundancy import Admitted, Frames, RedundancyRule, admit


def frames(*rows: tuple[int, int, list[float]]) -> Frames:
    """Frames from (clip, milliseconds, vector)."""
    return Frames(
        frame_ids=np.array([clip * 2**24 + ms for clip, ms, _ in rows], dtype=np.int64),
        video_no=np.array([clip for clip, _, _ in rows], dtype=np.int64),
        pts_ms=np.array([ms for _, ms, _ in rows], dtype=np.int64),
        embeddings=np.array([vector for *_, vector in rows], dtype=np.float32).reshape(
            len(rows), -1 if rows else 2
        ),
    )


NONE = frames()
EAST, NORTH, NORTHEAST, BLANK = [1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [0.0, 0.0]


def chosen(candidates: Frames, taken: Frames = NONE, budget: int = 99, **rule: Any) -> Admitted:
    return admit(np.arange(len(candidates)), candidates, taken, RedundancyRule(**rule), budget)


def test_neighbours_in_time_are_left_out_within_a_clip_only() -> None:
    done = chosen(frames((1, 0, EAST), (1, 900, EAST), (2, 900, EAST), (1, 1000, EAST)), minimum_gap_ms=1000)
    assert done.positions.tolist() == [0, 2, 3]
    assert done.left_out == {"less than 1000 ms from a taken frame of its clip": 1}


def test_the_gap_looks_both_ways_and_at_what_is_taken() -> None:
    done = chosen(frames((1, 500, EAST), (1, 5000, EAST)), frames((1, 1000, EAST)), minimum_gap_ms=1000)
    assert done.positions.tolist() == [1]


def test_a_clip_gives_no_more_than_its_cap_to_a_batch() -> None:
    candidates = frames((1, 0, EAST), (1, 10, EAST), (1, 20, EAST), (2, 0, EAST))
    assert chosen(candidates, frames((1, 5, EAST)), per_clip=2).positions.tolist() == [0, 1, 3]
    rule = RedundancyRule(per_clip=2)
    in_batch = np.array([1, 1])
    assert admit(np.arange(4), candidates, NONE, rule, 9, in_batch=in_batch).positions.tolist() == [3]


def test_a_site_gives_no_more_than_its_cap_to_a_batch_whatever_its_clips() -> None:
    candidates = frames((1, 0, EAST), (2, 0, EAST), (3, 0, EAST), (4, 0, EAST), (5, 0, EAST))
    sites = {1: "gate", 2: "gate", 3: "pond", 4: "gate"}
    rule = RedundancyRule(per_site=2)
    done = admit(np.arange(5), candidates, NONE, rule, 9, sites=sites)
    assert done.positions.tolist() == [0, 1, 2, 4]
    assert done.left_out == {"its site has 2 frames in the batch": 1}
    again = admit(np.arange(5), candidates, NONE, rule, 9, in_batch=np.array([4, 4, 3]), sites=sites)
    assert again.positions.tolist() == [2, 4]


def test_clips_of_unknown_site_have_no_cap_and_earlier_batches_close_no_site() -> None:
    candidates = frames((1, 0, EAST), (1, 9, EAST), (2, 0, EAST))
    rule = RedundancyRule(per_site=1)
    assert admit(np.arange(3), candidates, NONE, rule, 9).positions.tolist() == [0, 1, 2]
    taken = frames((2, 5, EAST))
    assert admit(np.arange(3), candidates, taken, rule, 9, sites={2: "gate"}).positions.tolist() == [0, 1, 2]


def test_look_alikes_are_left_out_across_clips() -> None:
    done = chosen(frames((1, 0, EAST), (2, 0, EAST), (3, 0, NORTHEAST), (4, 0, NORTH)), cosine=0.9)
    assert done.positions.tolist() == [0, 2, 3]
    assert done.left_out == {"cosine of 0.9 or more to a taken frame": 1}
    assert chosen(frames((1, 0, NORTHEAST)), frames((9, 0, EAST)), cosine=0.7).positions.tolist() == []


def test_black_frames_are_alike_and_unlike_all_others() -> None:
    done = chosen(frames((1, 0, BLANK), (2, 0, BLANK), (3, 0, EAST)), cosine=1.0)
    assert done.positions.tolist() == [0, 2]


def test_preferences_keep_their_order_and_the_budget_its_size() -> None:
    done = admit(
        np.array([2, 0, 1]), frames((1, 0, EAST), (2, 0, EAST), (3, 0, EAST)), NONE, RedundancyRule(), 2
    )
    assert done.positions.tolist() == [2, 0]


def test_each_frame_says_why_it_passed() -> None:
    candidates = frames((1, 0, EAST), (1, 2500, NORTHEAST))
    done = chosen(candidates, minimum_gap_ms=1000, cosine=0.9)
    assert done.reasons == [
        "first of its clip",
        "2.5 s from the nearest taken of its clip, cosine 0.71 to the most similar",
    ]


def test_the_rule_is_not_relaxed_when_candidates_run_out() -> None:
    assert len(chosen(frames(*[(1, 0, EAST)] * 5), cosine=0.9).positions) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum_gap_ms": -1},
        {"per_clip": 0},
        {"per_site": 0},
        {"cosine": 0},
        {"cosine": 1.1},
        {"collapse": True},
    ],
)
def test_a_rule_that_leaves_out_everything_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RedundancyRule(**wrong)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(PoolError, match="differ in length"):
        Frames(frame_ids=np.arange(2), video_no=np.arange(1), pts_ms=np.arange(2), embeddings=np.ones((2, 1)))


ROW = st.tuples(
    st.integers(1, 3),
    st.integers(0, 50),
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3),
)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(ROW, min_size=1, max_size=30),
    st.lists(ROW, min_size=1, max_size=6),
    st.integers(0, 20),
    st.none() | st.integers(1, 4),
    st.none() | st.floats(0.3, 1),
    st.integers(0, 30),
)
def test_what_passes_keeps_every_distance_and_nothing_that_could_pass_is_missing(
    rows: list[Any], known: list[Any], gap: int, cap: int | None, cosine: float | None, budget: int
) -> None:
    candidates, taken = frames(*rows), frames(*known)
    done = chosen(candidates, taken, budget, minimum_gap_ms=gap, per_clip=cap, cosine=cosine)
    kept = done.positions.tolist()
    assert len(kept) == len(set(kept)) <= budget
    both = [*(rows[at] for at in kept), *known]
    for first, second in combinations(range(len(both)), 2):
        if first < len(kept):  # what was taken before may break today's rule
            assert not too_close(both[first], both[second], gap, cosine)
    if cap is not None:
        assert all(sum(rows[at][0] == clip for at in kept) <= cap for clip in (1, 2, 3))
    if len(kept) < budget:
        assert len(kept) + sum(done.left_out.values()) == len(rows)


def too_close(first: Any, second: Any, gap: int, cosine: float | None) -> bool:
    if first[0] == second[0] and abs(first[1] - second[1]) < gap:
        return True
    if cosine is None:
        return False
    a, b = np.array(first[2]), np.array(second[2])
    if not a.any() or not b.any():
        return not a.any() and not b.any()
    return bool(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b) >= cosine)


def test_blocks_of_any_size_admit_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (int(rng.integers(1, 9)), int(rng.integers(0, 9999)), rng.normal(size=3).tolist()) for _ in range(200)
    ]
    rule = {"minimum_gap_ms": 200, "per_clip": 8, "cosine": 0.97}
    whole = chosen(frames(*rows), **rule)
    monkeypatch.setattr(redundancy, "BLOCK", 3)
    piecemeal = chosen(frames(*rows), **rule)
    assert (whole.positions.tolist(), whole.left_out) == (piecemeal.positions.tolist(), piecemeal.left_out)

"""Near-identical neighbours of a clip as one candidate: which frames make a run, and who stands for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_assets.selection import collapse as module
from al_assets.selection.choice import choose
from al_assets.selection.collapse import Runs, collapse
from al_assets.selection.pool import Picks, Pool
from al_assets.selection.redundancy import Frames, RedundancyRule


def frames(*rows: tuple[int, int, float | None]) -> Frames:
    """Frames from (clip, milliseconds, degrees of a unit vector; None for a black frame)."""
    angles = np.array([0.0 if degrees is None else degrees for *_, degrees in rows]) * np.pi / 180
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vectors[[degrees is None for *_, degrees in rows]] = 0
    clip, time = (np.array([row[column] for row in rows], dtype=np.int64) for column in (0, 1))
    return Frames(
        frame_ids=clip * 2**24 + np.arange(len(rows)),
        video_no=clip,
        pts_ms=time,
        embeddings=vectors.astype(np.float32),
    )


def told(runs: Runs) -> list[tuple[int, int]]:
    return list(zip(runs.positions.tolist(), runs.sizes.tolist(), strict=True))


def test_the_middle_frame_of_a_run_stands_for_it() -> None:
    found = collapse(frames(*[(1, ms, 0.0) for ms in range(5)], (1, 9, 90.0), (1, 10, 90.0)), 0.98)
    assert told(found) == [(2, 5), (5, 2)]


def test_a_run_does_not_drift_along_a_chain_of_neighbours() -> None:
    # Neighbours are 8 degrees apart (cosine 0.990); 16 degrees are 0.961.
    found = collapse(frames(*[(1, ms, 8.0 * ms) for ms in range(6)]), 0.98)
    assert found.sizes.tolist() == [2, 2, 2]


def test_alike_frames_of_two_clips_or_with_another_between_stay_apart() -> None:
    assert collapse(frames((1, 0, 0.0), (2, 0, 0.0)), 0.98).sizes.tolist() == [1, 1]
    assert collapse(frames((1, 0, 0.0), (1, 1, 90.0), (1, 2, 0.0)), 0.98).sizes.tolist() == [1, 1, 1]


def test_time_makes_neighbours_and_not_the_order_of_rows() -> None:
    assert told(collapse(frames((1, 20, 0.0), (2, 0, 0.0), (1, 10, 0.0), (1, 0, 0.0)), 0.98)) == [
        (1, 1),
        (2, 3),
    ]


def test_black_frames_are_one_run_and_unlike_all_others() -> None:
    assert collapse(frames((1, 0, None), (1, 1, None), (1, 2, 0.0)), 0.5).sizes.tolist() == [2, 1]


def test_vectors_of_next_to_no_length_are_alike_whatever_their_direction() -> None:
    apart = frames(*[(1, ms, degrees) for ms, degrees in enumerate([0.0, 90.0, 45.0, 0.0, 90.0, 0.0, 90.0])])
    lengths = np.array([[5.0], [0.02], [0.03], [5.0], [0.2], [5.0], [5.0]], dtype=np.float32)
    shrunk = replace(apart, embeddings=apart.embeddings * lengths)
    assert told(collapse(shrunk, 0.98)) == [(0, 1), (1, 2), (3, 1), (4, 1), (5, 1), (6, 1)]


def test_a_run_longer_than_any_look_is_found_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_LOOK", 16)
    rows = [(1, ms, 0.0) for ms in range(1000)] + [(1, 1000, 90.0)]
    assert told(collapse(frames(*rows), 0.98)) == [(499, 1000), (1000, 1)]


def test_no_frames_make_no_run() -> None:
    assert told(collapse(frames().take(np.empty(0, np.intp)), 0.98)) == []


ROW = st.tuples(st.integers(1, 3), st.integers(0, 99), st.sampled_from([None, 0.0, 7.0, 14.0, 21.0, 90.0]))


@settings(deadline=None, max_examples=60)
@given(st.lists(ROW, max_size=40), st.integers(1, 9))
def test_runs_are_those_of_the_plain_definition(rows: list[tuple[int, int, float | None]], look: int) -> None:
    given_frames = frames(*rows)
    before, module.FIRST_LOOK = module.FIRST_LOOK, look
    try:
        found = collapse(given_frames, 0.98)
    finally:
        module.FIRST_LOOK = before
    assert told(found) == sorted(
        (run[(len(run) - 1) // 2], len(run)) for run in plain_runs(given_frames, 0.98)
    )


def plain_runs(given_frames: Frames, cosine: float) -> list[list[int]]:
    vectors = given_frames.embeddings.astype(float)
    order = sorted(
        range(len(vectors)),
        key=lambda at: (given_frames.video_no[at], given_frames.pts_ms[at], given_frames.frame_ids[at]),
    )
    runs: list[list[int]] = []
    for at in order:
        first = runs[-1][0] if runs else at
        blank = not vectors[at].any(), not vectors[first].any()
        alike = blank[0] and blank[1] if any(blank) else vectors[at] @ vectors[first] >= cosine - 1e-5
        if runs and given_frames.video_no[at] == given_frames.video_no[first] and alike:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def test_a_strategy_sees_one_candidate_a_run_and_its_pick_says_what_it_stands_for() -> None:
    candidates = frames(*[(1, ms, 0.0) for ms in range(3)], (1, 9, 90.0))
    pool = Pool(
        frame_ids=candidates.frame_ids,
        embeddings=candidates.embeddings,
        probabilities=None,
        task="multi_label",
        labelled_embeddings=np.empty((0, 2), np.float32),
        labelled_targets=np.empty((0, 1), np.int8),
    )
    seen: list[Pool] = []

    def all_of_them(shown: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
        seen.append(shown)
        return Picks(np.arange(len(shown)), np.zeros(len(shown)), ["taken"] * len(shown))

    rule = RedundancyRule(cosine=0.98, collapse=True)
    none = candidates.take(np.empty(0, np.intp))
    chosen = choose(all_of_them, pool, candidates, none, rule, 4, np.random.default_rng(0))
    assert seen[0].frame_ids.tolist() == candidates.frame_ids[[1, 3]].tolist()
    assert chosen.positions.tolist() == [1, 3]
    assert chosen.reasons[0] == "taken; first of its clip; stands for 3 near-identical frames of its clip"
    assert "stands for" not in chosen.reasons[1]
    assert chosen.left_out == {}

"""A batch looked at anew: which pairs are too close, and which the rule never spoke of."""

from __future__ import annotations

import numpy as np
import pytest

from al_assets.selection import near_duplicates
from al_assets.selection.near_duplicates import pairs_alike, pairs_in_time
from al_assets.selection.redundancy import Frames, RedundancyRule, admit


def frames(clips: list[int], times: list[int], vectors: np.ndarray) -> Frames:
    return Frames(
        frame_ids=np.array(clips, np.int64) * 2**24 + np.array(times, np.int64),
        video_no=np.array(clips, np.int64),
        pts_ms=np.array(times, np.int64),
        embeddings=vectors,
    )


RULE = RedundancyRule(minimum_gap_ms=1000, cosine=0.9)
UNLIKE = np.eye(4, dtype=np.float32)


def test_frames_of_the_strategy_must_be_apart_in_time_in_a_clip() -> None:
    batch = frames([1, 1, 2, 1], [0, 999, 500, 2000], UNLIKE)
    found = pairs_in_time(batch, np.ones(4, bool), RULE)
    assert found.count == 1
    assert found.shown == ((2**24, 2**24 + 999, "999 ms apart"),)


def test_random_frames_may_be_close_to_each_other_and_not_to_the_strategys() -> None:
    batch = frames([1, 1, 1, 2], [0, 10, 2000, 0], np.ones((4, 2), np.float32))
    own = np.array([False, False, True, False])
    assert pairs_in_time(batch, own, RULE).count == 0
    assert pairs_alike(batch, own, RULE).count == 3


@pytest.mark.parametrize("block", [1, 1024])
def test_each_alike_pair_counts_once(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(near_duplicates, "BLOCK", block)
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [1, 0.05]], np.float32)
    found = pairs_alike(frames([1, 2, 3, 4], [0] * 4, vectors), np.ones(4, bool), RULE)
    assert found.count == 3
    assert found.shown[0][:2] == (2**24, 2 * 2**24)


def test_what_the_rule_admits_is_never_called_a_duplicate() -> None:
    rng = np.random.default_rng(0)
    pool = frames(
        rng.integers(1, 9, 400).tolist(), rng.integers(0, 60_000, 400).tolist(), rng.normal(size=(400, 3))
    )
    batch = pool.take(admit(np.arange(400), pool, pool.take(np.empty(0, np.intp)), RULE, 99).positions)
    own = np.ones(len(batch), bool)
    assert len(batch) > 5
    assert pairs_in_time(batch, own, RULE).count == pairs_alike(batch, own, RULE).count == 0

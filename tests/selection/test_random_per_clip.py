from collections import Counter

import numpy as np
import pytest

from al_assets.selection.pool import Pool
from al_assets.selection.strategies import strategy

DRAWS = 3_000


def pool(groups: list[int] | None) -> Pool:
    count = len(groups) if groups else 20
    return Pool(
        frame_ids=np.arange(count),
        embeddings=np.zeros((count, 2), np.float32),
        probabilities=None,
        task="multi_label",
        labelled_embeddings=np.zeros((0, 2), np.float32),
        labelled_targets=np.zeros((0, 3), np.int8),
        groups=None if groups is None else np.array(groups),
    )


def drawn(candidates: Pool, budget: int) -> np.ndarray:
    select = strategy("random_per_clip")
    rows = [select(candidates, budget, np.random.default_rng(n)).positions for n in range(DRAWS)]
    return np.array(rows)


def test_clips_are_equally_likely_however_long_they_are() -> None:
    candidates = pool([0] * 30 + [1] * 5 + [2])
    first = Counter(candidates.groups[drawn(candidates, 1)[:, 0]].tolist())
    # Three standard deviations of a binomial of 1/3.
    assert all(abs(first[clip] / DRAWS - 1 / 3) < 3 * np.sqrt(2 / 9 / DRAWS) for clip in (0, 1, 2))


def test_a_clip_may_come_twice_running_but_not_when_it_is_used_up() -> None:
    candidates = pool([0] * 30 + [1] * 30)
    groups = candidates.groups[drawn(candidates, 2)]
    assert abs((groups[:, 0] == groups[:, 1]).mean() - 0.5) < 0.03
    candidates = pool([0, 1, 1, 1])
    groups = candidates.groups[drawn(candidates, 2)]
    assert (groups == 0).sum(axis=1).max() == 1


def test_frames_of_a_clip_are_equally_likely() -> None:
    candidates = pool([0] * 4 + [1] * 4)
    first = np.bincount(drawn(candidates, 1)[:, 0], minlength=8) / DRAWS
    assert first == pytest.approx(np.full(8, 1 / 8), abs=0.02)


def test_without_clips_it_is_a_uniform_draw() -> None:
    first = np.bincount(drawn(pool(None), 1)[:, 0], minlength=20) / DRAWS
    assert first == pytest.approx(np.full(20, 1 / 20), abs=0.015)

"""Which frames are on the map: even over groups, the old ones first, and the same ones in a larger archive."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from al_assets.reports.map_sample import VIDEOS, chosen_videos, draw_order, even_shares, spread


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(0, 200))
def test_shares_are_even_and_use_what_there_is(sizes: list[int], total: int) -> None:
    given_sizes = np.array(sizes)
    shares = even_shares(given_sizes, total)
    assert shares.sum() == min(total, given_sizes.sum())
    assert (shares <= given_sizes).all()
    short = shares < given_sizes
    if short.any():
        assert shares[short].max() - shares[short].min() <= 1
        assert shares[~short].max(initial=0) <= shares[short].max()


def test_a_rare_group_is_taken_whole() -> None:
    groups = np.array([1] * 90 + [2] * 3 + [3] * 90)
    taken = spread(groups, np.arange(183), np.zeros(183, bool), 23, 0)
    assert [int((groups[taken] == group).sum()) for group in (1, 2, 3)] == [10, 3, 10]


def test_frames_of_the_last_map_come_first() -> None:
    old = np.zeros(100, bool)
    old[[5, 50, 95]] = True
    assert spread(np.zeros(100, np.int64), np.arange(100), old, 3, 0).nonzero()[0].tolist() == [5, 50, 95]


def test_a_larger_draw_holds_the_smaller_one() -> None:
    keys, groups, nothing = np.arange(500), np.zeros(500, np.int64), np.zeros(500, bool)
    small, large = (spread(groups, keys, nothing, total, 7) for total in (50, 120))
    assert (large | ~small).all()


def test_of_very_many_videos_some_are_read_and_the_same_ones_again() -> None:
    numbers = np.arange(3 * VIDEOS)
    chosen = chosen_videos(numbers, 1)
    assert len(chosen) == VIDEOS
    more = chosen_videos(np.arange(3 * VIDEOS + 100), 1)
    assert len(np.intersect1d(chosen, more)) > 0.95 * VIDEOS


def test_the_order_depends_on_the_seed_and_has_no_ties() -> None:
    first, second = draw_order(np.arange(1000), 1), draw_order(np.arange(1000), 2)
    assert len(np.unique(first)) == 1000
    assert (first != second).any()

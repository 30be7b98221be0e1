"""Splits: shares, permanence, and small archives."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.labels.splits import assign_splits, split_of, split_of_site


@given(st.integers(0, 2**32), st.integers(0, 50))
def test_every_block_of_ten_holds_seven_one_and_two(seed: int, block: int) -> None:
    splits = assign_splits(10, 10 * block, seed)
    assert Counter(splits) == {"train": 7, "validation": 1, "test": 2}


@given(st.integers(0, 2**32), st.lists(st.integers(0, 12), max_size=8))
def test_a_video_has_the_same_split_in_whatever_batch_it_arrives(seed: int, batches: list[int]) -> None:
    one_by_one = []
    for size in batches:
        one_by_one += assign_splits(size, len(one_by_one), seed)
    assert one_by_one == assign_splits(sum(batches), 0, seed)
    assert one_by_one == [split_of(ordinal, seed) for ordinal in range(sum(batches))]


@given(st.integers(0, 2**32))
def test_three_videos_are_enough_for_all_three_splits(seed: int) -> None:
    assert set(assign_splits(3, 0, seed)) == {"train", "validation", "test"}
    assert {split_of_site(ordinal, seed) for ordinal in range(3)} == {"train", "validation", "test"}


def test_splits_stay_what_they_were_when_first_released() -> None:
    letters = "".join(split[:2] for split in assign_splits(20, 0, 7))
    assert letters == "tetrvatetrtrtrtrtrtrvatetrtrtetrtrtrtrtr"


def test_seeds_and_kinds_differ() -> None:
    assert len({tuple(assign_splits(30, 0, seed)) for seed in range(20)}) == 20
    assert assign_splits(30, 0, 7) != [split_of_site(ordinal, 7) for ordinal in range(30)]


def test_a_negative_ordinal_is_refused() -> None:
    with pytest.raises(ValueError, match="count registrations from 0"):
        split_of(-1, 7)

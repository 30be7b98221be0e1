"""An order that is computed: every position once, another one each epoch, the same again for the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_assets.checkpoints.shuffle import ShuffledPositions


@settings(deadline=None, max_examples=60)
@given(length=st.integers(0, 20_000), seed=st.integers(0, 2**31))
def test_every_position_comes_once(length: int, seed: int) -> None:
    order = list(ShuffledPositions(length, seed=seed))
    assert sorted(order) == list(range(length))


def test_an_epoch_has_an_order_of_its_own_and_a_seed_repeats_it() -> None:
    order, again = ShuffledPositions(1_000, seed=1), ShuffledPositions(1_000, seed=1)
    first, second = list(order), list(order)
    assert first != second
    assert [first, second] == [list(again), list(again)]
    assert first != list(ShuffledPositions(1_000, seed=2))


def test_neighbours_are_torn_apart() -> None:
    order = np.array(list(ShuffledPositions(10_000, seed=3)))
    # Of independent draws a third of the length lies between neighbours, give or take half a percent.
    assert np.abs(np.diff(order)).mean() == pytest.approx(10_000 / 3, rel=0.03)
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05


def test_the_length_is_known_and_cannot_be_negative() -> None:
    assert len(ShuffledPositions(7, seed=1)) == 7
    with pytest.raises(ValueError, match="length = -1"):
        ShuffledPositions(-1, seed=1)

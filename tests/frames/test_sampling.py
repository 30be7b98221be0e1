"""Which frames a sampler takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.frames.sampling import Sampler


def taken(sampler: Sampler, times: list[int]) -> list[int]:
    return [index for index, time in enumerate(times) if sampler(index, time)]


def constant(rate: float, n: int) -> list[int]:
    return [round(index * 1000 / rate) for index in range(n)]


def test_every_fifth_frame_of_25_is_five_a_second():
    assert taken(Sampler(5), constant(25, 21)) == [0, 5, 10, 15, 20]


def test_no_rate_takes_every_frame():
    assert taken(Sampler(None), constant(25, 7)) == list(range(7))


@pytest.mark.parametrize("rate", [24, 25, 29.97, 30, 59.94, 60])
def test_a_rate_at_or_over_the_videos_own_takes_every_frame(rate):
    for asked in (rate, rate + 0.01, 3 * rate):
        assert taken(Sampler(asked), constant(rate, 300)) == list(range(300))


@pytest.mark.parametrize(("native", "asked"), [(25, 1), (29.97, 5), (30, 7), (12.5, 0.1), (60, 24)])
def test_the_rate_does_not_drift(native, asked):
    n = round(native * 100)
    assert len(taken(Sampler(asked), constant(native, n))) == pytest.approx(100 * asked, abs=1)


def test_at_a_steady_rate_the_nearest_frame_to_each_tick_is_taken():
    times = constant(12, 60)
    nearest = [min(range(60), key=lambda i: abs(times[i] - 200 * tick)) for tick in range(24)]
    assert taken(Sampler(5), times)[:24] == nearest


def test_after_a_pause_one_frame_is_taken_not_many():
    assert taken(Sampler(1), [0, 40, 10_000, 10_040, 10_080, 11_000]) == [0, 2, 5]


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="frames_per_second"):
        Sampler(rate)


@given(
    steps=st.lists(st.integers(0, 5000), max_size=80),
    rate=st.floats(0.05, 100, allow_nan=False),
)
def test_any_times_give_the_first_frame_and_never_more_than_the_rate(steps, rate):
    times = np.concatenate([[0], np.cumsum(steps)]).astype(int).tolist() if steps else [0]
    chosen = taken(Sampler(rate), times)
    assert chosen[0] == 0
    assert len(chosen) <= times[-1] * rate / 1000 + 1.5 + 1e-6

import numpy as np
import pytest

from al_assets.drift.calibration import Calibration, adjust, benjamini_hochberg


def judge(known: np.ndarray, *, two_sided: bool = True) -> Calibration:
    return Calibration.of(known, 1e-6, two_sided=two_sided)


def test_within_the_reference_a_p_value_is_the_rank() -> None:
    known = np.arange(-9.0, 10.0)
    assert judge(known).p_value(0.0) == 1.0
    assert judge(known).p_value(9.0) == pytest.approx(3 / 20)
    assert judge(known, two_sided=False).p_value(9.0) == pytest.approx(2 / 20)
    assert judge(known, two_sided=False).p_value(-50.0) == 1.0


def test_beyond_the_reference_twice_as_far_is_an_eighth_as_likely() -> None:
    known = np.arange(-9.0, 10.0)
    far = judge(known).p_value(36.0)
    assert judge(known).p_value(18.0) == pytest.approx(8 * far)
    assert far < 1 / 20


def test_undrifted_values_are_called_odd_no_more_often_than_their_p_value_says() -> None:
    rng = np.random.default_rng(1)
    for draw in (rng.normal, rng.standard_cauchy, rng.exponential):
        p = [judge(draw(size=30)).p_value(float(draw(size=1)[0])) for _ in range(600)]
        assert np.mean(np.array(p) <= 0.05) < 0.08


def test_bound_is_where_the_p_value_falls_to_the_level() -> None:
    by = judge(np.random.default_rng(2).normal(size=25))
    for level in (0.03, 0.005):
        assert by.p_value(by.centre + by.bound(level) * 1.0001) == pytest.approx(level, rel=1e-2)


def test_without_a_reference_nothing_is_judged() -> None:
    with pytest.raises(ValueError, match="no reference value"):
        judge(np.empty(0))


def test_benjamini_hochberg_steps_up_from_the_largest() -> None:
    assert benjamini_hochberg(np.array([0.04, 0.01, 0.5, 0.02])).tolist() == pytest.approx(
        [0.16 / 3, 0.04, 0.5, 0.04]
    )


def test_the_rate_is_one_of_videos_not_of_statistics() -> None:
    (first, second), (third, _) = adjust([[0.01, 0.5], [0.4, 0.9]])
    assert first == pytest.approx(0.01 * 2 * 2)
    assert second == 1.0
    assert third == pytest.approx(0.8)


def test_nothing_compared_gives_nothing() -> None:
    assert adjust([]) == []

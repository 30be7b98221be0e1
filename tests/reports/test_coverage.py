from datetime import datetime, timedelta

import pandas as pd

from al_assets.reports.coverage import OTHERS, UNKNOWN, grid, sites_shown

DAY = datetime(2026, 1, 5)


def days(*after: int) -> pd.Series:
    return pd.Series([DAY + timedelta(days=n) for n in after])


def test_hours_are_summed_by_site_and_day_and_gaps_stay_on_the_axis() -> None:
    found = grid(["a", "a", "b"], days(0, 0, 3), [1.0, 2.0, 4.0], ["a", "b"])
    assert found.step == "day"
    assert found.spans == ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08")
    assert found.values.tolist() == [[3, 0, 0, 0], [0, 0, 0, 4]]


def test_the_step_grows_with_the_span_of_time() -> None:
    steps = {n: grid(["a", "a"], days(0, n), [1.0, 1.0], ["a"]) for n in (50, 300, 1500, 5000, 20000)}
    assert [found.step for found in steps.values()] == ["day", "week", "month", "quarter", "year"]
    assert all(len(found.spans) <= 60 and found.values.sum() == 2 for found in steps.values())


def test_without_a_known_time_there_is_nothing_to_draw() -> None:
    found = grid(["a"], pd.Series([pd.NaT]), [1.0], ["a"])
    assert found.values.size == 0


def test_sites_beyond_the_largest_are_pooled_and_unknown_ones_have_a_name() -> None:
    sites = pd.Series(["a", "b", "c", None, "d"])
    names, of = sites_shown(sites, pd.Series([5.0, 1.0, 1.0, 4.0, 1.0]), 3)
    assert names == ["a", UNKNOWN, OTHERS]
    assert list(of) == ["a", OTHERS, OTHERS, UNKNOWN, OTHERS]
    assert sites_shown(sites, pd.Series([1.0] * 5), 30)[0] == ["a", "b", "c", "d", UNKNOWN]

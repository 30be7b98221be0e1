import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from al_assets.simulation.summary import area, summarise

MEASURES = ("accuracy", "macro_f1", "log_loss", "mean_average_precision")


def curves(heights: dict[str, list[list[float]]], labels: list[int]) -> pd.DataFrame:
    """A curve of all measures alike for each strategy and seed."""
    rows = [
        {"strategy": name, "seed": seed, "round": number, "labels": count, "seconds_fit": 0.5}
        | {"seconds_select": 0.25}
        | dict.fromkeys(MEASURES, values[number])
        for name, runs in heights.items()
        for seed, values in enumerate(runs)
        for number, count in enumerate(labels)
    ]
    return pd.DataFrame(rows)


LABELS = [10, 20, 30, 40]
HEIGHTS = {
    "random": [[0.2, 0.3, 0.4, 0.5], [0.4, 0.5, 0.6, 0.7], [0.3, 0.4, 0.5, 0.6]],
    "clever": [[0.4, 0.5, 0.6, 0.6], [0.5, 0.6, 0.7, 0.8], [0.5, 0.5, 0.6, 0.7]],
}


def report(initial: int = 0, **more) -> dict:
    return summarise(curves(HEIGHTS, LABELS), metric="accuracy", initial=initial, **more)


def test_the_area_is_the_mean_height_over_the_labels() -> None:
    assert area(np.array([[0.0, 1.0, 1.0]]), np.array([0, 10, 30])) == pytest.approx([25 / 30])
    assert area(np.array([[0.7]]), np.array([5])) == pytest.approx([0.7])


def test_the_difference_to_random_is_paired_by_seed() -> None:
    found = report()["strategies"]["clever"]["difference_to_random"]["accuracy"]["overall"]
    areas = {name: np.trapezoid(np.array(runs), LABELS, axis=1) / 30 for name, runs in HEIGHTS.items()}
    paired = stats.ttest_rel(areas["clever"], areas["random"]).confidence_interval()
    assert (found["low"], found["high"]) == pytest.approx((paired.low, paired.high), abs=1e-6)
    assert found["mean"] == pytest.approx(np.mean(areas["clever"] - areas["random"]), abs=1e-6)


def test_quarters_are_those_of_the_labels_bought() -> None:
    cold = report()["strategies"]["clever"]["difference_to_random"]["accuracy"]["quarters"]
    assert [quarter["labels"] for quarter in cold] == [10, 20, 30, 40]
    assert [quarter["at"]["mean"] for quarter in cold] == pytest.approx(
        [0.5 / 3, 0.4 / 3, 0.4 / 3, 0.1], abs=1e-6
    )
    assert [quarter["over"]["mean"] for quarter in cold] == [quarter["at"]["mean"] for quarter in cold]
    warm = report(initial=10)["strategies"]["clever"]["difference_to_random"]["accuracy"]["quarters"]
    assert [quarter["labels"] for quarter in warm] == [20, 30, 40, 40]
    assert [quarter["over"] is None for quarter in warm] == [
        True,
        False,
        False,
        False,
    ]  # none ends in the first


def test_labels_to_reach_are_read_off_the_mean_curve() -> None:
    reached = report(levels=[0.45, 0.65, 0.9])["strategies"]["clever"]["labels_to_reach"]
    assert reached["0.45"] == {"labels": 10, "seeds": 3}
    assert reached["0.65"] == {"labels": 40, "seeds": 2}
    assert reached["0.9"] == {"labels": None, "seeds": 0}
    assert reached["0.6"]["labels"] == 30  # where random ends, asked for or not


def test_auto_is_told_against_each_of_the_others() -> None:
    renamed = {"auto": HEIGHTS["clever"], "random": HEIGHTS["random"]}
    found = summarise(curves(renamed, LABELS), metric="accuracy", initial=0)
    against = found["strategies"]["auto"]["difference_to_random"]["accuracy"]
    assert found["auto_against"] == {"random": against}


def test_one_seed_has_no_interval_and_random_no_difference_to_itself() -> None:
    single = summarise(
        curves({name: runs[:1] for name, runs in HEIGHTS.items()}, LABELS), metric="accuracy", initial=0
    )
    assert single["strategies"]["clever"]["final"]["accuracy"] == {"mean": 0.6, "low": None, "high": None}
    assert "difference_to_random" not in single["strategies"]["random"]
    assert "NaN" not in json.dumps(single)


def test_random_reaches_the_level_at_which_it_ends() -> None:
    rising = {"random": [[0.1, 0.2, 0.5, 2 / 3]] * 2}
    found = summarise(curves(rising, LABELS), metric="accuracy", initial=0)
    assert found["random_final"] == 0.6666
    assert found["strategies"]["random"]["labels_to_reach"]["0.6666"]["labels"] == 40

"""`al simulate` on an archive: its ground truth, the labels that stand, or the job over them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from al_assets.archives import NotSetUpError
from al_assets.settings import Settings
from al_assets.simulate import Wish
from al_assets.simulate_archive import simulate_archive, simulate_jobs
from al_assets.simulation.experiment import ExperimentError
from resources.environments import Environment, read_environment
from support.labelled_digits import digit_archive, write_truth
from support.small_archives import empty_archive

SMALL = {"strategies": ("margin",), "rounds": 2, "per_round": 12, "seeds": 2, "initial": 0}
WISH = Wish(**SMALL, candidates=None, test_groups=None, head="logistic", workers=1)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    home = tmp_path / "home"
    home.mkdir()
    return read_environment({"AL_HOME": str(home)}, tmp_path)


def summary(environment: Environment, out: Path) -> dict:
    simulate_archive(environment, out, WISH, lambda line: None)
    return json.loads((out / "summary.json").read_text())


def test_the_ground_truth_counts_where_there_is_one(environment: Environment, tmp_path: Path) -> None:
    digit_archive(environment.home, Settings()).database.close()
    write_truth(environment.home, clips=12)
    found = summary(environment, tmp_path / "out")
    assert "ground truth" in found["data"]["name"]
    assert (found["data"]["pool_rows"], found["data"]["test_rows"]) == (36, 12)
    assert set(found["strategies"]) == {"random", "margin"}


def test_without_ground_truth_the_labels_that_stand_do(environment: Environment, tmp_path: Path) -> None:
    digit_archive(environment.home, Settings()).database.close()
    found = summary(environment, tmp_path / "out")
    assert "labels that stand" in found["data"]["name"]
    assert (found["data"]["pool_rows"], found["data"]["test_rows"]) == (72, 24)


def test_truth_and_labels_that_say_the_same_give_the_same_curves(
    environment: Environment, tmp_path: Path
) -> None:
    digit_archive(environment.home, Settings()).database.close()
    curves = []
    for kind in ("labels", "truth"):
        simulate_archive(environment, tmp_path / kind, WISH, lambda line: None)
        curves.append(pd.read_csv(tmp_path / kind / "curves.csv")["picks"].tolist())
        write_truth(environment.home, clips=24)
    assert curves[0] == curves[1]


def test_an_archive_without_labels_says_what_to_do(environment: Environment, tmp_path: Path) -> None:
    empty_archive(environment.home).database.close()
    with pytest.raises(NotSetUpError, match="no ground truth and no label at this home; run `al demo` first"):
        summary(environment, tmp_path / "out")


def test_the_job_runs_once_a_strategy_and_leaves_its_results_in_storage(environment: Environment) -> None:
    digit_archive(environment.home, Settings()).database.close()
    said: list[str] = []
    simulate_jobs(environment, WISH, said.append)
    assert said[:2] == ["random is done", "margin is done"]
    folder = environment.home / "storage" / "reports" / "simulation"
    assert {"random.csv", "margin.csv", "curves.csv", "curves.svg", "summary.json"} == {
        file.name for file in folder.iterdir()
    }


def test_what_the_job_cannot_do_is_refused(environment: Environment) -> None:
    with pytest.raises(ExperimentError, match="--workers go with --data or --archive"):
        simulate_jobs(environment, Wish(**{**vars(WISH), "workers": 2}), lambda line: None)

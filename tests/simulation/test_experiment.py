import numpy as np
import pytest

from al_assets.selection.strategies import STRATEGIES
from al_assets.simulation.experiment import Experiment, simulate
from support.digits import digit_frames


def experiment(clips: int = 60, **changes) -> Experiment:
    frames = digit_frames(clips, seed=3)
    parts = {
        "embeddings": frames.vectors,
        "targets": frames.targets,
        "groups": frames.clips,
        "test": frames.clips >= clips * 2 // 3,
        "task": "multi_label",
    }
    return Experiment(**(parts | changes))


def test_curves_have_one_point_a_strategy_seed_and_round() -> None:
    curves = simulate(experiment(), strategies=["random", "margin"], rounds=3, per_round=10, seeds=2)
    assert len(curves) == 2 * 2 * 3
    assert not curves.duplicated(["strategy", "seed", "round"]).any()
    assert (curves["labels"] == 10 * curves["round"]).all()
    assert curves[["macro_f1", "mean_average_precision"]].stack().between(0, 1).all()


def test_labels_pay_whichever_strategy_asks_for_them() -> None:
    curves = simulate(experiment(150), strategies=["random", "auto"], rounds=4, per_round=60, seeds=1)
    first = curves[curves["round"] == 1].set_index("strategy")["mean_average_precision"]
    last = curves[curves["round"] == 4].set_index("strategy")["mean_average_precision"]
    assert (last > first).all()


def test_the_same_seeds_give_the_same_curves() -> None:
    once, again = (
        simulate(experiment(), strategies=["margin", "random"], rounds=2, per_round=15, seeds=2)
        for _ in range(2)
    )
    assert once.equals(again)


def test_a_strategy_draws_alike_whichever_others_run_beside_it() -> None:
    alone = simulate(experiment(), strategies=["random"], rounds=2, per_round=15, seeds=1)
    beside = simulate(experiment(), strategies=["margin", "random"], rounds=2, per_round=15, seeds=1)
    shared = beside[beside["strategy"] == "random"].reset_index(drop=True)
    assert shared.equals(alone)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("task", ["multi_label", "single_label"])
def test_every_strategy_labels_the_whole_pool_once_and_stops(name: str, task: str) -> None:
    frames = digit_frames(12, seed=4, least=1, most=1 if task == "single_label" else 2)
    small = experiment(
        12,
        embeddings=frames.vectors,
        targets=frames.targets,
        groups=frames.clips,
        test=frames.clips >= 8,
        task=task,
    )
    curves = simulate(small, strategies=[name], rounds=9, per_round=12, seeds=1)
    assert curves["labels"].tolist() == [12, 24, 32]


def test_a_test_clip_in_the_pool_is_refused_by_its_number() -> None:
    test = np.zeros(240, bool)
    test[201:] = True
    with pytest.raises(ValueError, match="clip 50 is in the test part and in the pool"):
        experiment(test=test)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_an_experiment_without_pool_or_test_part_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="both training and test rows"):
        experiment(test=np.full(240, bool(share)))

import dataclasses

import numpy as np
import pandas as pd
import pytest

from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies import STRATEGIES, UnknownStrategyError
from al_assets.selection.strategies.ranking import NoModelError
from al_assets.simulation import run as runs
from al_assets.simulation.curves import COLUMNS, simulate
from al_assets.simulation.experiment import Experiment, ExperimentError, Plan, runnable
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


def single(clips: int = 60) -> Experiment:
    frames = digit_frames(clips, seed=4, least=1, most=1)
    return experiment(
        clips,
        embeddings=frames.vectors,
        targets=frames.targets,
        groups=frames.clips,
        test=frames.clips >= clips * 2 // 3,
        task="single_label",
    )


def plan(*strategies: str, rounds: int = 3, per_round: int = 10, seeds: int = 2, **more) -> Plan:
    return Plan(strategies=strategies, rounds=rounds, per_round=per_round, seeds=seeds, **more)


def picks(curves: pd.DataFrame, **where) -> list[list[int]]:
    """Rows picked, a list a round, of the one run that `where` names."""
    chosen = curves.loc[(curves[list(where)] == pd.Series(where)).all(axis=1), "picks"]
    return [[int(row) for row in text.split()] for text in chosen]


def test_curves_have_one_point_a_strategy_seed_and_round() -> None:
    curves = simulate(experiment(), plan("random", "margin"))
    assert tuple(curves.columns) == COLUMNS
    assert len(curves) == 2 * 2 * 3
    assert not curves.duplicated(["strategy", "seed", "round"]).any()
    assert (curves["labels"] == 10 * curves["round"]).all()
    assert curves[["accuracy", "macro_f1", "mean_average_precision"]].stack().between(0, 1).all()


def test_labels_pay_whichever_strategy_asks_for_them() -> None:
    curves = simulate(experiment(150), plan("random", "auto", rounds=8, per_round=15))
    measures = curves.groupby(["round", "strategy"])[["mean_average_precision", "log_loss"]].mean()
    first, last = measures.loc[1], measures.loc[8]
    assert (last["mean_average_precision"] > first["mean_average_precision"]).all()
    assert (last["log_loss"] < first["log_loss"]).all()


def test_the_same_seeds_give_the_same_curves() -> None:
    once, again = (simulate(experiment(), plan("margin", "random")) for _ in range(2))
    assert once.equals(again)


def test_two_workers_give_the_curves_of_one() -> None:
    small = plan("margin", "random_per_clip", rounds=2)
    assert simulate(experiment(), small, workers=2).equals(simulate(experiment(), small))


def test_a_strategy_draws_alike_whichever_others_run_beside_it() -> None:
    alone = simulate(experiment(), plan("random"))
    beside = simulate(experiment(), plan("margin", "random"))
    assert beside[beside["strategy"] == "random"].reset_index(drop=True).equals(alone)


@pytest.mark.parametrize("task", ["multi_label", "single_label"])
@pytest.mark.parametrize("name", [name for name in STRATEGIES if runnable(name)])
def test_every_strategy_labels_the_whole_pool_once_and_never_the_test_part(name: str, task: str) -> None:
    pool = experiment(12) if task == "multi_label" else single(12)
    curves = simulate(pool, plan(name, rounds=9, per_round=12, seeds=1))
    assert curves["labels"].tolist() == [12, 24, 32]
    asked = np.concatenate(picks(curves, strategy=name))
    assert sorted(asked) == np.flatnonzero(~pool.test).tolist()


def test_the_initial_draw_is_the_same_for_all_strategies_of_a_seed_and_differs_between_seeds() -> None:
    curves = simulate(experiment(), plan("random", "margin", "auto", initial=15, rounds=1))
    first = curves[curves["round"] == 0]
    assert (first["labels"] == 15).all()
    assert first.groupby("seed")["picks"].nunique().tolist() == [1, 1]
    assert first["picks"].nunique() == 2
    assert first.groupby("seed")["log_loss"].nunique().tolist() == [1, 1]


def test_strategies_that_need_a_model_begin_a_cold_start_with_the_same_draw() -> None:
    curves = simulate(experiment(), plan("entropy", "margin", "least_confidence", "random", seeds=1))
    first = curves[curves["round"] == 1].set_index("strategy")["picks"]
    assert first["entropy"] == first["margin"] == first["least_confidence"]
    second = curves[curves["round"] == 2].set_index("strategy")["picks"]
    assert second["entropy"] != second["margin"]


def test_candidates_are_fresh_each_round_and_shown_alike_to_every_strategy() -> None:
    shown: dict[str, list[list[int]]] = {"a": [], "b": []}

    def watch(name: str, first: bool):
        def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
            shown[name].append(sorted(pool.frame_ids.tolist()))
            ranks = np.arange(budget) if first else len(pool) - 1 - np.arange(budget)
            return Picks(ranks, np.zeros(budget), [""] * budget)

        return select

    asked = plan("a", "b", initial=20, candidates=30, per_round=8, rounds=9, seeds=1)
    others = {"a": watch("a", True), "b": watch("b", False)}
    curves = simulate(experiment(), asked, others=others)
    assert shown["a"] == shown["b"]
    assert [len(rows) for rows in shown["a"]] == [30, 30, 30, 30, 20]  # a pool of 160, 20 labelled before
    everything = [*picks(curves, strategy="a", round=0)[0], *np.concatenate(shown["a"])]
    assert len(set(everything)) == len(everything) == 160
    for strategy in ("a", "b"):
        asked_for = picks(curves, strategy=strategy)[1:]
        assert all(set(some) <= set(rows) for some, rows in zip(asked_for, shown["a"], strict=True))
    assert curves.loc[curves["strategy"] == "b", "labels"].tolist() == [20, 28, 36, 44, 52, 60]


def test_the_open_pool_shrinks_by_what_was_picked_and_keeps_vectors_with_rows() -> None:
    everything = experiment()
    pool = runs.OpenPool(everything, np.arange(40))
    rng = np.random.default_rng(0)
    left = set(range(40))
    for _ in range(5):
        taken = pool.take_out(rng.choice(len(pool), 8, replace=False))
        assert set(taken) <= left
        left -= set(taken)
        assert set(pool.rows) == left
        assert (pool.embeddings == everything.embeddings[pool.rows]).all()
    assert len(pool) == 0


def test_a_strategy_cannot_change_the_pool_of_the_next_round() -> None:
    def vandal(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
        pool.embeddings[:] = 0
        return Picks(np.arange(budget), np.zeros(budget), [""] * budget)

    with pytest.raises(ValueError, match="read-only"):
        simulate(experiment(), plan("vandal"), others={"vandal": vandal})


def test_while_one_class_is_all_that_is_known_everything_is_taken_for_it() -> None:
    pool = single()
    twos = np.flatnonzero((pool.targets[:, 1] == 1) & ~pool.test)

    def same_class(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
        positions = np.flatnonzero(np.isin(pool.frame_ids, twos))[:budget]
        return Picks(positions, np.zeros(budget), [""] * budget)

    curves = simulate(pool, plan("same", rounds=1, per_round=4, seeds=1), others={"same": same_class})
    assert curves["accuracy"].item() == pytest.approx(pool.targets[pool.test][:, 1].mean())


def test_the_head_changes_what_labels_are_worth_and_not_what_random_asks_for() -> None:
    plain, spread = (
        simulate(single(), plan("random", seeds=1, head=head)) for head in ("logistic", "propagated")
    )
    assert plain["picks"].equals(spread["picks"])
    assert (plain["log_loss"] != spread["log_loss"]).all()


def test_committees_and_linear_models_reach_the_strategies_that_need_them() -> None:
    def stuck(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
        raise NoModelError

    asked = plan("stuck", "bald", "mmc", initial=40, rounds=1, seeds=1)
    curves = simulate(experiment(), asked, others={"stuck": stuck})
    first = curves[curves["round"] == 1].set_index("strategy")["picks"]
    assert first["bald"] != first["stuck"] != first["mmc"]  # without what they need, they would draw with it


def test_a_test_clip_in_the_pool_is_refused_by_its_number() -> None:
    test = np.zeros(240, bool)
    test[201:] = True
    with pytest.raises(ExperimentError, match="clip 50 is in the test part and in the pool"):
        experiment(test=test)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_an_experiment_without_pool_or_test_part_is_refused(share: float) -> None:
    with pytest.raises(ExperimentError, match="both training and test rows"):
        experiment(test=np.full(240, bool(share)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rounds": 0}, "rounds = 0 must be at least 1"),
        ({"candidates": 5}, "10 picks a round out of 5 candidates"),
        ({"initial": 160}, "initial = 160 leaves none of 160"),
        ({"head": "oracle"}, "head 'oracle' is unknown; choose one of auto, logistic"),
        ({"strategies": ("random", "random")}, "name each strategy once"),
        ({"strategies": ()}, "at least one"),
        ({"strategies": ("similarity",)}, "'similarity' looks for given examples"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_says_why(wrong: dict, said: str) -> None:
    with pytest.raises(ExperimentError, match=said):
        simulate(experiment(), dataclasses.replace(plan("random"), **wrong))


def test_an_unknown_strategy_is_refused_before_any_run() -> None:
    with pytest.raises(UnknownStrategyError, match="there is no strategy 'clever'"):
        simulate(experiment(), plan("random", "clever"))

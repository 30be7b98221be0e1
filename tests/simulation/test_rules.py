"""The production rule of redundancy in a simulation: what it gains on redundant clips, and that rounds stay full."""

from __future__ import annotations

import numpy as np
import pytest

from al_assets.selection.redundancy import RedundancyRule
from al_assets.simulation.curves import simulate
from al_assets.simulation.experiment import Experiment, ExperimentError, Plan
from al_assets.simulation.summary import summarise
from support.digits import digit_frames

STRATEGIES = ("random", "margin", "auto")
RULE = RedundancyRule(cosine=0.97, collapse=True)


def clips(count: int, per_clip: int) -> Experiment:
    """Clips of near-identical frames, one digit each; the last third of the clips is the test part."""
    frames = digit_frames(count, seed=5, per_clip=per_clip, least=1, most=1)
    return Experiment(
        embeddings=frames.vectors,
        targets=frames.targets,
        groups=frames.clips,
        test=frames.clips >= count * 2 // 3,
        task="single_label",
    )


def plan(rounds: int, seeds: int, rule: RedundancyRule, *strategies: str) -> Plan:
    return Plan(strategies=strategies or STRATEGIES, rounds=rounds, per_round=10, seeds=seeds, rule=rule)


def test_on_redundant_clips_the_rule_reaches_an_accuracy_with_fewer_labels() -> None:
    experiment = clips(150, per_clip=24)
    needed: dict[str, dict[str, float]] = {}
    area: dict[str, dict[str, float]] = {}
    for name, rule in {"without": RedundancyRule(), "with": RULE}.items():
        curves = simulate(experiment, plan(6, 4, rule))
        found = summarise(curves, metric="accuracy", initial=0, levels=(0.8,))["strategies"]
        needed[name] = {
            each: found[each]["labels_to_reach"]["0.8"]["labels"] or np.inf for each in STRATEGIES
        }
        area[name] = {each: found[each]["area_under_curve"]["accuracy"]["mean"] for each in STRATEGIES}
    assert all(needed["with"][each] < needed["without"][each] for each in ("random", "margin")), needed
    # Coverage asks for no frame twice by itself: it gains from looking at fewer of them.
    assert needed["with"]["auto"] <= needed["without"]["auto"], needed
    assert all(area["with"][each] > area["without"][each] + 0.01 for each in STRATEGIES), area


def test_no_round_asks_twice_about_one_run_while_there_are_others() -> None:
    experiment = clips(60, per_clip=8)
    curves = simulate(experiment, plan(3, 1, RULE, "margin"))
    asked = [int(row) for text in curves["picks"] for row in text.split()]
    assert len(set(experiment.groups[asked])) == len(asked) == 30


def test_a_round_that_the_rule_leaves_too_small_is_filled() -> None:
    experiment = clips(15, per_clip=4)
    curves = simulate(experiment, plan(4, 1, RedundancyRule(cosine=0.01, per_clip=1), "margin", "random"))
    assert curves["labels"].tolist() == [10, 20, 30, 40] * 2
    for _, run in curves.groupby("strategy"):
        asked = " ".join(run["picks"]).split()
        assert len(set(asked)) == 40


def test_the_same_seed_asks_for_the_same_frames_under_the_rule() -> None:
    experiment = clips(30, per_clip=6)
    one, two = (simulate(experiment, plan(3, 1, RULE, "auto"))["picks"].tolist() for _ in range(2))
    assert one == two


@pytest.mark.parametrize("rule", [RedundancyRule(minimum_gap_ms=1), RedundancyRule(per_site=1)])
def test_rules_of_time_and_site_are_refused_where_neither_is_known(rule: RedundancyRule) -> None:
    with pytest.raises(ExperimentError, match="knows neither times nor sites"):
        plan(1, 1, rule)

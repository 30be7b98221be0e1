"""`al bench peers`: strategy `auto` against scikit-activeml's strategies in one protocol, with one head.

Cold start, the whole pool open, one label a class a round. scikit-activeml is a dependency of tests only. Not here: the
speed of strategies, and the protocol itself (simulation/).
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from al_assets.benches.known_sets import digits, rendered_archive
from al_assets.benches.sets import Result, Sets, each_set, seeds_of
from al_assets.selection.pool import Picks, Pool
from al_assets.selection.strategies.ranking import NoModelError
from al_assets.simulation.curves import simulate
from al_assets.simulation.experiment import BASELINE, Experiment, Plan
from al_assets.simulation.measures import primary
from al_assets.simulation.summary import OURS, summarise

PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "skactiveml_random": ("RandomSampling", {}),
    "skactiveml_margin": ("UncertaintySampling", {"method": "margin_sampling"}),
    "skactiveml_core_set": ("CoreSet", {}),
    "skactiveml_typiclust": ("TypiClust", {}),
    "skactiveml_badge": ("Badge", {}),
    "skactiveml_probcover": ("ProbCover", {}),
    "skactiveml_dropquery": ("DropQuery", {}),
    "skactiveml_max_herding": ("MaxHerding", {}),
}
"""Name -> class in skactiveml.pool, and what differs from its defaults."""
ASK_A_MODEL = {"UncertaintySampling", "Badge", "DropQuery"}
ROUNDS, QUICK = 12, 10_000
CLIPS = 40


class PeersMissingError(RuntimeError):
    """scikit-activeml is not installed."""


def measure_peers(rows: int) -> tuple[Result, Result]:
    """(measured, ratios) on digits and on a rendered archive.

    rows: one seed for each 2,000, from 2 to 20; under 10,000 four rounds on a third of the digits only. Measured are
    areas under the curves in points, what `auto` is ahead of the best peer in each quarter of the budget (with the
    paired 95 % interval), and the labels at which `auto` with the head `auto` does as well as random draws with
    logistic regression at the end. Ratios: those areas and labels.
    """
    _skactiveml("pool")
    quick = rows < QUICK
    data: Sets = {"digits": lambda: digits(600 if quick else None)}
    if not quick:
        data["archive"] = lambda: rendered_archive(CLIPS)
    return each_set(data, lambda each: compare(each, rounds=4 if quick else ROUNDS, seeds=seeds_of(rows)))


def compare(experiment: Experiment, *, rounds: int, seeds: int) -> tuple[Result, Result]:
    """The same for one data set."""
    per_round, metric = experiment.targets.shape[1], primary(experiment.task)
    plan = Plan(strategies=(BASELINE, OURS, *PEERS), rounds=rounds, per_round=per_round, seeds=seeds)
    curves = simulate(experiment, plan, others={name: Peer(*of) for name, of in PEERS.items()})
    report = summarise(curves, metric=metric, initial=0)
    found = report["strategies"]
    areas = {name: found[name]["area_under_curve"][metric]["mean"] for name in plan.strategies}
    measured = {f"area_{name}": 100 * area for name, area in areas.items()}
    ratios = {"auto_vs_best_peer": areas[OURS] / max(areas[name] for name in PEERS)}
    for quarter in range(4):
        gaps = [report["auto_against"][name]["quarters"][quarter]["over"] for name in PEERS]
        hardest = min((gap for gap in gaps if gap), key=lambda gap: gap["mean"])
        for end in ("mean", "low", "high"):
            measured[f"ahead_in_quarter_{quarter + 1}_{end}"] = 100 * hardest[end]
    return measured | _with_best_head(
        experiment, plan, found[BASELINE]["final"][metric]["mean"], ratios
    ), ratios


def _with_best_head(experiment: Experiment, plan: Plan, goal: float, ratios: Result) -> Result:
    """Labels until `auto` with the head `auto` reaches what random with logistic regression ends at; 0 where never."""
    ours = replace(plan, strategies=(OURS,), head="auto")
    mean = simulate(experiment, ours).groupby("labels")[primary(experiment.task)].mean()
    there, asked = mean.index[mean >= goal], float(plan.rounds * plan.per_round)
    if len(there):
        ratios["labels_of_auto_vs_random_logistic"] = float(there[0]) / asked
    return {"labels_random_logistic": asked, "labels_auto": float(there[0]) if len(there) else 0.0}


class Peer:
    """A strategy of scikit-activeml behind our interface, asking our head where it asks a model.

    Multi-label frames are shown to it as one class each: the first that is present, or nobody, with probabilities to
    match; it knows no other form.
    """

    def __init__(self, kind: str, options: dict[str, Any]) -> None:
        """kind: a class of skactiveml.pool."""
        self.kind, self.options = kind, options

    def __call__(self, pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
        """Its picks. Raises NoModelError where it wants a model and there is none."""
        classes = pool.labelled_targets.shape[1] + (pool.task == "multi_label")
        seed = int(rng.integers(2**31))
        options = {"random_state": seed, **self.options}
        if self.kind == "DropQuery":
            options["cluster_algo_dict"] = {
                "random_state": seed
            }  # its k-means is left without a seed in 1.0.1
        if self.kind == "ProbCover":
            options["n_classes"] = classes
        strategy = getattr(_skactiveml("pool"), self.kind)(**options)
        vectors = np.concatenate([pool.labelled_embeddings, pool.embeddings]).astype(np.float64)
        answers = np.r_[_single(pool.labelled_targets), np.full(len(pool), np.nan)]
        asked: dict[str, Any] = {"X": vectors, "y": answers, "batch_size": budget}
        if self.kind in ASK_A_MODEL:
            asked |= {"clf": _head_of(pool, classes), "fit_clf": False}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            positions = np.asarray(strategy.query(**asked), dtype=np.intp) - len(pool.labelled_embeddings)
        return Picks(positions, np.zeros(budget), [self.kind] * budget)


def _single(targets: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """One class a row: the first that is present; the number of classes where none is."""
    present = targets == 1
    chosen = np.where(present.any(axis=1), present.argmax(axis=1), targets.shape[1])
    return np.asarray(chosen, dtype=np.float64)


def _head_of(pool: Pool, classes: int) -> Any:
    """Our head as a classifier of scikit-activeml."""
    if pool.linear is None:
        raise NoModelError("this strategy asks a model")
    return _classifier()(pool.linear.weight, pool.linear.bias, pool.task, np.arange(classes))


@cache
def _classifier() -> Any:
    from scipy.special import expit, softmax

    base: Any = _skactiveml("base").SkactivemlClassifier

    class OurHead(base):  # type: ignore[misc]
        """A fitted linear head; never fitted again."""

        def __init__(self, weight: Any, bias: Any, task: str, classes: Any) -> None:
            super().__init__(classes=classes)
            self.weight, self.bias, self.task, self.classes_ = weight, bias, task, classes

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            """It is fitted."""
            return self

        def predict_proba(self, X: Any) -> Any:
            """Our probabilities; multi-label ones with that of nobody beside, made to sum to 1."""
            logits = X @ self.weight.T.astype(np.float64) + self.bias
            if self.task == "single_label":
                return softmax(logits, axis=1)
            each = expit(logits)
            together = np.column_stack([each, np.prod(1 - each, axis=1)])
            return together / together.sum(axis=1, keepdims=True)

        def predict(self, X: Any) -> Any:
            """The likeliest class."""
            return self.classes_[self.predict_proba(X).argmax(axis=1)]

    return OurHead


def _skactiveml(part: str) -> ModuleType:
    try:
        return import_module(f"skactiveml.{part}")
    except ImportError as error:
        raise PeersMissingError(
            "scikit-activeml is not installed; install it beside: pip install scikit-activeml"
        ) from error

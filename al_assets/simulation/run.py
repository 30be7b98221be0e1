"""One run: a strategy, a seed, and the production modules with an oracle in the person's place, round by round.

Not here: what the rounds are compared by (measures.py), and which runs there are (curves.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from al_assets.selection.pool import Linear, Pool
from al_assets.selection.redundancy import NO_RULE, Frames
from al_assets.selection.strategies import Strategy, needs, strategy
from al_assets.selection.strategies.ranking import NoModelError
from al_assets.simulation.experiment import MODEL_FREE, Array, Experiment, Plan, Rows, generator
from al_assets.simulation.measures import measure, without_model
from al_assets.simulation.rules import under_rule

if TYPE_CHECKING:  # loads torch
    from al_assets.checkpoints.heads import Head

Clock = Callable[[], float]
Row = dict[str, str | int | float]
MODEL = frozenset({"probabilities", "committee", "linear"})


@dataclass(frozen=True)
class Run:
    """One strategy and seed of a plan. others: strategies beside the registered ones, by name."""

    experiment: Experiment
    plan: Plan
    name: str
    seed: int
    clock: Clock
    others: Mapping[str, Strategy]

    def rounds(self) -> Iterator[Row]:
        """A row a round: strategy, seed, round, labels, the measures, seconds_fit, seconds_select, picks.

        Round 0 is the initial draw, where the plan has one. picks: positions in the experiment, in the order of
        preference, joined by spaces. Ends early when nothing is left to ask for.
        """
        order = generator(self.seed, 0, "start").permutation(self.experiment.pool())
        labelled, rest = order[: self.plan.initial], order[self.plan.initial :]
        open_pool = OpenPool(self.experiment, np.sort(rest)) if self.plan.candidates is None else None
        model = None
        if self.plan.initial:
            model, row = self._learn(0, labelled, labelled, 0.0)
            yield row
        for number in range(1, self.plan.rounds + 1):
            shown = open_pool or OpenPool(self.experiment, np.sort(self._shown(rest, number)))
            if not len(shown):
                return
            began = self.clock()
            positions = self._choose(shown, labelled, model, number)
            seconds = self.clock() - began
            picked = shown.take_out(positions)
            labelled = np.concatenate([labelled, picked])
            model, row = self._learn(number, labelled, picked, seconds)
            yield row

    def _shown(self, rest: Rows, number: int) -> Rows:
        count = self.plan.candidates or 0
        return rest[(number - 1) * count : number * count]

    def _choose(self, shown: OpenPool, labelled: Rows, model: Head | None, number: int) -> Rows:
        """Positions among the shown rows.

        While nothing can be learned yet, strategies that need a model draw at random, all alike, so that they differ
        in what they then ask for and not in where they began.
        """
        wanted = frozenset() if self.name in self.others else needs(self.name)
        budget = min(self.plan.per_round, len(shown))
        pool = self._pool(shown, labelled, model, wanted)
        try:
            if model is None and wanted & MODEL:
                raise NoModelError
            chosen = self.others.get(self.name) or strategy(self.name)
            return self._obeying(chosen, pool, labelled, budget, generator(self.seed, number, self.name))
        except NoModelError:
            draw = generator(self.seed, number, "cold start")
            return self._obeying(strategy("random"), pool, labelled, budget, draw)

    def _obeying(
        self, chosen: Strategy, pool: Pool, labelled: Rows, budget: int, rng: np.random.Generator
    ) -> Rows:
        """Positions of the strategy's choice under the plan's rule."""
        if self.plan.rule == NO_RULE:
            return chosen(pool, budget, rng).positions
        return under_rule(chosen, pool, self._frames(labelled), self.plan.rule, budget, rng)

    def _frames(self, rows: Rows) -> Frames:
        return Frames(
            frame_ids=rows.astype(np.int64),
            video_no=self.experiment.groups[rows],
            pts_ms=rows.astype(np.int64),
            embeddings=self.experiment.embeddings[rows],
        )

    def _pool(self, shown: OpenPool, labelled: Rows, model: Head | None, wanted: frozenset[str]) -> Pool:
        told = None if self.name in MODEL_FREE else model
        return Pool(
            frame_ids=shown.rows.astype(np.int64),
            embeddings=shown.embeddings,
            probabilities=told.probabilities(shown.embeddings) if told else None,
            committee=self._committee(shown, labelled) if told and "committee" in wanted else None,
            linear=Linear(*told.folded()) if told else None,
            task=self.experiment.task,
            labelled_embeddings=self.experiment.embeddings[labelled],
            labelled_targets=self.experiment.targets[labelled],
            groups=self.experiment.groups[shown.rows],
        )

    def _committee(self, shown: OpenPool, labelled: Rows) -> Array:
        from al_assets.checkpoints.ensembles import fit_committee

        committee = fit_committee(
            self.experiment.embeddings[labelled],
            self.experiment.targets[labelled],
            None,
            task=self.experiment.task,
            seed=self.seed,
            groups=self.experiment.groups[labelled],
        )
        return committee.probabilities(shown.embeddings)

    def _learn(
        self, number: int, labelled: Rows, picked: Rows, seconds_select: float
    ) -> tuple[Head | None, Row]:
        """The model that these labels make (None while they make none), and the row of this round."""
        began = self.clock()
        model = fit(self.experiment, self.plan.head, labelled, self.seed)
        seconds_fit = self.clock() - began
        row: Row = {"strategy": self.name, "seed": self.seed, "round": number, "labels": len(labelled)}
        row |= score(self.experiment, model, labelled)
        row |= {"seconds_fit": seconds_fit, "seconds_select": seconds_select}
        return model, row | {"picks": " ".join(map(str, picked.tolist()))}


class OpenPool:
    """Rows that may still be asked for, their vectors side by side in memory that is never copied again."""

    def __init__(self, experiment: Experiment, rows: Rows) -> None:
        """rows: ascending."""
        self._rows, self._vectors, self._count = rows, experiment.embeddings[rows], len(rows)

    def __len__(self) -> int:
        """Number of open rows."""
        return self._count

    @property
    def rows(self) -> Rows:
        """Their positions in the experiment; the order changes as rows are taken out."""
        return self._rows[: self._count]

    @property
    def embeddings(self) -> Array:
        """Their vectors, read-only."""
        view = self._vectors[: self._count]
        view.flags.writeable = False
        return view

    def take_out(self, positions: Rows) -> Rows:
        """Remove them and give their rows; rows from the end fill the gaps."""
        taken = self._rows[positions]
        kept = self._count - len(positions)
        gone = np.zeros(self._count, dtype=bool)
        gone[positions] = True
        gaps, movers = np.flatnonzero(gone[:kept]), kept + np.flatnonzero(~gone[kept:])
        self._rows[gaps], self._vectors[gaps] = self._rows[movers], self._vectors[movers]
        self._count = kept
        return taken


def fit(experiment: Experiment, head: str, labelled: Rows, seed: int) -> Head | None:
    """The head that these labels make, by the production code; None while they make none."""
    from al_assets.checkpoints.training import Recipe, TrainingConfig, fit_head
    from al_assets.checkpoints.training_set import why_not_trainable

    targets = experiment.targets[labelled]
    if why_not_trainable(targets, experiment.task):
        return None
    class_ids = tuple(range(1, targets.shape[1] + 1))
    return fit_head(
        experiment.embeddings[labelled],
        targets,
        None,
        task=experiment.task,
        class_ids=class_ids,
        class_names=tuple(map(str, class_ids)),
        embedder_id="simulation",
        config=TrainingConfig(seed=seed, head=cast(Recipe, head)),
        groups=experiment.groups[labelled],
        surroundings=None if head == "logistic" else experiment.surroundings,
    ).head


def score(experiment: Experiment, model: Head | None, labelled: Rows) -> dict[str, float]:
    """The measures on the test part."""
    truth = experiment.targets[experiment.test]
    if model is None:
        probabilities = without_model(experiment.targets[labelled], len(truth), experiment.task)
        thresholds = np.full(truth.shape[1], 0.5, np.float32)
    else:
        probabilities, thresholds = model.probabilities(experiment.test_embeddings), model.thresholds
    return measure(probabilities, truth, thresholds, experiment.task)

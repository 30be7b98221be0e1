"""Strategies that rank by doubt pick what a plain reference written from the paper picks, and scikit-activeml."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from skactiveml.pool._bald import batch_bald
from skactiveml.pool._query_by_committee import average_kl_divergence, vote_entropy
from skactiveml.pool._uncertainty_sampling import uncertainty_scores

from al_assets.keys import Task
from al_assets.selection.pool import Pool
from al_assets.selection.strategies import strategy
from al_assets.selection.strategies.bald import mutual_information
from al_assets.selection.strategies.query_by_committee import vote_entropy as our_vote_entropy
from support.small_pools import FIRST, small_pool

TASKS: list[Task] = ["single_label", "multi_label"]
SEEDS = range(5)


def picked(name: str, pool: Pool, budget: int = 10, seed: int = 0) -> list[int]:
    return strategy(name)(pool, budget, np.random.default_rng(seed)).positions.tolist()


def best(scores: list[float], budget: int = 10) -> list[int]:
    """Positions of the highest scores, highest first."""
    return sorted(range(len(scores)), key=lambda row: -scores[row])[:budget]


def entropy(shares: list[float]) -> float:
    return -sum(p * math.log(p) for p in shares if p > 0)


def answers(row: np.ndarray, task: Task) -> list[list[float]]:
    """What a frame is asked: which class, or of each class whether it is there."""
    p = row.astype(float).tolist()
    return [p] if task == "single_label" else [[each, 1 - each] for each in p]


def reference_bald(pool: Pool, row: int) -> float:
    """Entropy of the mean less the mean entropy, question by question (Houlsby et al. 2011, equation 2)."""
    members = [answers(member[row], pool.task) for member in pool.committee]  # type: ignore[union-attr]
    total = 0.0
    for question in range(len(members[0])):
        asked = [member[question] for member in members]
        mean = [sum(values) / len(asked) for values in zip(*asked, strict=True)]
        total += entropy(mean) - sum(map(entropy, asked)) / len(asked)
    return total


def reference_votes(pool: Pool, row: int) -> float:
    """-sum_c V_c / M log V_c / M of the members' votes (Dagan and Engelson 1995)."""
    members = pool.committee[:, row]  # type: ignore[index]
    if pool.task == "single_label":
        questions = [[int(member.argmax()) for member in members]]
    else:
        questions = [[int(p >= 0.5) for p in members[:, column]] for column in range(members.shape[1])]
    return sum(entropy([n / len(votes) for n in Counter(votes).values()]) for votes in questions)


def reference_density(pool: Pool, row: int) -> float:
    """Entropy times the mean cosine to all frames of the pool (Settles and Craven 2008, equation 13), beta 1."""

    def cosine(other: int) -> float:
        one, two = pool.embeddings[row].astype(float), pool.embeddings[other].astype(float)
        return float(one @ two / (np.linalg.norm(one) * np.linalg.norm(two)))

    doubt = sum(map(entropy, answers(pool.probabilities[row], pool.task)))  # type: ignore[index]
    return doubt * max(0.0, sum(map(cosine, range(len(pool)))) / len(pool))


def reference_mean_margin(pool: Pool, row: int) -> float:
    questions = [sorted(each)[::-1] for each in answers(pool.probabilities[row], pool.task)]  # type: ignore[index]
    return 1 - sum(each[0] - each[1] for each in questions) / len(questions)


def reference_activelab(pool: Pool, row: int) -> float:
    """The likelier answer drawn half way to a guess: both weights are 1 (Goh and Mueller 2023, equation 4)."""
    questions = answers(pool.probabilities[row], pool.task)  # type: ignore[index]
    return -min((max(each) + 1 / len(each)) / 2 for each in questions)


REFERENCES: dict[str, Callable[[Pool, int], float]] = {
    "bald": reference_bald,
    "density_weighted": reference_density,
    "mean_margin": reference_mean_margin,
    "activelab": reference_activelab,
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("seed", SEEDS)
def test_picks_are_those_of_the_definition(name: str, task: Task, seed: int) -> None:
    pool = small_pool(task=task, seed=seed)
    assert picked(name, pool) == best([REFERENCES[name](pool, row) for row in range(len(pool))])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_committee_picks_by_votes_and_among_equal_votes_by_divergence(task: Task, seed: int) -> None:
    pool = small_pool(task=task, seed=seed)
    votes = [round(reference_votes(pool, row), 9) for row in range(len(pool))]
    split = [reference_bald(pool, row) for row in range(len(pool))]
    order = sorted(range(len(pool)), key=lambda row: (-votes[row], -split[row]))
    assert picked("query_by_committee", pool) == order[:10]
    assert len(set(votes)) < len(votes)


def test_disagreement_is_that_of_scikit_activeml() -> None:
    pool = small_pool(300, task="single_label")
    assert pool.committee is not None
    committee = pool.committee.astype(float)
    ours = mutual_information(committee, "single_label")
    # Its clip at 1e-7 is all that differs.
    np.testing.assert_allclose(ours, average_kl_divergence(committee.copy()), atol=1e-5)
    np.testing.assert_allclose(ours, batch_bald(committee.copy(), 1)[0], atol=1e-5)
    votes = committee.argmax(axis=2).T
    np.testing.assert_allclose(
        our_vote_entropy(committee, "single_label"), vote_entropy(votes, classes=list(range(4))), atol=1e-12
    )


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("margin", "margin_sampling"), ("entropy", "entropy"), ("least_confidence", "least_confident")],
)
def test_uncertainty_picks_are_those_of_scikit_activeml(name: str, theirs: str) -> None:
    pool = small_pool(300, task="single_label")
    scores = uncertainty_scores(pool.probabilities.astype(float), method=theirs)  # type: ignore[union-attr]
    assert picked(name, pool, 40) == best(scores.tolist(), 40)


def test_a_committee_that_agrees_is_in_no_doubt_however_unsure_it_is() -> None:
    unsure = np.full((5, 3, 4), 0.25, np.float32)
    assert mutual_information(unsure, "single_label").tolist() == [0, 0, 0]
    assert our_vote_entropy(unsure, "single_label").tolist() == [0, 0, 0]


def test_a_committee_that_contradicts_itself_outright_is_in_the_most_doubt_there_is() -> None:
    certain = np.eye(2, dtype=np.float32)[:, None, :]
    assert mutual_information(certain, "single_label") == pytest.approx(math.log(2))
    assert mutual_information(certain, "multi_label") == pytest.approx(2 * math.log(2))


def test_a_candidate_that_stands_for_many_weighs_as_many_in_the_density() -> None:
    pool = small_pool(6, task="single_label")
    rows = np.array([0, 0, 0, 1, 2, 3, 4, 5])
    weights = np.array([3, 1, 1, 1, 1, 1], np.float32)
    once = small_pool(6, task="single_label", weights=weights)
    many = small_pool(
        8,
        task="single_label",
        frame_ids=FIRST + np.arange(8),
        embeddings=pool.embeddings[rows],
        probabilities=pool.probabilities[rows],  # type: ignore[index]
        committee=None,
    )
    scores = [
        dict(zip(picks.positions.tolist(), picks.scores.tolist(), strict=True))
        for picks in (
            strategy("density_weighted")(each, 8, np.random.default_rng(0)) for each in (once, many)
        )
    ]
    assert [scores[0][row] for row in range(1, 6)] == pytest.approx(
        [scores[1][row + 2] for row in range(1, 6)]
    )


def test_of_two_frames_equally_in_doubt_density_takes_the_typical_one() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [1, -0.1], [0, 1]], np.float32)
    chances = np.array([[0.5, 0.5], [1, 0], [1, 0], [0.5, 0.5]], np.float32)
    pool = small_pool(
        4,
        task="single_label",
        classes=2,
        embeddings=vectors,
        probabilities=chances,
        labelled_embeddings=np.empty((0, 2), np.float32),
        labelled_targets=np.empty((0, 2), np.int8),
        linear=None,
    )
    assert picked("density_weighted", pool, 2) == [0, 3]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("bald", "committee"),
        ("query_by_committee", "committee"),
        ("density_weighted", "probabilities"),
        ("mmc", "linear"),
    ],
)
def test_without_the_model_it_needs_a_strategy_says_what_to_choose_instead(name: str, part: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}' needs .*; use 'coverage' or 'auto'"):
        picked(name, small_pool(task="multi_label", **{part: None}))


def test_more_classes_than_a_block_holds_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = small_pool(task="multi_label")
    names = ["bald", "query_by_committee", "density_weighted", "mean_margin", "activelab", "cvirs", "mmc"]
    whole = [picked(name, pool) for name in names]
    monkeypatch.setattr("al_assets.selection.strategies.ranking.CELLS", 7)
    assert [picked(name, pool) for name in names] == whole

"""scikit-activeml chooses what we choose wherever both define the same; where they do not, a comment says why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skactiveml.base import SkactivemlClassifier
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge, CoreSet, DropQuery, MaxHerding, ProbCover, TypiClust
from sklearn.linear_model import LogisticRegression

from al_assets.selection.clustering import fit_centres
from al_assets.selection.pool import Pool, unit_vectors
from al_assets.selection.rows import UnitRows
from al_assets.selection.strategies import probcover, strategy
from support import plain_diversity as plain
from support.small_pools import small_pool

SEEDS = range(3)


def grouped(n: int = 160, *, labelled: int, seed: int, **parts: Any) -> Pool:
    """Frames around four directions, a quarter each; the labelled ones lie in the first."""
    rng = np.random.default_rng(200 + seed)
    around = np.eye(6)[np.arange(n) % 4] * 3 + rng.normal(scale=0.4, size=(n, 6))
    held = np.eye(6)[np.zeros(labelled, int)] * 3 + rng.normal(scale=0.4, size=(labelled, 6))
    vectors = {
        "embeddings": unit_vectors(around),
        "labelled_embeddings": unit_vectors(held),
        "labelled_targets": np.ones((labelled, 4), dtype=np.int8),
    }
    return small_pool(n, seed=seed, task="single_label", **(vectors | parts))


def theirs(pool: Pool, picked: list[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """X, candidates first, and y, nan where nothing is labelled or picked."""
    y = np.r_[np.full(len(pool), np.nan), np.zeros(len(pool.labelled_embeddings))]
    y[picked or []] = 0
    return np.concatenate([pool.embeddings, pool.labelled_embeddings]).astype(np.float64), y


def ours(name: str, pool: Pool, budget: int, seed: int = 0) -> list[int]:
    return strategy(name)(pool, budget, np.random.default_rng(seed)).positions.tolist()


class Given:
    """A clustering that is known already, in the place of theirs."""

    centres: np.ndarray

    def __init__(self, n_clusters: int) -> None:
        self.n_clusters = n_clusters

    def fit_predict(self, x: np.ndarray) -> np.ndarray:
        return plain.distances(x, self.centres).argmin(axis=1)

    def fit_transform(self, x: np.ndarray, y: None) -> np.ndarray:
        return plain.distances(x, self.centres)


def given(centres: np.ndarray) -> type[Given]:
    return type("GivenHere", (Given,), {"centres": centres.astype(np.float64)})


@pytest.mark.parametrize("seed", SEEDS)
def test_core_set_is_theirs_once_something_is_labelled(seed: int) -> None:
    # Without a label both draw the first pick, each from its own generator.
    pool = grouped(labelled=5, seed=seed)
    x, y = theirs(pool)
    assert ours("core_set", pool, 30) == CoreSet(random_state=0).query(x, y, batch_size=30).tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_typiclust_is_theirs_where_groups_are_large_and_few_picks_are_asked_for(seed: int) -> None:
    # Theirs takes 5 neighbours (k=20 is the paper's), halves nothing in small groups, keeps groups of 5 and fewer,
    # caps no number of groups, and leaves groups with a label out instead of taking them later.
    pool = grouped(320, labelled=1, seed=seed)
    drawn, held = plain.Drawn(pool, seed), unit_vectors(pool.labelled_embeddings)
    centres = fit_centres(drawn.rows, 4, drawn.rng, beside=held)
    peer = TypiClust(k=20, cluster_algo=given(centres), random_state=0)
    x, y = theirs(pool)
    assert np.bincount(drawn.groups(centres.astype(float))).min() >= 40
    assert set(ours("typiclust", pool, 3, seed)) == set(peer.query(x, y, batch_size=3).tolist())  # sizes tie


@pytest.mark.filterwarnings("ignore:The maximum purity")  # theirs is given no radius to search
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("labelled", [0, 3])
def test_each_probcover_pick_is_among_their_best(seed: int, labelled: int) -> None:
    # Counts tie often and ties are drawn, so picks are put to theirs one by one, at our radius: theirs searches a grid
    # in steps of .2 and takes two classes while nothing is labelled. Theirs counts d <= delta, the paper d < delta.
    pool = grouped(labelled=labelled, seed=seed)
    drawn = plain.Drawn(pool, seed)
    sample = fit_centres(drawn.rows, 4, drawn.rng).astype(float)
    delta = probcover.radius(drawn.rows, drawn.groups(sample))
    chosen = ours("probcover", pool, 8, seed)
    for step, pick in enumerate(chosen):
        x, y = theirs(pool, chosen[:step])
        _, utilities = ProbCover(deltas=[delta - 1e-5], random_state=0).query(x, y, return_utilities=True)
        assert utilities[0][pick] == np.nanmax(utilities[0])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("labelled", [0, 4])
def test_each_max_herding_pick_is_among_their_best(seed: int, labelled: int) -> None:
    # Two frames that only have each other left to cover tie, so picks are put to theirs one by one.
    pool = grouped(labelled=labelled, seed=seed)
    peer = MaxHerding(metric_dict={"gamma": 1.0}, random_state=0)
    chosen = ours("max_herding", pool, 15, seed)
    if labelled:  # without a label theirs takes the densest frame, then counts what is picked as we do
        for step, pick in enumerate(chosen):
            x, y = theirs(pool, chosen[:step])
            _, utilities = peer.query(x, y, candidates=np.arange(len(pool)), return_utilities=True)
            assert utilities[0][pick] >= np.nanmax(utilities[0]) - 1e-6
    x, y = theirs(pool)
    assert chosen[:8] == peer.query(x, y, batch_size=8).tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_badge_starts_where_theirs_does_and_draws_by_the_same_distances(seed: int) -> None:
    # From the second pick on theirs counts the origin as one more centre (the paper does not), so its distances are
    # ours, capped by the gradients' own squares. Our draws are held to our distances in test_diverse_strategies.
    pool = grouped(labelled=0, seed=seed)
    x, _ = theirs(pool)
    y = np.full(len(x), np.nan)
    y[:12] = np.arange(12) % 4
    left = np.flatnonzero(np.isnan(y))
    model = SklearnClassifier(LogisticRegression(), classes=range(4)).fit(x, y)
    candidates = small_pool(
        len(left),
        task="single_label",
        embeddings=x[left],
        probabilities=model.predict_proba(x[left]),
    )
    first = ours("badge", candidates, 1)
    _, utilities = Badge(random_state=0).query(
        x, y, model, fit_clf=False, batch_size=2, return_utilities=True
    )
    gradient = plain.gradients(candidates)
    assert left[first[0]] == np.nanargmax(utilities[0])
    capped = np.minimum((plain.distances(gradient, gradient[first]) ** 2)[:, 0], (gradient**2).sum(axis=1))
    np.testing.assert_allclose(np.nan_to_num(utilities[1][left]), capped / capped.sum(), atol=1e-7)


class Fickle(SkactivemlClassifier):
    """Answers otherwise each time it is asked: every candidate flips in every pass."""

    def fit(self, x: Any, y: Any) -> Fickle:
        self.asked_ = 0
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        self.asked_ += 1
        return np.full(len(x), self.asked_)


@pytest.mark.parametrize("seed", SEEDS)
def test_dropquery_takes_the_same_frames_near_the_same_centres(seed: int) -> None:
    # Where all frames are candidates, since masks come from different generators. Theirs does not scale up what
    # dropout keeps, and where few flip it goes on with as few candidates as picks, the paper with 25 a pick.
    pool = grouped(100, labelled=0, seed=seed)
    drawn = plain.Drawn(pool, seed)
    list(plain.masks(pool.embeddings.shape, drawn.rng))
    centres = fit_centres(UnitRows(pool.embeddings, drawn.rows.order), 4, drawn.rng)
    peer = DropQuery(cluster_algo=given(centres), random_state=0)
    x, y = theirs(pool)
    found = peer.query(x, y, Fickle(classes=[0, 1]).fit(x, y), fit_clf=False, batch_size=4)
    assert set(ours("dropquery", pool, 4, seed)) == set(found.tolist())

"""Peers behind our interface: they pick what may be picked, and ask our head."""

import numpy as np
import pytest

from al_assets.benches.peers import ASK_A_MODEL, PEERS, Peer
from al_assets.selection.pool import Linear, Pool
from al_assets.selection.strategies.ranking import NoModelError

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(60, 5)).astype(np.float32)
WEIGHT = RNG.normal(size=(3, 5)).astype(np.float32)


def pool(task: str, *, model: bool = True) -> Pool:
    targets = np.eye(3, dtype=np.int8)[np.arange(8) % 3]
    if task == "multi_label":
        targets[0], targets[1] = 0, 1
    return Pool(
        frame_ids=np.arange(60),
        embeddings=VECTORS,
        probabilities=None,
        task=task,
        labelled_embeddings=VECTORS[:8] + 0.1,
        labelled_targets=targets,
        linear=Linear(WEIGHT, np.zeros(3, np.float32)) if model else None,
    )


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_picks_distinct_candidates_and_the_same_for_the_same_seed(name: str, task: str) -> None:
    once, again = (Peer(*PEERS[name])(pool(task), 7, np.random.default_rng(3)) for _ in range(2))
    assert len(set(once.positions)) == 7
    assert set(once.positions) <= set(range(60))
    assert (once.positions == again.positions).all()


@pytest.mark.parametrize("name", PEERS)
def test_peers_that_ask_a_model_do_not_run_without_one(name: str) -> None:
    if PEERS[name][0] in ASK_A_MODEL:
        with pytest.raises(NoModelError):
            Peer(*PEERS[name])(pool("single_label", model=False), 7, np.random.default_rng(3))
    else:
        assert (
            len(Peer(*PEERS[name])(pool("single_label", model=False), 7, np.random.default_rng(3)).positions)
            == 7
        )


def test_margin_sampling_asks_our_head() -> None:
    picks = Peer(*PEERS["skactiveml_margin"])(pool("single_label"), 5, np.random.default_rng(3))
    logits = VECTORS @ WEIGHT.T
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    top = np.sort(chances, axis=1)
    assert set(picks.positions) == set(np.argsort(top[:, -1] - top[:, -2])[:5])

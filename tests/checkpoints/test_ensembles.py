"""A committee of heads: members that differ as far as the labels leave room, on real digits."""

from __future__ import annotations

import time

import numpy as np
import pytest

from al_assets.checkpoints import ensembles
from al_assets.checkpoints.ensembles import clip_weights, fit_committee
from al_assets.checkpoints.training import TrainingConfig
from al_assets.selection.strategies.bald import mutual_information
from support.digits import digit_frames, trained_head

FRAMES = digit_frames(250, seed=1)
SINGLES = digit_frames(200, seed=3, most=1, least=1)


def committee(frames, task="multi_label", **options):
    return fit_committee(frames.vectors, frames.targets, None, task=task, groups=frames.clips, **options)


@pytest.mark.parametrize(("frames", "task"), [(FRAMES, "multi_label"), (SINGLES, "single_label")])
def test_members_are_probabilities_that_differ(frames, task):
    p = committee(frames, task, members=4).probabilities(frames.vectors)
    assert p.shape == (4, *frames.targets.shape)
    assert p.dtype == np.float32
    assert ((p >= 0) & (p <= 1)).all()
    if task == "single_label":
        np.testing.assert_allclose(p.sum(axis=2), 1, atol=1e-5)
    assert p.std(axis=0).max() > 0.05


@pytest.mark.parametrize(("frames", "task"), [(FRAMES, "multi_label"), (SINGLES, "single_label")])
def test_a_member_fitted_beside_others_is_the_one_fitted_alone(frames, task, monkeypatch):
    drawn = clip_weights(frames.clips, 3, 5)
    together = committee(frames, task, members=3, seed=5, l2=0.1).probabilities(frames.vectors)
    for member in range(3):
        monkeypatch.setattr(ensembles, "clip_weights", lambda *_, at=member: drawn[:, [at]])
        alone = committee(frames, task, members=1, seed=5, l2=0.1).probabilities(frames.vectors)
        np.testing.assert_allclose(
            together[member], alone[0], atol=0.04
        )  # as close as either is to convergence


@pytest.mark.parametrize(("frames", "task"), [(FRAMES, "multi_label"), (SINGLES, "single_label")])
def test_with_equal_weights_a_member_is_the_plain_head(frames, task, monkeypatch):
    monkeypatch.setattr(
        ensembles, "clip_weights", lambda groups, members, seed: np.ones((len(groups), members))
    )
    p = committee(frames, task, members=1, seed=TrainingConfig().seed).probabilities(frames.vectors)
    head = trained_head(frames, task=task, head="logistic")
    np.testing.assert_allclose(p[0], head.probabilities(frames.vectors), atol=5e-3)


def test_the_same_seed_gives_the_same_members_and_another_one_others():
    first, again, other = (committee(FRAMES, members=2, seed=seed).weight for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_clip_is_weighed_as_a_whole_and_none_is_lost():
    weights = clip_weights(np.array([3, 3, 8, 8, 8, 9]), 200, 0)
    assert (weights[0] == weights[1]).all()
    assert (weights[2] == weights[4]).all()
    assert (weights > 0).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1)


def test_frames_of_a_single_clip_are_weighed_apart():
    weights = clip_weights(np.full(6, 4), 3, 0)
    assert len(np.unique(weights[:, 0])) == 6


def test_no_member_forgets_a_class_that_one_clip_shows():
    targets = FRAMES.targets.copy()
    targets[:, 0] = 0
    targets[FRAMES.clips == FRAMES.clips[0], 0] = 1
    fitted = fit_committee(FRAMES.vectors, targets, None, task="multi_label", members=8, groups=FRAMES.clips)
    assert (fitted.weight[:, 0] != 0).any(axis=1).all()


def test_members_disagree_less_the_more_labels_there_are():
    few, many = (
        mutual_information(
            committee(SINGLES[np.arange(count)], "single_label").probabilities(SINGLES.vectors),
            "single_label",
        ).mean()
        for count in (80, len(SINGLES))
    )
    assert many < few


def test_more_frames_than_a_block_holds_change_nothing(monkeypatch):
    fitted = committee(FRAMES, members=2)
    whole = fitted.probabilities(FRAMES.vectors)
    monkeypatch.setattr(ensembles, "CELLS", 100)
    np.testing.assert_allclose(fitted.probabilities(FRAMES.vectors), whole, atol=1e-6)


def test_five_members_cost_about_as_much_as_one_head():
    def seconds(call):
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    head = min(seconds(lambda: trained_head(FRAMES, head="logistic")) for _ in range(3))
    five = min(seconds(lambda: committee(FRAMES)) for _ in range(3))
    assert five < 4 * head


def test_what_cannot_be_learned_from_is_refused_by_name():
    nothing = np.full_like(FRAMES.targets, -1)
    with pytest.raises(ValueError, match="label a batch first"):
        fit_committee(FRAMES.vectors, nothing, None, task="multi_label")
    broken = FRAMES.vectors.copy()
    broken[3, 0] = np.nan
    with pytest.raises(ValueError, match="embed them again"):
        fit_committee(broken, FRAMES.targets, None, task="multi_label")
    with pytest.raises(ValueError, match="members = 0"):
        committee(FRAMES, members=0)
    with pytest.raises(ValueError, match="use the embedder of its labels"):
        committee(FRAMES, members=1).probabilities(FRAMES.vectors[:, :-1])

"""ActiveLab: as its authors' library has it, and when another opinion goes before a first one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from al_assets.review.second_opinions import (
    JudgedFrames,
    Opinions,
    Trust,
    model_right,
    score_frames,
    score_judged,
    score_open,
    score_pool,
    trust,
    worth_asking_again,
)


def opinions(seed: int, questions: int = 200, answers: int = 4) -> tuple[np.ndarray, Opinions]:
    """(q, 2) answers of two annotators, the second of whom skips every third question, and a model's."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, answers, questions)
    said = np.where(
        rng.random((questions, 2)) < 0.8, truth[:, None], rng.integers(0, answers, (questions, 2))
    )
    said = said.astype(float)
    said[::3, 1] = np.nan
    p = rng.dirichlet(np.ones(answers), questions) * 0.4
    p[np.arange(questions), truth] += 0.6
    votes = np.stack([np.nansum(said == answer, axis=1) for answer in range(answers)], axis=1).astype(int)
    return said, Opinions(votes, p)


@pytest.mark.parametrize("seed", range(4))
def test_weights_and_quality_are_those_of_cleanlab(seed: int) -> None:
    from cleanlab.multiannotator import get_label_quality_multiannotator

    said, ours = opinions(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = get_label_quality_multiannotator(
            said,
            ours.probabilities,
            consensus_method="majority_vote",
            calibrate_probs=False,
            return_weights=True,
            return_annotator_stats=False,
            return_detailed_quality=False,
            verbose=False,
        )
    weights = trust(ours)
    assert weights.model == pytest.approx(theirs["model_weight"])
    assert [weights.annotator] * 2 == pytest.approx(list(theirs["annotator_weight"]))
    quality = theirs["label_quality"]["consensus_quality_score"].to_numpy()
    known = ours.heard * weights.annotator + weights.model
    activelab = (quality * known + weights.annotator / 4) / (known + weights.annotator)
    same = theirs["label_quality"]["consensus_label"].to_numpy() == ours.consensus()
    assert same.mean() > 0.95
    assert score_judged(ours, weights)[same] == pytest.approx(activelab[same])


def test_open_frames_are_scored_as_cleanlab_does() -> None:
    from cleanlab.multiannotator import get_active_learning_scores

    p = np.random.default_rng(1).dirichlet(np.ones(3), 20)
    _, theirs = get_active_learning_scores(pred_probs_unlabeled=p)
    assert score_open(p.max(axis=1), Trust(), 3) == pytest.approx(theirs)


def judged(present: list[list[int]], votes: list[list[int]], p: list[list[float]]) -> JudgedFrames:
    return JudgedFrames(np.array(present), np.array(votes), np.array(p))


def test_a_divided_frame_is_worth_more_than_an_agreed_one() -> None:
    agreed = [[2, 0]] * 8 + [[0, 2]] * 8
    p = [[0.9, 0.1]] * 8 + [[0.1, 0.9]] * 8
    found = score_frames(judged([*agreed, [1, 1]], [[2, 2]] * 17, [*p, [0.9, 0.1]]), "multi_label")
    assert found.score.argmin() == 16
    assert found.column[16] in (0, 1)


def test_a_young_model_does_not_make_an_expert_repeat_himself_and_a_good_one_does() -> None:
    said = np.repeat([[1, 0], [0, 1]], 20, axis=0)
    good = np.where(said == 1, 0.95, 0.05)
    good[0] = [0.01, 0.99]
    poor = np.where(np.arange(40)[:, None] % 3 == 0, 1 - good, good)
    open_frames = np.tile([0.62, 0.3], (50, 1))
    chosen = {}
    for name, p in (("good", good), ("poor", poor)):
        found = score_frames(JudgedFrames(said, np.ones_like(said), p), "multi_label")
        rivals = score_pool(open_frames, found.weights, "multi_label")
        chosen[name] = worth_asking_again(found.score, rivals, size=10).tolist()
    assert chosen == {"good": [0], "poor": []}


def test_what_the_model_does_not_know_has_no_score() -> None:
    found = score_frames(
        judged([[1, 0], [1, 0]], [[1, 0], [1, 1]], [[np.nan, 0.5], [0.9, np.nan]]), "multi_label"
    )
    assert np.isnan(found.score).tolist() == [True, False]
    assert found.column.tolist() == [-1, 0]


def test_a_class_that_was_never_labelled_takes_nothing_from_the_others() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    votes = np.array([[1, 0], [1, 0], [0, 0]])
    without = score_frames(JudgedFrames(votes, np.ones_like(votes), p), "single_label")
    assert np.isnan(without.score).tolist() == [False, False, True]  # nobody was named in the last
    wider = np.column_stack([p, np.full(3, np.nan)])
    also = np.column_stack([votes, [0, 0, 1]])
    found = score_frames(JudgedFrames(also, np.ones_like(also), wider), "single_label")
    assert np.isnan(found.score).tolist() == [False, False, True]
    assert (found.score[0] > found.score[1]) == (without.score[0] > without.score[1])


def test_a_model_is_right_only_where_it_says_all_that_people_say() -> None:
    targets = np.array([[1, 0, -1], [1, 1, 0], [0, 0, 1], [-1, -1, -1], [0, 0, 0]], dtype=np.int8)
    p = np.array([[0.9, 0.1, 0.9], [0.9, 0.1, 0.1], [0.1, 0.1, np.nan], [0.5, 0.5, 0.5], [0.1, 0.2, 0.1]])
    right = model_right(targets, p, np.full(3, 0.5), "multi_label")
    assert right[[0, 1, 2, 4]].tolist() == [1, 0, 0, 1]  # a class it has not met is missed
    assert np.isnan(right[3])
    single = model_right(
        np.array([[1, 0], [0, 1], [0, 0]], np.int8), p[[0, 1, 4], :2], np.full(2, 0.5), "single_label"
    )
    assert single.tolist() == [1, 0, 0]  # it always names somebody


def test_a_handful_of_second_opinions_does_not_decide_whom_to_trust() -> None:
    p = np.tile([0.05, 0.95], (200, 1))
    votes = np.tile([1, 0], (200, 1))
    votes[100:] = [0, 1]
    p[100:] = [0.95, 0.05]
    votes[:3] = [1, 1]
    weights = trust(Opinions(votes, p))
    assert weights.model < 0.01  # wrong on all that one person judged
    assert weights.annotator == 1


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_no_frame_gives_no_score(task: str) -> None:
    nothing = np.empty((0, 3))
    found = score_frames(JudgedFrames(nothing.astype(int), nothing.astype(int), nothing), task)  # type: ignore[arg-type]
    assert len(found.score) == 0
    assert found.weights == Trust()


def test_judged_frames_come_before_open_ones_only_by_a_lower_score() -> None:
    scores = np.array([0.5, np.nan, 0.1, 0.3])
    assert worth_asking_again(scores, np.array([0.2, 0.3, 0.4]), size=3).tolist() == [2]
    assert worth_asking_again(scores, np.array([0.2, 0.3, 0.4]), size=4).tolist() == [2, 3]
    assert worth_asking_again(scores, np.empty(0), size=9).tolist() == [2, 3, 0]
    assert worth_asking_again(scores, np.array([0.2]), size=0).tolist() == []

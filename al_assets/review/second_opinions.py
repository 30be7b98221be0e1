"""How much another opinion on a judged frame is worth, against a first opinion on an open one: ActiveLab.

Goh, Mueller: ActiveLab: Active Learning with Re-Labeling by Multiple Annotators (2023), with the posterior of their
CROWDLAB (2022). Annotators share one weight here: an archive has two or three, and weights of their own would rest on
the few frames that both of them judged. Where nobody judged what another did, the paper trusts a lone person as it
trusts the model; here the model is trusted by how often it agrees with people, so that a young one does not make an
expert repeat himself. With several classes a frame, each class is a question of its own, and the frame is as doubtful
as its most doubtful class. Not here: whose opinions, or which frames may be asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from al_assets.keys import Task

Floats = npt.NDArray[np.floating]
Counts = npt.NDArray[np.integer]
LEAST = 1e-6
"""Weight of a model or an annotator that is no better than always giving the commonest answer."""
FEWEST = 20
"""Questions with several answers below which they say nothing of who is to be trusted."""
FOR_TRUST = 5_000
BLOCK = 5_000
"""Frames worked on at once: with three hundred classes some tens of MB."""
PERSON_IS_RIGHT = 0.95
"""How likely an annotator gives the true answer, while no second one says how often they agree."""


@dataclass(frozen=True)
class Trust:
    """What an answer of the model and of an annotator weigh, and how likely an annotator gives the consensus."""

    model: float = 1.0
    annotator: float = 1.0
    likelihood: float = PERSON_IS_RIGHT


@dataclass(frozen=True)
class Opinions:
    """Answers to questions: rows are questions, columns answers.

    votes: (q, k) counts; probabilities: (q, k) of an out-of-sample model, rows sum to 1.
    """

    votes: Counts
    probabilities: Floats

    @property
    def heard(self) -> npt.NDArray[np.int64]:
        """(q,) opinions on each question."""
        return np.asarray(self.votes.sum(axis=1), dtype=np.int64)

    def consensus(self) -> npt.NDArray[np.intp]:
        """(q,) the answer with most votes; of a tie, the one the model finds likelier."""
        leading = self.votes == self.votes.max(axis=1, keepdims=True)
        return np.asarray(np.where(leading, self.probabilities, -1.0).argmax(axis=1))


def trust(opinions: Opinions) -> Trust:
    """Weights relative to always giving the commonest answer, from the questions with several opinions if enough."""
    if not len(opinions.votes):
        return Trust()
    heard = opinions.heard
    several = np.flatnonzero(heard > 1)
    several = several if len(several) >= FEWEST else several[:0]
    shown = several if len(several) else np.arange(len(heard))
    consensus = opinions.consensus()[shown]
    baseline = max(1 - np.bincount(consensus).max() / len(shown), LEAST)
    model_error = np.mean(opinions.probabilities[shown].argmax(axis=1) != consensus)
    model = max(1 - model_error / baseline, LEAST)
    if not len(several):
        return Trust(model=model)
    votes, n = opinions.votes[several].astype(np.float64), heard[several]
    agreeing = votes[np.arange(len(several)), consensus]
    pairs = (votes * (votes - 1)).sum(axis=1)
    annotators_agree = pairs.sum() / (n * (n - 1)).sum()
    return Trust(
        model=model * float(np.sqrt(heard.mean())),
        annotator=max(1 - (1 - annotators_agree) / baseline, LEAST),
        likelihood=float(np.mean(agreeing / n)),
    )


def score_judged(opinions: Opinions, weights: Trust) -> npt.NDArray[np.float64]:
    """(q,) in [0, 1] of questions with an opinion: small is worth another."""
    answers = opinions.votes.shape[1]
    heard, rows = opinions.heard, np.arange(len(opinions.votes))
    consensus = opinions.consensus()
    model = opinions.probabilities[rows, consensus].astype(np.float64)
    people = heard * weights.annotator
    known = np.asarray(people + weights.model, dtype=np.float64)
    other = (1 - weights.likelihood) / max(1, answers - 1)
    agreeing = opinions.votes[rows, consensus]
    said = weights.annotator * (agreeing * weights.likelihood + (heard - agreeing) * other)
    quality = (weights.model * model + said) / known
    return _with_prior(quality, known, weights.annotator, answers)


def score_open(likeliest: Floats, weights: Trust, answers: int) -> npt.NDArray[np.float64]:
    """(q,) the same of questions nobody answered; likeliest: (q,) probability of the model's answer."""
    return _with_prior(
        np.asarray(likeliest, dtype=np.float64),
        np.full(len(likeliest), weights.model),
        weights.annotator,
        answers,
    )


def _with_prior(
    quality: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], prior: float, answers: int
) -> npt.NDArray[np.float64]:
    """Quality drawn towards a guess: the less is known of a question, the more."""
    return (quality * weight + prior / answers) / (weight + prior)


@dataclass(frozen=True)
class JudgedFrames:
    """What people said of some frames and what an out-of-sample model makes of them; all (n, k).

    present, judged: votes for a class, and votes on it; probabilities: NaN where not known.
    """

    present: Counts
    judged: Counts
    probabilities: Floats

    def rows(self, part: slice | npt.NDArray[np.intp]) -> JudgedFrames:
        """Some of the frames."""
        return JudgedFrames(self.present[part], self.judged[part], self.probabilities[part])


@dataclass(frozen=True)
class Scores:
    """score: (n,), NaN where the model cannot say. column: (n,) class that decides it, -1 for the frame as a whole."""

    score: npt.NDArray[np.float64]
    column: npt.NDArray[np.intp]
    weights: Trust


def score_frames(frames: JudgedFrames, task: Task) -> Scores:
    """ActiveLab score of judged frames. Trust rests on those that several people judged, else on FOR_TRUST of them."""
    several = np.flatnonzero(frames.judged.max(axis=1, initial=0) > 1)
    weights = trust(_questions(frames.rows(several), task)[0])
    if not len(several) or len(_questions(frames.rows(several), task)[0].votes) < FEWEST:
        step = max(1, len(frames.judged) // FOR_TRUST)
        weights = trust(_questions(frames.rows(slice(None, None, step)), task)[0])
    score, column = np.full(len(frames.judged), np.nan), np.full(len(frames.judged), -1, np.intp)
    for start in range(0, len(score), BLOCK):
        part = slice(start, start + BLOCK)
        score[part], column[part] = _scored(frames.rows(part), weights, task)
    return Scores(score, column, weights)


def _questions(
    frames: JudgedFrames, task: Task
) -> tuple[Opinions, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """What was asked, with the frame and the class of each question (-1: all classes at once).

    single_label: which class; what the model has not met it gives no probability. A frame whose own class it has not
    met is no question. multi_label: whether the class is there.
    """
    if task == "single_label":
        voted = frames.present.sum(axis=1) > 0
        met = np.isfinite(frames.probabilities)
        rows = np.flatnonzero(voted & (met | (frames.present == 0)).all(axis=1) & met.any(axis=1))
        met_only = np.nan_to_num(frames.probabilities[rows].astype(np.float64))
        p = met_only / np.maximum(met_only.sum(axis=1, keepdims=True), LEAST)
        return Opinions(frames.present[rows], p), rows, np.full(len(rows), -1, np.intp)
    rows, columns = np.nonzero((frames.judged > 0) & np.isfinite(frames.probabilities))
    present, there = frames.present[rows, columns], frames.probabilities[rows, columns]
    votes = np.column_stack([frames.judged[rows, columns] - present, present])
    return Opinions(votes, np.column_stack([1 - there, there])), rows, columns


def _scored(
    frames: JudgedFrames, weights: Trust, task: Task
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    opinions, rows, columns = _questions(frames, task)
    worth = score_judged(opinions, weights)
    order = np.argsort(worth, kind="stable")
    first = np.unique(rows[order], return_index=True)
    score, column = np.full(len(frames.judged), np.nan), np.full(len(frames.judged), -1, np.intp)
    score[first[0]], column[first[0]] = worth[order[first[1]]], columns[order[first[1]]]
    return score, column


def score_pool(probabilities: Floats, weights: Trust, task: Task) -> npt.NDArray[np.float64]:
    """(n,) ActiveLab score of open frames from the model's probabilities (n, k)."""
    if task == "single_label":
        return score_open(probabilities.max(axis=1), weights, probabilities.shape[1])
    doubt = np.maximum(probabilities, 1 - probabilities).min(axis=1)
    return score_open(doubt, weights, 2)


def model_right(
    targets: npt.NDArray[np.int8], probabilities: Floats, thresholds: Floats, task: Task
) -> npt.NDArray[np.float64]:
    """(n,) 1 where the model says of a frame all that people say, 0 where not, NaN where nobody judged any class.

    targets: (n, k), 1 present, 0 absent, -1 not judged; probabilities: (n, k), NaN where the model has not met the
    class, which it then cannot name; thresholds: (k,) from which a class counts as present. A single_label model always
    names a class, so it is wrong where nobody is there.
    """
    judged = targets >= 0
    named = np.nan_to_num(probabilities, nan=-1.0)
    if task == "single_label":
        says = np.zeros(targets.shape, dtype=bool)
        says[np.arange(len(targets)), named.argmax(axis=1)] = True
    else:
        says = named >= thresholds
    right = (~judged | (says == (targets == 1))).all(axis=1)
    return np.where(judged.any(axis=1), right.astype(np.float64), np.nan)


def worth_asking_again(
    judged: npt.NDArray[np.float64], open_scores: npt.NDArray[np.float64], size: int
) -> npt.NDArray[np.intp]:
    """Positions of judged frames that a batch of `size` frames would take before open ones, lowest score first.

    A frame of the same score as an open one waits: a first opinion brings more. NaN is never taken.
    """
    known = np.flatnonzero(np.isfinite(judged))
    ordered = known[np.argsort(judged[known], kind="stable")]
    rivals = np.sort(open_scores)
    ahead = np.searchsorted(rivals, judged[ordered], side="right") + np.arange(len(ordered))
    return ordered[ahead < size]

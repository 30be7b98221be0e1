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
    """Weights relative to always giving the commonest answer, from the questions with several opinions if any."""
    if not len(opinions.votes):
        return Trust()
    heard = opinions.heard
    several = np.flatnonzero(heard > 1)
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


@dataclass(frozen=True)
class Scores:
    """score: (n,), NaN where the model cannot say. column: (n,) class that decides it, -1 for the frame as a whole."""

    score: npt.NDArray[np.float64]
    column: npt.NDArray[np.intp]
    weights: Trust


def score_frames(frames: JudgedFrames, task: Task) -> Scores:
    """ActiveLab score of judged frames."""
    n, k = frames.present.shape
    if task == "single_label":
        rows = np.flatnonzero(
            (frames.present.sum(axis=1) > 0) & np.isfinite(frames.probabilities).all(axis=1)
        )
        score, column = np.full(n, np.nan), np.full(n, -1, np.intp)
        opinions = Opinions(frames.present[rows], frames.probabilities[rows])
        weights = trust(opinions)
        score[rows] = score_judged(opinions, weights)
        return Scores(score, column, weights)
    cells = (frames.judged > 0) & np.isfinite(frames.probabilities)
    present, p = frames.present[cells], frames.probabilities[cells]
    opinions = Opinions(
        np.column_stack([frames.judged[cells] - present, present]), np.column_stack([1 - p, p])
    )
    weights = trust(opinions)
    by_class = np.full((n, k), np.inf)
    by_class[cells] = score_judged(opinions, weights)
    column = by_class.argmin(axis=1) if k else np.full(n, -1, np.intp)
    score = by_class.min(axis=1, initial=np.inf)
    known = np.isfinite(score)
    return Scores(np.where(known, score, np.nan), np.where(known, column, -1), weights)


def score_pool(probabilities: Floats, weights: Trust, task: Task) -> npt.NDArray[np.float64]:
    """(n,) ActiveLab score of open frames from the model's probabilities (n, k)."""
    if task == "single_label":
        return score_open(probabilities.max(axis=1), weights, probabilities.shape[1])
    doubt = np.maximum(probabilities, 1 - probabilities).min(axis=1)
    return score_open(doubt, weights, 2)


def model_right(
    targets: npt.NDArray[np.int8], probabilities: Floats, thresholds: Floats, task: Task
) -> npt.NDArray[np.float64]:
    """(n,) 1 where the model says of a frame all that people say, 0 where not, NaN where it knows no class judged.

    targets, probabilities: (n, k) as for confident learning; thresholds: (k,) from which a class counts as present.
    """
    known = (targets >= 0) & np.isfinite(probabilities)
    if task == "single_label":
        usable = np.isfinite(probabilities).all(axis=1) & ((targets == 1).sum(axis=1) == 1)
        right = np.where(known, probabilities, -1).argmax(axis=1) == targets.argmax(axis=1)
    else:
        usable = known.any(axis=1)
        right = (~known | ((probabilities >= thresholds) == (targets == 1))).all(axis=1)
    return np.where(usable, right.astype(np.float64), np.nan)


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

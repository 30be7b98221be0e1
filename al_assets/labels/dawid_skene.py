"""How reliable each annotator is, and what is true given what they said: Dawid and Skene's model (1979).

Dawid, Skene: Maximum likelihood estimation of observer error-rates using the EM algorithm, Applied Statistics
28(1). Ours and not a library's: the one that is kept up, crowd-kit, brings transformers and a model hub with it and
wants a row per frame, class and annotator, which three hundred individuals make hundreds of millions of. Not here:
which annotations stand, and labels of frames that one annotator judged (there is nothing to weigh).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Codes = npt.NDArray[np.int8]

ITERATIONS = 200
CONVERGED = 1e-6
PRIOR_STRENGTH = 8.0
PRIOR_ACCURACY = 0.6
"""Dirichlet prior of each row of an annotator's confusion: eight imagined answers, six in ten right, as in the R
package rater (Pullin, Gurrin, Vukcevic 2023). Without one, a handful of frames makes annotators infallible."""
CELLS = 2_000_000
"""Annotations times answers worked on at once, in float64."""


@dataclass(frozen=True)
class Reliability:
    """Estimated confusions: (annotators, answers, answers), [j, k, l] the chance that j says l where k is true.

    prevalence: (answers,), or (classes,) where the answers are absent and present of each class.
    """

    confusion: Floats
    prevalence: Floats


def fit_answers(annotator: Ints, answer: Ints, first: Ints, *, annotators: int, answers: int) -> Reliability:
    """One answer a frame out of several: the full model.

    annotator, answer: (n,) of each annotation, those of one frame together; first: (frames,) where each frame's
    begin. Starts from the shares of votes, so that with annotators of equal merit the majority decides.
    """
    frames = len(first)
    frame_of = np.repeat(np.arange(frames), np.diff(np.r_[first, len(answer)]))
    truth = np.zeros((frames, answers))
    np.add.at(truth, (frame_of, answer), 1.0)
    truth /= truth.sum(axis=1, keepdims=True)
    prior = _prior(answers)
    found = Reliability(np.broadcast_to(prior, (annotators, answers, answers)), truth.mean(axis=0))
    for _ in range(ITERATIONS):
        counts = np.zeros((annotators, answers, answers))
        np.add.at(counts.transpose(0, 2, 1), (annotator, answer), truth[frame_of])
        found = Reliability(_rows(counts + prior), (truth.sum(axis=0) + 1) / (frames + answers))
        before, truth = truth, posterior_of_answers(found, annotator, answer, first)
        if np.abs(truth - before).max(initial=0) < CONVERGED:
            break
    return found


def posterior_of_answers(found: Reliability, annotator: Ints, answer: Ints, first: Ints) -> Floats:
    """(frames, answers): how likely each answer is true."""
    said = np.log(found.confusion).transpose(0, 2, 1)[annotator, answer]
    score = np.add.reduceat(said, first, axis=0) + np.log(found.prevalence)
    return _rows(np.exp(score - score.max(axis=1, keepdims=True)))


def fit_classes(annotator: Ints, said: Codes, first: Ints, *, annotators: int) -> Reliability:
    """Each class present or absent: an annotator's two error rates are one for all classes, prevalence is by class.

    said: (n, classes), 1 present, 0 absent, -1 not judged. Rates by class would rest on the few frames that show
    a rare individual twice.
    """
    classes = said.shape[1]
    prior = _prior(2)
    found = Reliability(np.broadcast_to(prior / PRIOR_STRENGTH, (annotators, 2, 2)), np.full(classes, np.nan))
    truth = _shares(said, first)
    for _ in range(ITERATIONS):
        counts = np.zeros((annotators, 2, 2))
        for rows, frames in _blocks(said, first):
            weight = np.repeat(truth[frames], np.diff(np.r_[first[frames], rows.stop]), axis=0)
            for vote in (0, 1):
                cast = said[rows] == vote
                for true, share in ((0, 1 - weight), (1, weight)):
                    np.add.at(counts[:, true, vote], annotator[rows], np.where(cast, share, 0).sum(axis=1))
        judged = np.isfinite(truth)
        present = np.where(judged, truth, 0).sum(axis=0)
        found = Reliability(_rows(counts + prior), (present + 1) / (judged.sum(axis=0) + 2))
        before, truth = truth, posterior_of_classes(found, annotator, said, first)
        if np.nanmax(np.abs(truth - before), initial=0) < CONVERGED:
            break
    return found


def posterior_of_classes(found: Reliability, annotator: Ints, said: Codes, first: Ints) -> Floats:
    """(frames, classes): how likely each class is present; NaN where nobody judged it."""
    odds = np.log(found.confusion[:, 1]) - np.log(found.confusion[:, 0])
    out = np.empty((len(first), said.shape[1]))
    prior = np.log(found.prevalence) - np.log1p(-found.prevalence)
    for rows, frames in _blocks(said, first):
        votes, who = said[rows], annotator[rows]
        evidence = np.where(votes == 1, odds[who, 1][:, None], odds[who, 0][:, None])
        starts = first[frames] - rows.start
        score = np.add.reduceat(np.where(votes < 0, 0.0, evidence), starts, axis=0) + prior
        judged = np.add.reduceat((votes >= 0).astype(np.int32), starts, axis=0)
        out[frames] = np.where(judged > 0, 1 / (1 + np.exp(-score)), np.nan)
    return out


def _blocks(said: Codes, first: Ints) -> list[tuple[slice, slice]]:
    """Ranges of annotations with the frames that they are of, each frame whole."""
    stride = max(1, CELLS // max(1, said.shape[1]))
    edges = np.r_[first, len(said)]
    blocks, start = [], 0
    while start < len(first):
        stop = max(start + 1, int(np.searchsorted(edges, edges[start] + stride, side="right")) - 1)
        blocks.append((slice(int(edges[start]), int(edges[stop])), slice(start, stop)))
        start = stop
    return blocks


def _shares(said: Codes, first: Ints) -> Floats:
    """(frames, classes): share of the votes for each class; NaN where there is none."""
    present = np.add.reduceat((said == 1).astype(np.int32), first, axis=0)
    judged = np.add.reduceat((said >= 0).astype(np.int32), first, axis=0)
    shares: Floats = np.full(present.shape, np.nan)
    np.divide(present, judged, out=shares, where=judged > 0)
    return shares


def _prior(answers: int) -> Floats:
    """(answers, answers) imagined answers: the more on the diagonal."""
    wrong = PRIOR_STRENGTH * (1 - PRIOR_ACCURACY) / max(1, answers - 1)
    prior = np.full((answers, answers), wrong)
    np.fill_diagonal(prior, PRIOR_STRENGTH * PRIOR_ACCURACY)
    return prior


def _rows(weights: Floats) -> Floats:
    """Last axis to sum 1."""
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))

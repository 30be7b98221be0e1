"""How reliable each annotator is, and what is true given what they said: Dawid and Skene's model (1979).

Dawid, Skene: Maximum likelihood estimation of observer error-rates using the EM algorithm, Applied Statistics
28(1). Ours and not a library's: the one that is kept up, crowd-kit, brings transformers and a model hub with it and
wants a row per frame, class and annotator, which three hundred individuals make hundreds of millions of. Not here:
which annotations stand, and labels of frames that one annotator judged (there is nothing to weigh).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Codes = npt.NDArray[np.int8]

ITERATIONS = 50
CLASS_ITERATIONS = 200
"""Most steps: of answers one takes a tenth of a second with 300 of them, of classes some milliseconds."""
CONVERGED = 1e-4
"""Most that a probability may still move. Steps below it decide no label that a person would call decided."""
PRIOR_STRENGTH = 8.0
PRIOR_ACCURACY = 0.6
"""Dirichlet prior of each row of an annotator's confusion: eight imagined answers, six in ten right, as in the R
package rater (Pullin, Gurrin, Vukcevic 2023). Without one, a handful of frames makes annotators infallible."""
CELLS = 250_000
"""Annotations times answers worked on at once, in float64: what a core holds beside it."""


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
    sizes = np.diff(np.r_[first, len(answer)])
    frame_of = np.repeat(np.arange(frames), sizes)
    votes = np.bincount(frame_of * answers + answer, minlength=frames * answers).reshape(frames, answers)
    truth = votes / sizes[:, None]
    prior = _prior(answers)
    # By who said what: the rows of one cell of the confusions then lie together.
    told = annotator * answers + answer
    order = np.argsort(told, kind="stable")
    told, frame_of = told[order], frame_of[order]
    for _ in range(ITERATIONS):
        counts = _sums(truth, frame_of, told, annotators * answers)
        confusion = counts.reshape(annotators, answers, answers).transpose(0, 2, 1) + prior
        found = Reliability(_rows(confusion), (truth.sum(axis=0) + 1) / (frames + answers))
        before, truth = truth, posterior_of_answers(found, annotator, answer, first)
        before -= truth
        if max(before.max(initial=0), -before.min(initial=0)) < CONVERGED:
            break
    return found


def _sums(truth: Floats, frame_of: Ints, told: Ints, cells: int) -> Floats:
    """(cells, answers): sums of the frames' rows by what was told, which is in order."""
    sums = np.zeros((cells, truth.shape[1]))
    stride = max(1, CELLS // truth.shape[1])
    for start in range(0, len(told), stride):
        block = told[start : start + stride]
        begins = np.flatnonzero(np.r_[True, block[1:] != block[:-1]])
        sums[block[begins]] += np.add.reduceat(truth[frame_of[start : start + stride]], begins, axis=0)
    return sums


def posterior_of_answers(found: Reliability, annotator: Ints, answer: Ints, first: Ints) -> Floats:
    """(frames, answers): how likely each answer is true."""
    answers = len(found.prevalence)
    chance = np.log(found.confusion.transpose(0, 2, 1)).reshape(-1, answers)
    told, prior = annotator * answers + answer, np.log(found.prevalence)
    out = np.empty((len(first), answers))
    for rows, frames in _blocks(first, len(answer), answers):
        score = np.add.reduceat(chance[told[rows]], first[frames] - rows.start, axis=0)
        score += prior
        score -= score.max(axis=1, keepdims=True)
        np.exp(score, out=score)
        np.divide(score, score.sum(axis=1, keepdims=True), out=out[frames])
    return out


def fit_classes(annotator: Ints, said: Codes, first: Ints, *, annotators: int) -> Reliability:
    """Each class present or absent: an annotator's two error rates are one for all classes, prevalence is by class.

    said: (n, classes), 1 present, 0 absent, -1 not judged. Rates by class would rest on the few frames that show
    a rare individual twice.
    """
    classes, prior = said.shape[1], _prior(2)
    cells = _Cells.of(annotator, said, first, annotators=annotators)
    votes = np.bincount(cells.of_vote, minlength=len(cells.frames))
    truth = np.bincount(cells.of_vote, cells.told % 2, len(cells.frames)) / votes
    judged = np.bincount(cells.class_at, cells.frames, classes)
    for _ in range(CLASS_ITERATIONS):
        counts = np.empty((annotators, 2, 2))
        for true, share in ((0, 1 - truth), (1, truth)):
            weight = (cells.frames * share)[cells.of_vote]
            counts[:, true] = np.bincount(cells.told, weight, 2 * annotators).reshape(-1, 2)
        present = np.bincount(cells.class_at, cells.frames * truth, classes)
        found = Reliability(_rows(counts + prior), (present + 1) / (judged + 2))
        before, truth = truth, cells.posterior(found)
        if np.abs(truth - before).max(initial=0) < CONVERGED:
            break
    return found


@dataclass(frozen=True)
class _Cells:
    """Judged classes of frames, those merged to one at which the same annotators gave one class the same votes.

    Of a class, most frames are like many others: nobody there said that it is present. class_at, frames: (cells,) the
    class, and how many frames are so. of_vote, told: (votes,) the cell, and twice the annotator, plus 1 for present.
    """

    class_at: Ints
    frames: Floats
    of_vote: Ints
    told: Ints

    @classmethod
    def of(cls, annotator: Ints, said: Codes, first: Ints, *, annotators: int) -> _Cells:
        # Random words of 64 bits, summed: equal for equal sets of votes, and for others by a chance of 1 in 2**64.
        words = np.random.default_rng(0).integers(2**64, size=(annotators, 3), dtype=np.uint64)
        words[:, -1] = 0
        edges = np.r_[first, len(said)]
        parts: list[tuple[Ints, ...]] = []
        number = 0
        for class_at in range(said.shape[1]):
            column = said[:, class_at]
            sums = np.add.reduceat(words[annotator, column], first)
            judged = np.flatnonzero(np.maximum.reduceat(column, first) >= 0)
            _, sample, frames = np.unique(sums[judged], return_index=True, return_counts=True)
            chosen = judged[sample]
            sizes = edges[chosen + 1] - edges[chosen]
            # The rows of the chosen frames, one after the other.
            rows = np.repeat(edges[chosen] - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
            of_vote = np.repeat(np.arange(number, number + len(chosen)), sizes)
            cast = column[rows] >= 0
            told = 2 * annotator[rows[cast]] + column[rows[cast]]
            parts.append((np.full(len(chosen), class_at), frames, of_vote[cast], told))
            number += len(chosen)
        classes, counts, of_votes, all_told = (np.concatenate(part) for part in zip(*parts, strict=True))
        return cls(classes, counts.astype(np.float64), of_votes, all_told)

    def posterior(self, found: Reliability) -> Floats:
        """(cells,): how likely the class is present."""
        odds = np.log(found.confusion[:, 1]) - np.log(found.confusion[:, 0])
        prior = np.log(found.prevalence) - np.log1p(-found.prevalence)
        score = np.bincount(self.of_vote, odds.ravel()[self.told], len(self.frames)) + prior[self.class_at]
        return np.asarray(1 / (1 + np.exp(-score)))


def posterior_of_classes(found: Reliability, annotator: Ints, said: Codes, first: Ints) -> Floats:
    """(frames, classes): how likely each class is present; NaN where nobody judged it."""
    odds = np.log(found.confusion[:, 1]) - np.log(found.confusion[:, 0])
    out = np.empty((len(first), said.shape[1]))
    prior = np.log(found.prevalence) - np.log1p(-found.prevalence)
    for rows, frames in _blocks(first, len(said), said.shape[1]):
        votes, who = said[rows], annotator[rows]
        evidence = np.where(votes == 1, odds[who, 1][:, None], odds[who, 0][:, None])
        starts = first[frames] - rows.start
        score = np.add.reduceat(np.where(votes < 0, 0.0, evidence), starts, axis=0) + prior
        judged = np.add.reduceat((votes >= 0).astype(np.int32), starts, axis=0)
        out[frames] = np.where(judged > 0, 1 / (1 + np.exp(-score)), np.nan)
    return out


def _blocks(first: Ints, rows: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Ranges of annotations with the frames that they are of, each frame whole; width: answers of each."""
    stride = max(1, CELLS // max(1, width))
    edges = np.r_[first, rows]
    start = 0
    while start < len(first):
        stop = max(start + 1, int(np.searchsorted(edges, edges[start] + stride, side="right")) - 1)
        yield slice(int(edges[start]), int(edges[stop])), slice(start, stop)
        start = stop


def _prior(answers: int) -> Floats:
    """(answers, answers) imagined answers: the more on the diagonal."""
    wrong = PRIOR_STRENGTH * (1 - PRIOR_ACCURACY) / max(1, answers - 1)
    prior = np.full((answers, answers), wrong)
    np.fill_diagonal(prior, PRIOR_STRENGTH * PRIOR_ACCURACY)
    return prior


def _rows(weights: Floats) -> Floats:
    """Last axis to sum 1."""
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))

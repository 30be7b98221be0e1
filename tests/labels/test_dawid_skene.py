"""Dawid and Skene's model: known error rates are found again, and weighed votes beat counted ones."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from al_assets.labels.dawid_skene import fit_answers, fit_classes, posterior_of_answers, posterior_of_classes
from labels.test_consensus import vote

CAREFUL, SLOPPY = 0.95, 0.55
ACCURACIES = np.array([CAREFUL, SLOPPY, SLOPPY, SLOPPY])


def answers(frames: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(frames,) truth, (frames * annotators,) annotator and answer: wrong ones are drawn evenly."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes, frames, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    said = np.repeat(truth, len(ACCURACIES)).reshape(frames, -1)
    wrong = rng.random(said.shape) > ACCURACIES
    said = np.where(wrong, (said + rng.integers(1, classes, said.shape)) % classes, said)
    return truth, np.tile(np.arange(len(ACCURACIES)), frames), said.ravel()


@pytest.mark.parametrize("seed", range(3))
def test_weighed_answers_are_right_where_the_sloppy_outvote_the_careful(seed: int) -> None:
    truth, annotator, answer = answers(600, 4, seed)
    first = np.arange(0, len(answer), len(ACCURACIES))
    found = fit_answers(annotator, answer, first, annotators=len(ACCURACIES), answers=4)
    accuracy = np.einsum("jkk,k->j", found.confusion, np.bincount(truth, minlength=4) / len(truth))
    assert accuracy == pytest.approx(ACCURACIES, abs=0.1)
    likely = posterior_of_answers(found, annotator, answer, first)
    tally = np.stack([np.bincount(row, minlength=4) for row in answer.reshape(len(truth), -1)])
    weighed, counted = (np.mean(side.argmax(axis=1) == truth) for side in (likely, tally))
    assert weighed > 0.9
    assert weighed > counted + 0.05


def test_weighed_classes_are_right_where_the_sloppy_outvote_the_careful() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random((800, 5)) < np.array([0.5, 0.3, 0.2, 0.1, 0.05])
    said = np.repeat(truth, 4, axis=0).astype(np.int8)
    accuracy = np.tile([0.97, 0.75, 0.75, 0.75], 800)[:, None]
    said ^= rng.random(said.shape) > accuracy
    said[rng.random(said.shape) < 0.1] = -1
    first, annotator = np.arange(0, len(said), 4), np.tile(np.arange(4), 800)
    found = fit_classes(annotator, said, first, annotators=4)
    assert found.confusion[:, 1, 1] == pytest.approx([0.97, 0.75, 0.75, 0.75], abs=0.05)
    assert found.prevalence == pytest.approx(truth.mean(axis=0), abs=0.04)
    likely = posterior_of_classes(found, annotator, said, first)
    judged = np.isfinite(likely)
    assert np.array_equal(judged, np.maximum.reduceat(said, first, axis=0) >= 0)
    votes = np.where(said >= 0, 2 * said - 1, 0)
    counted = np.add.reduceat(votes, first, axis=0) > 0
    right = [np.mean((side == truth)[judged]) for side in (likely > 0.5, counted)]
    assert right[0] > 0.95
    assert right[0] > right[1] + 0.02


def test_blocks_give_what_one_piece_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    said = rng.integers(-1, 2, (60, 7)).astype(np.int8)
    first, annotator = np.arange(0, 60, 3), np.tile(np.arange(3), 20)
    whole = posterior_of_classes(fit_classes(annotator, said, first, annotators=3), annotator, said, first)
    monkeypatch.setattr("al_assets.labels.dawid_skene.CELLS", 20)
    parts = posterior_of_classes(fit_classes(annotator, said, first, annotators=3), annotator, said, first)
    assert parts == pytest.approx(whole, nan_ok=True)


def test_blocks_of_answers_give_what_one_piece_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    _, annotator, answer = answers(50, 6, 7)
    first = np.arange(0, len(answer), len(ACCURACIES))
    options = {"annotators": len(ACCURACIES), "answers": 6}
    whole = fit_answers(annotator, answer, first, **options)
    monkeypatch.setattr("al_assets.labels.dawid_skene.CELLS", 20)
    parts = fit_answers(annotator, answer, first, **options)
    assert parts.confusion == pytest.approx(whole.confusion)
    likely = [posterior_of_answers(found, annotator, answer, first) for found in (parts, whole)]
    assert likely[0] == pytest.approx(likely[1])


def test_a_fit_holds_no_matrix_of_annotations_by_answers() -> None:
    rng = np.random.default_rng(8)
    votes, each = 40_000, 20
    annotator, answer = rng.integers(0, 20, votes), rng.integers(0, 100, votes)
    first = np.arange(0, votes, each)
    tracemalloc.start()
    fit_answers(annotator, answer, first, annotators=20, answers=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * votes * 100 * 0.8


def test_classes_that_were_merged_for_their_votes_give_what_each_alone_gives() -> None:
    rng = np.random.default_rng(6)
    said = np.where(rng.random((300, 9)) < 0.2, 1, rng.integers(-1, 1, (300, 9))).astype(np.int8)
    first, annotator = (
        np.arange(0, 300, 3),
        rng.permuted(np.tile(np.arange(5), (100, 1)), axis=1)[:, :3].ravel(),
    )
    found = fit_classes(annotator, said, first, annotators=5)
    likely = posterior_of_classes(found, annotator, said, first)
    weight = np.repeat(likely, 3, axis=0)
    counts = np.array(
        [
            [
                [np.sum(share[(said == vote) & (annotator == who)[:, None]]) for vote in (0, 1)]
                for share in (1 - weight, weight)
            ]
            for who in range(5)
        ]
    )
    counts += [[4.8, 3.2], [3.2, 4.8]]
    assert found.confusion == pytest.approx(counts / counts.sum(axis=2, keepdims=True), abs=1e-3)
    prevalence = (np.nansum(likely, axis=0) + 1) / (np.isfinite(likely).sum(axis=0) + 2)
    assert found.prevalence == pytest.approx(prevalence, abs=1e-3)


def disputes(frames: int) -> list[tuple[Any, ...]]:
    """Anna and Ben agree on most frames, Cleo contradicts them; in the last frame, Anna and Cleo are alone."""
    rows: list[tuple[Any, ...]] = []
    for frame in range(frames):
        right, wrong = (1, 2) if frame % 2 else (2, 1)
        rows += [(frame, "anna", [right]), (frame, "ben", [right]), (frame, "cleo", [wrong])]
    return [*rows, (frames, "anna", [1]), (frames, "cleo", [2])]


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_tie_goes_to_the_annotator_who_is_right_elsewhere(task: str) -> None:
    rows = disputes(20)
    options = {"task": task, "class_ids": [1, 2]}
    counted, weighed = vote(*rows, **options), vote(*rows, **options, rule="dawid_skene")
    assert (20, 1) not in counted
    assert weighed[20, 1] == (1, 0.5, 2)
    assert weighed[20, 2] == (0, 0.5, 2)
    assert {key: label for key, label in weighed.items() if key[0] < 20} == counted


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_frames_of_one_annotator_are_as_that_one_says(task: str) -> None:
    rows = [*disputes(10), (50, "cleo", [2]), (51, "cleo", "nobody"), (52, "dora", [1])]
    options = {"task": task, "class_ids": [1, 2]}
    weighed = vote(*rows, **options, rule="dawid_skene")
    assert {key: label for key, label in weighed.items() if key[0] >= 50} == {
        key: label for key, label in vote(*rows, **options).items() if key[0] >= 50
    }


def test_without_a_frame_that_two_judged_both_rules_say_the_same() -> None:
    rows = [(1, "anna", [1]), (2, "ben", [2]), (3, "ben", "cannot_tell")]
    assert vote(*rows, rule="dawid_skene") == vote(*rows)

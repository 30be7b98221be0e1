"""Resampled metrics against scikit-learn on the resampled rows, written out one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.metrics import (
    log_loss as sklearn_log_loss,
)

from al_assets.checkpoints import resampling
from al_assets.checkpoints.calibration import expected_calibration_error
from support.digits import digit_frames, trained_head

HEAD = trained_head(digit_frames(40, seed=1))
FRAMES = digit_frames(60, seed=2)
P = HEAD.probabilities(FRAMES.vectors)


def rows(p=P, targets=FRAMES.targets, clips=FRAMES.clips, task="multi_label"):
    return resampling.judged_rows(
        p, targets, clips, task=task, thresholds=np.full(p.shape[1], 0.3, np.float32)
    )


def repeated(counts, clips):
    """Row numbers of a resample, written out."""
    return np.repeat(np.arange(len(clips)), counts[clips].astype(int))


COUNTS = resampling.clip_counts(60, 5, np.random.default_rng(1))


@pytest.mark.parametrize("draw", range(6))
def test_each_resample_gives_what_scikit_learn_gives_on_its_rows(draw):
    at = repeated(COUNTS[draw], FRAMES.clips)
    p, y = P[at], FRAMES.targets[at]
    said = p >= np.float32(0.3)
    shown = y.any(axis=0)
    found = resampling.class_metrics(rows(), COUNTS)
    scores = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    for name, score in scores.items():
        theirs = score(y, said, average=None, zero_division=0)
        defined = np.isfinite(found[name][draw])
        np.testing.assert_allclose(found[name][draw][defined], theirs[defined])
        assert (defined == (said.any(axis=0) if name == "precision" else shown)).all()
    ours = resampling.average_precisions(rows(), COUNTS)[draw]
    theirs = [average_precision_score(y[:, c], p[:, c]) for c in np.flatnonzero(shown)]
    np.testing.assert_allclose(ours[shown], theirs, rtol=1e-5)
    assert resampling.calibration_error(rows(), COUNTS)[draw] == pytest.approx(
        expected_calibration_error(p, y)
    )
    loss = np.mean([sklearn_log_loss(y[:, c], p[:, c].astype(float), labels=[0, 1]) for c in range(10)])
    assert resampling.log_loss(rows(), COUNTS)[draw] == pytest.approx(loss, rel=1e-4)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([-1, 0, 1])),
        min_size=1,
    ),
    st.integers(0, 99),
)
def test_average_precision_with_ties_and_unjudged_frames_is_scikit_learns(cells, seed):
    clips, p, y = (np.array(column) for column in zip(*cells, strict=True))
    judged = y >= 0
    if not judged.any():
        return
    part = rows(p[:, None].astype(np.float32), y[:, None].astype(np.int8), clips)
    counts = resampling.clip_counts(part.clips, 3, np.random.default_rng(seed))
    found = resampling.average_precisions(part, counts)[:, 0]
    for draw in range(4):
        at = repeated(counts[draw], part.clip)
        if not (y[judged][at] == 1).any():
            assert np.isnan(found[draw])
        else:
            assert found[draw] == pytest.approx(average_precision_score(y[judged][at], p[judged][at]))


def test_the_first_row_counts_each_clip_once_and_the_others_as_many_in_all():
    assert COUNTS[0].tolist() == [1] * 60
    assert COUNTS.sum(axis=1).tolist() == [60] * 6


def test_working_in_blocks_of_resamples_changes_nothing(monkeypatch):
    whole = resampling.average_precisions(rows(), COUNTS)
    monkeypatch.setattr(resampling, "_CELLS", 2 * len(FRAMES))
    np.testing.assert_array_equal(resampling.average_precisions(rows(), COUNTS), whole)


def test_single_label_rows_are_decided_by_the_likeliest_class_only():
    one = digit_frames(60, seed=3, most=1, least=1)
    p = trained_head(one, task="single_label").probabilities(one.vectors)
    part = rows(p, one.targets, one.clips, task="single_label")
    share = (p.argmax(axis=1) == one.targets.argmax(axis=1)).mean()
    assert (part.decided.sum(axis=1) == 1).all()
    assert resampling.accuracy(part, np.ones((1, 60)))[0] == pytest.approx(share)


def test_frames_that_nobody_judged_are_left_out():
    targets = FRAMES.targets.copy()
    targets[:40] = -1
    assert len(rows(targets=targets).clip) == len(FRAMES) - 40


def test_cells_that_nobody_judged_count_neither_for_nor_against():
    targets = FRAMES.targets.copy()
    hidden = np.arange(len(FRAMES)) % 3 == 0
    targets[hidden, 0] = -1
    whole, kept = rows(targets=targets), rows(P[~hidden], FRAMES.targets[~hidden], FRAMES.clips[~hidden])
    for name, values in resampling.class_metrics(whole, np.ones((1, 60))).items():
        assert values[0, 0] == resampling.class_metrics(kept, np.ones((1, 60)))[name][0, 0]


def test_nan_probabilities_are_refused_by_row():
    broken = P.copy()
    broken[7, 2] = np.nan
    with pytest.raises(ValueError, match="first in row 7"):
        rows(broken)

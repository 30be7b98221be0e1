"""Folds keep clips whole and spread classes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from al_assets.checkpoints.folds import clip_folds
from support.digits import digit_frames

FRAMES = digit_frames(100, seed=1)


def test_no_clip_straddles_two_folds():
    folds = clip_folds(FRAMES.targets, FRAMES.clips, folds=5, seed=0)
    assert all(len(np.unique(folds[FRAMES.clips == clip])) == 1 for clip in np.unique(FRAMES.clips))


def test_a_class_in_five_clips_shows_in_all_five_folds():
    targets = np.zeros((50, 2), np.int8)
    targets[:5, 0] = 1
    folds = clip_folds(targets, np.arange(50), folds=5, seed=0)
    assert sorted(folds[:5]) == [0, 1, 2, 3, 4]
    assert np.bincount(folds).tolist() == [10] * 5


@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from([-1, 0, 1])), min_size=1, max_size=40),
    st.integers(0, 9),
)
def test_every_row_gets_a_fold_whatever_the_labels(rows, seed):
    groups, marks = (np.array(column) for column in zip(*rows, strict=True))
    folds = clip_folds(marks[:, None].astype(np.int8), groups, folds=5, seed=seed)
    assert set(folds) == set(range(min(5, len(np.unique(groups)))))

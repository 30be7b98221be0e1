"""A hold-out clip that is a training clip once more is found; clips that are merely alike are not."""

import numpy as np
import pytest

from al_assets.checkpoints.leaks import Twin, twins


def clips(count: int, frames: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of clips, each around a direction of its own: frames of one clip have a cosine of about 0.8."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, 1, 64))
    vectors = centres + 0.5 * rng.normal(size=(count, frames, 64))
    return vectors.reshape(-1, 64).astype(np.float16), np.repeat(np.arange(count), frames)


def test_a_clip_that_was_cut_is_found_with_its_original() -> None:
    training, training_clips = clips(5, 6, seed=1)
    holdout, holdout_clips = clips(3, 4, seed=2)
    noise = np.random.default_rng(3).normal(scale=0.02, size=(3, 64))
    holdout[4:7] = training[12:15] + noise
    assert twins(holdout, holdout_clips + 10, training, training_clips) == [Twin(11, 2, 3, 4)]


def test_clips_that_are_merely_alike_are_no_copies() -> None:
    training, training_clips = clips(5, 6, seed=1)
    assert twins(training[::2], training_clips[::2] + 10, training[1::2], training_clips[1::2]) == []


@pytest.mark.parametrize("copied", [1, 2])
def test_one_twin_alone_may_be_chance(copied: int) -> None:
    training, training_clips = clips(4, 6, seed=1)
    holdout, _ = clips(1, 3, seed=2)
    holdout[:copied] = training[:copied]
    found = twins(holdout, np.zeros(3, np.int64), training, training_clips)
    assert bool(found) == (copied == 2)


def test_black_frames_are_nobodys_twins() -> None:
    black = np.zeros((4, 8), np.float16)
    clip = np.zeros(4, np.int64)
    assert twins(black, clip, black, clip) == []


def test_without_hold_out_frames_nothing_leaks() -> None:
    training, training_clips = clips(2, 3, seed=1)
    assert twins(training[:0], training_clips[:0], training, training_clips) == []

"""Label mix and accuracy on new labels, by clips."""

import numpy as np

from al_assets.drift.concept import LabelDrift, concept, label_mix
from al_assets.drift.windows import discrepancy_bound

CLIPS = np.repeat(np.arange(40), 5)
FRESH = CLIPS >= 20


def mix(share: float, seed: int = 0, weights: np.ndarray | None = None) -> LabelDrift | str:
    """Class 1 on a third of earlier frames and on `share` of new ones."""
    first = np.random.default_rng(seed).random(200) < np.where(FRESH, share, 1 / 3)
    shares = np.stack([first, ~first], axis=1).astype(float)
    return label_mix(shares, np.ones(200) if weights is None else weights, CLIPS, FRESH)


def accuracy(right: float, seed: int = 0, sure: float = 0.8) -> LabelDrift | str:
    """A model right on 80 % of earlier frames and on `right` of new ones, `sure` of new ones."""
    hits = np.random.default_rng(seed).random(200) < np.where(FRESH, right, 0.8)
    return concept(hits, np.where(FRESH, sure, 0.8), CLIPS, FRESH)


def test_another_class_mix_is_found_and_the_same_one_is_not() -> None:
    assert mix(0.9).p_value < 0.01
    assert np.mean([mix(1 / 3, seed).p_value < 0.05 for seed in range(12)]) < 0.25


def test_frames_that_were_likely_to_be_drawn_weigh_less() -> None:
    first = np.arange(200) % 2 == 0
    shares, drawn_often = np.stack([first, ~first], axis=1).astype(float), FRESH & first
    even = label_mix(shares, np.ones(200), CLIPS, FRESH)
    weighed = label_mix(shares, np.where(drawn_often, 0.1, 1.0), CLIPS, FRESH)
    assert even.value < 0.05 < weighed.value
    assert weighed.p_value < 0.01


def test_a_model_that_is_wrong_more_often_than_it_expects_is_found() -> None:
    found = accuracy(0.4)
    assert found.p_value < 0.001
    assert found.value < 0.5 < found.reference


def test_hard_frames_that_the_model_knows_to_be_hard_are_no_concept_drift() -> None:
    assert accuracy(0.4, sure=0.4).p_value > 0.05


def test_a_model_that_is_better_than_expected_is_no_news() -> None:
    assert accuracy(0.99).p_value > 0.5


def test_frames_of_one_clip_count_as_one_clip() -> None:
    one = concept(np.zeros(200, bool), np.full(200, 0.9), np.where(FRESH, 99, CLIPS), FRESH)
    assert one == "labels of 1 clips are new and of 20 earlier; 6 each are needed"


def test_clips_that_differ_among_themselves_raise_the_bound_of_a_window() -> None:
    rng = np.random.default_rng(0)
    clips = (np.repeat(np.arange(12), 6), np.repeat(np.arange(12, 20), 6))
    alike = [rng.normal(0, 1, (len(own), 4)) for own in clips]
    shifts = rng.normal(0, 2, (20, 4))
    apart = [frames + shifts[own] for frames, own in zip(alike, clips, strict=True)]
    assert discrepancy_bound(*apart, clips) > 2 * discrepancy_bound(*alike, clips)

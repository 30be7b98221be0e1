import numpy as np
import pytest

from al_assets.drift.statistics import VideoSummary, drift, reference, summarise

SITES = np.eye(4, 64)


def video(number: int, *, light: float = 0.4, site: int | None = None, sharp: float = 120.0) -> VideoSummary:
    """A clip of one of four sites: twenty frames around that site's direction."""
    rng = np.random.default_rng(number)
    vectors = SITES[number % 4 if site is None else site] * 5 + rng.normal(1, 0.15, (20, 64))
    frames = rng.normal(1, 0.02, 20)
    return summarise(f"clip-{number}", light * frames, sharp * frames, vectors.astype(np.float16))


def drifted(summary: VideoSummary, against: list[VideoSummary]) -> set[str]:
    return {found.statistic for found in drift(summary, reference(against)) if found.drifted}


def test_a_video_like_the_reference_does_not_drift() -> None:
    assert drifted(video(40), [video(n) for n in range(8)]) == set()


def test_a_dark_video_drifts_in_brightness_alone() -> None:
    assert drifted(video(40, light=0.1), [video(n) for n in range(8)]) == {"brightness"}


def test_a_blurred_video_drifts_in_sharpness_alone() -> None:
    assert drifted(video(40, sharp=10.0), [video(n) for n in range(8)]) == {"sharpness"}


def test_a_video_of_other_content_drifts_in_its_vectors_alone() -> None:
    alien = summarise("alien", np.full(5, 0.4), np.full(5, 120.0), -np.ones((5, 64), np.float16))
    assert drifted(alien, [video(n) for n in range(8)]) == {"embedding_distance"}


@pytest.mark.parametrize("dark", [1, 2, 3])
def test_dark_videos_in_the_reference_do_not_hide_another_dark_one(dark: int) -> None:
    trained_on = [video(n, light=0.1 if n < dark else 0.4) for n in range(8)]
    assert drifted(video(40, light=0.1), trained_on) == {"brightness"}
    assert drifted(video(0, light=0.1), trained_on) == {"brightness"}
    assert drifted(video(41), trained_on) == set()


def test_a_video_of_the_reference_is_not_compared_with_itself() -> None:
    lonely = summarise("lonely", np.full(5, 0.4), np.full(5, 120.0), -np.ones((5, 64), np.float16))
    assert drifted(lonely, [*(video(n) for n in range(8)), lonely]) == {"embedding_distance"}


def test_threshold_is_a_distance_from_the_reference_in_the_unit_of_the_value() -> None:
    against = reference([video(n) for n in range(8)])
    for found in drift(video(40, light=0.1), against):
        away = abs(found.value - found.reference)
        assert found.drifted == (away > found.threshold)


def test_videos_that_are_nearly_identical_leave_room_for_ordinary_ones() -> None:
    twins = [video(0) for _ in range(8)]
    alike = [
        VideoSummary(f"v{n}", v.frames, v.brightness, v.sharpness, v.direction) for n, v in enumerate(twins)
    ]
    assert drifted(video(4, light=0.38), alike) == set()


def test_black_frames_and_zero_vectors_are_measured_not_refused() -> None:
    black = summarise("black", np.zeros(3), np.zeros(3), np.zeros((3, 64), np.float16))
    assert "brightness" in drifted(black, [video(n) for n in range(8)])


def test_too_small_a_reference_is_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(ValueError, match="3 videos are too few for a reference; 4 are needed"):
        reference([video(n) for n in range(3)])


def test_a_video_without_frames_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="clip-9"):
        summarise("clip-9", np.empty(0), np.empty(0), np.empty((0, 64), np.float16))

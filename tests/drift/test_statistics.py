import numpy as np
import pytest

from al_assets.drift.statistics import VideoScores, VideoSummary, drift, jensen_shannon, reference, summarise

SITES = np.random.default_rng(99).normal(0, 1, (4, 64))
KNOWN = range(24)


def video(number: int, *, light: float = 0.4, site: int | None = None, sharp: float = 120.0) -> VideoSummary:
    """A clip of one of four sites: twenty frames around that site's direction."""
    rng = np.random.default_rng(number)
    vectors = SITES[number % 4 if site is None else site] + rng.normal(1, 0.3, (20, 64))
    frames = rng.normal(1, 0.02, 20)
    return summarise(f"clip-{number}", light * frames, sharp * frames, vectors.astype(np.float16))


def answers(number: int, *, sure: float = 0.8, classes: dict[int, int] | None = None) -> VideoScores:
    rng = np.random.default_rng(number)
    counts = classes or {1: 10 + int(rng.integers(3)), 2: 8 - int(rng.integers(3))}
    return VideoScores(f"clip-{number}", 20, sure + rng.normal(0, 0.02), sure - 0.1, counts)


def odd(summary: VideoSummary, scores: VideoScores | None = None, known=None) -> set[str]:
    against = reference(known or [video(n) for n in KNOWN], [answers(n) for n in range(100, 120)])
    return {found.statistic for found in drift(summary, scores, against) if found.p_value < 0.01}


def test_a_video_like_the_reference_is_not_odd() -> None:
    assert odd(video(40), answers(40)) == set()


def test_a_dark_video_is_odd_in_brightness_alone() -> None:
    assert odd(video(40, light=0.1), answers(40)) == {"brightness"}


def test_a_blurred_video_is_odd_in_sharpness_alone() -> None:
    assert odd(video(40, sharp=10.0), answers(40)) == {"sharpness"}


def test_a_video_of_other_content_is_odd_in_its_vectors_alone() -> None:
    alien = summarise("alien", np.full(5, 0.4), np.full(5, 120.0), -np.ones((5, 64), np.float16))
    assert odd(alien) == {"embedding_distance"}


def test_a_model_that_is_unsure_is_odd_in_confidence() -> None:
    assert "confidence" in odd(video(40), answers(40, sure=0.2))


def test_a_class_that_the_reference_lacks_is_odd_in_the_class_mix_alone() -> None:
    assert odd(video(40), answers(40, classes={3: 20})) == {"class_mix"}


def test_dark_videos_that_the_reference_knows_are_no_news() -> None:
    known = [video(n, light=0.1 if n < 3 else 0.4) for n in KNOWN]
    assert odd(video(40, light=0.1), known=known) == set()


def test_a_video_of_the_reference_is_not_compared_with_itself() -> None:
    lonely = summarise("lonely", np.full(5, 0.4), np.full(5, 120.0), -np.ones((5, 64), np.float16))
    assert odd(lonely, known=[*(video(n) for n in KNOWN), lonely]) == {"embedding_distance"}


def test_without_scores_only_pictures_are_compared() -> None:
    found = drift(video(40), None, reference([video(n) for n in KNOWN], [answers(n) for n in range(9)]))
    assert [one.statistic for one in found] == ["brightness", "sharpness", "embedding_distance"]


def test_threshold_is_where_a_video_compared_alone_would_count() -> None:
    against = reference([video(n) for n in KNOWN])
    for found in drift(video(40, light=0.1), None, against, 0.05):
        away = found.value - found.reference
        beyond = (away if found.statistic == "embedding_distance" else abs(away)) > found.threshold
        assert beyond == (found.p_value < 0.05 / 3), found


def test_videos_that_are_nearly_identical_leave_room_for_ordinary_ones() -> None:
    twin = video(0)
    alike = [VideoSummary(f"v{n}", 20, twin.brightness, twin.sharpness, twin.direction) for n in range(24)]
    assert "brightness" not in odd(video(4, light=0.38), known=alike)


def test_black_frames_and_zero_vectors_are_measured_not_refused() -> None:
    black = summarise("black", np.zeros(3), np.zeros(3), np.zeros((3, 64), np.float16))
    assert "brightness" in odd(black)


def test_too_small_a_reference_is_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(ValueError, match="3 videos are too few for a reference; 20 are needed"):
        reference([video(n) for n in range(3)], fewest=20)


def test_too_few_scored_videos_are_left_out() -> None:
    assert reference([video(n) for n in KNOWN], [answers(1)], fewest=20).answers is None


def test_a_video_without_frames_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="clip-9"):
        summarise("clip-9", np.empty(0), np.empty(0), np.empty((0, 64), np.float16))


def test_jensen_shannon_runs_from_alike_to_apart() -> None:
    assert jensen_shannon(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0.0
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1.0)

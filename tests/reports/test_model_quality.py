import numpy as np

from al_assets.reports.model_quality import NOTHING, confusion_counts, most_confused, reliability


def test_bins_hold_the_mean_probability_the_share_that_is_right_and_the_count() -> None:
    bins = reliability(np.array([0.11, 0.19, 0.95, 1.0]), np.array([0.0, 1.0, 1.0, 1.0]))
    assert [(round(b.confidence, 3), b.right, b.count) for b in bins] == [(0.15, 0.5, 2), (0.975, 1.0, 2)]


def test_of_no_decision_there_is_no_bin() -> None:
    assert reliability(np.empty(0), np.empty(0)) == []


def test_single_labels_are_counted_by_class_meant_and_class_said() -> None:
    targets = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [-1, -1, -1]], dtype=np.int8)
    decided = np.eye(3, dtype=bool)[[0, 2, 1, 0]]
    counts = confusion_counts(decided, targets, "single_label")
    assert counts.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_several_labels_pair_what_was_missed_with_what_was_said_falsely() -> None:
    targets = np.array([[1, 0, 1], [1, 1, -1], [0, 0, 0]], dtype=np.int8)
    decided = np.array([[0, 1, 1], [0, 1, 1], [0, 0, 1]], dtype=bool)
    counts = confusion_counts(decided, targets, "multi_label")
    # Frame 1: 0 missed while 1 was said. Frame 2: 0 missed, and 2 was not judged. Frame 3: 2 said for nothing.
    assert counts.tolist() == [[0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]]
    assert most_confused(counts, ["a", "b", "c"], "multi_label").names == ("a", "b", "c", NOTHING)


def test_of_many_classes_the_two_of_the_largest_errors_are_shown() -> None:
    counts = np.diag(np.full(50, 9.0))
    counts[40, 3], counts[7, 8] = 5, 1
    names = [f"class {n:02}" for n in range(50)]
    shown = most_confused(counts, names, "single_label", limit=2)
    assert shown.names == ("class 03", "class 40")
    assert shown.counts.tolist() == [[9, 0], [5, 9]]
    assert shown.hidden == 48


def test_classes_that_nobody_meant_or_said_are_not_shown() -> None:
    counts = np.array([[2.0, 0, 0], [0, 0, 0], [1, 0, 3]])
    assert most_confused(counts, ["a", "b", "c"], "single_label").names == ("a", "c")

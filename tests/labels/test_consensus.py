"""Votes to labels: majorities, ties, abstentions, what was judged, and boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_assets.labels import ballots as module
from al_assets.labels.consensus import LABEL_SCHEMA, consensus

BOX = (0.1, 0.2, 0.3, 0.4)


def vote(*answers: tuple[Any, ...], **options: Any) -> dict[tuple[int, int], tuple[Any, ...]]:
    """(frame, class) to (present, agreement, annotators) from (frame, annotator, classes or outcome)."""
    table = consensus(*tables(*answers), **{"task": "multi_label", "class_ids": [1, 2, 3], **options})
    assert table.schema == LABEL_SCHEMA
    return {
        (row["frame_id"], row["class_id"]): (row["present"], round(row["agreement"], 3), row["annotators"])
        for row in table.to_pylist()
    }


def tables(*answers: tuple[Any, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    annotations, marks = [], []
    for number, (frame, annotator, said, *more) in enumerate(answers, start=1):
        outcome = said if isinstance(said, str) else "labelled"
        fields = more[0] if more else {}
        annotations.append(
            {
                "annotation_id": number,
                "export_id": 1,
                "frame_id": frame,
                "annotator": annotator,
                "annotated_at": None,
                "outcome": outcome,
                "judged": None,
                **fields,
            }
        )
        for mark in () if isinstance(said, str) else said:
            class_id, box = mark if isinstance(mark, tuple) else (mark, (None,) * 4)
            marks.append((number, class_id, *box))
    columns = ["annotation_id", "export_id", "frame_id", "annotator", "annotated_at", "outcome", "judged"]
    boxes = ["annotation_id", "class_id", "box_x", "box_y", "box_width", "box_height"]
    return pd.DataFrame(annotations, columns=columns), pd.DataFrame(marks, columns=boxes)


def test_what_one_person_did_not_name_is_judged_absent() -> None:
    assert vote((7, "anna", [2])) == {(7, 1): (0, 1, 1), (7, 2): (1, 1, 1), (7, 3): (0, 1, 1)}


def test_nobody_is_knowledge_and_cannot_tell_is_none() -> None:
    assert vote((7, "anna", "nobody")) == {(7, class_id): (0, 1, 1) for class_id in (1, 2, 3)}
    assert vote((7, "anna", "cannot_tell")) == {}
    assert vote((7, "anna", "cannot_tell"), (7, "ben", [1]))[7, 1] == (1, 1, 1)


def test_the_majority_decides_each_class_on_its_own() -> None:
    labels = vote((7, "anna", [1, 2]), (7, "ben", [1]), (7, "cleo", [2, 3]))
    assert labels == {(7, 1): (1, 0.667, 3), (7, 2): (1, 0.667, 3), (7, 3): (0, 0.667, 3)}


def test_a_tie_is_not_knowledge() -> None:
    assert vote((7, "anna", [1, 2]), (7, "ben", [1])) == {(7, 1): (1, 1, 2), (7, 3): (0, 1, 2)}


def test_an_annotator_has_one_vote_the_latest() -> None:
    early, late = pd.Timestamp("2026-11-01", tz="UTC"), pd.Timestamp("2026-11-02", tz="UTC")
    labels = vote((7, "anna", [1], {"annotated_at": late}), (7, "anna", [2], {"annotated_at": early}))
    assert (labels[7, 1], labels[7, 2]) == ((1, 1, 1), (0, 1, 1))


def test_only_judged_classes_get_labels() -> None:
    assert vote((7, "anna", [1], {"judged": (1, 2)})) == {(7, 1): (1, 1, 1), (7, 2): (0, 1, 1)}


def test_a_class_seen_is_judged_though_it_is_not_listed() -> None:
    assert vote((7, "anna", [3], {"judged": [1]})) == {(7, 1): (0, 1, 1), (7, 3): (1, 1, 1)}


def test_all_classes_means_those_that_the_export_could_use() -> None:
    answers = [(7, "anna", [1], {"export_id": 1}), (8, "anna", [1], {"export_id": 2})]
    assert sorted(vote(*answers, since_export={3: 2})) == [(7, 1), (7, 2), (8, 1), (8, 2), (8, 3)]


def test_marks_of_retired_classes_are_left_out() -> None:
    assert vote((7, "anna", [9])) == {(7, class_id): (0, 1, 1) for class_id in (1, 2, 3)}


def test_a_single_label_goes_to_the_answer_with_most_votes() -> None:
    answers = [(7, "anna", [1]), (7, "ben", [1]), (7, "cleo", [2]), (7, "dan", [3]), (7, "eve", "nobody")]
    assert vote(*answers, task="single_label") == {
        (7, 1): (1, 0.4, 5),
        (7, 2): (0, 0.8, 5),
        (7, 3): (0, 0.8, 5),
    }


def test_a_single_label_may_be_nobody_and_a_tie_is_none() -> None:
    nobody = vote((7, "anna", "nobody"), (7, "ben", "nobody"), (7, "cleo", [2]), task="single_label")
    assert {present for present, _, _ in nobody.values()} == {0}
    assert vote((7, "anna", [1]), (7, "ben", [2]), task="single_label") == {}


def boxes(*answers: tuple[Any, ...]) -> dict[tuple[int, int], float | None]:
    table = consensus(*tables(*answers), task="multi_label", class_ids=[1, 2])
    return {(row["frame_id"], row["class_id"]): row["box_x"] for row in table.to_pylist()}


def test_a_box_is_that_of_the_latest_annotation_that_drew_exactly_one() -> None:
    other = (0.5, 0.5, 0.1, 0.1)
    assert boxes((7, "anna", [(1, BOX)]), (7, "ben", [(1, other)]))[7, 1] == 0.5
    assert boxes((7, "anna", [(1, BOX)]), (7, "ben", [(1, BOX), (1, other)]))[7, 1] == 0.1
    assert boxes((7, "anna", [(1, BOX), 2]), (7, "ben", [1]))[7, 1] == 0.1


def test_an_absent_class_has_no_box() -> None:
    assert boxes((7, "anna", [(1, BOX)]), (7, "ben", "nobody"), (7, "cleo", "nobody"))[7, 1] is None


def test_no_annotation_or_no_class_gives_no_label() -> None:
    assert consensus(*tables(), task="multi_label", class_ids=[1]).schema == LABEL_SCHEMA
    assert vote((7, "anna", [1]), class_ids=[]) == {}


ANSWERS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from("abcd"),
        st.sampled_from(["nobody", "cannot_tell"]) | st.sets(st.integers(1, 3), min_size=1).map(list),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=60)
@given(ANSWERS)
def test_the_votes_are_those_that_counting_by_hand_gives(answers: list[tuple[int, str, Any]]) -> None:
    expected = {}
    for frame in {frame for frame, _, _ in answers}:
        last = {annotator: said for at, annotator, said in answers if at == frame}
        votes = [() if said == "nobody" else said for said in last.values() if said != "cannot_tell"]
        for class_id in (1, 2, 3) if votes else ():
            share = sum(class_id in said for said in votes) / len(votes)
            if share != 0.5:
                expected[frame, class_id] = (int(share > 0.5), round(max(share, 1 - share), 3), len(votes))
    assert vote(*answers) == expected


def test_blocks_of_any_size_give_the_same_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    answers = [
        (int(frame), annotator, [1 + int(frame) % 3])
        for frame in rng.integers(0, 40, 50)
        for annotator in "abc"
    ]
    whole = vote(*answers)
    monkeypatch.setattr(module, "CELLS", 7)
    assert vote(*answers) == whole

"""When answers are fetched, and that the same answers become the same file."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.labelling.fetching import answers_file, fetch_due, named
from al_assets.labelling.note import Note, Standing, read_note
from al_assets.labels.formats import read_export
from al_assets.labels.formats.records import ParsedAnnotation

NOON = datetime.fromisoformat("2026-05-01T12:00:00+00:00")
HALF = Standing(answers=5, skipped=1, changed_at=NOON.isoformat())
WHOLE = replace(HALF, answers=9, complete_batch=3)


def due(now: Standing, fetched: Standing | None, minutes: float = 0) -> bool:
    seen_at = NOON + timedelta(minutes=minutes)
    return fetch_due(now, fetched, newest_batch=3, seen_at=seen_at, settle_minutes=10)[0]


def test_answers_are_fetched_once_the_batch_is_complete_or_they_have_settled() -> None:
    assert not due(HALF, None, minutes=9)
    assert due(HALF, None, minutes=10)
    assert due(WHOLE, None)
    assert due(WHOLE, HALF)


def test_what_was_fetched_is_not_fetched_again() -> None:
    assert not due(HALF, HALF, minutes=99)
    assert not due(WHOLE, WHOLE, minutes=99)
    assert not due(Standing(0, 0, ""), None, minutes=99)


def test_a_change_to_a_complete_batch_waits_until_it_has_settled() -> None:
    changed = replace(WHOLE, changed_at=(NOON + timedelta(minutes=1)).isoformat())
    assert not due(changed, WHOLE, minutes=2)
    assert due(changed, WHOLE, minutes=11)


def test_answers_that_were_all_taken_back_are_news() -> None:
    assert due(Standing(0, 0, ""), HALF)


def test_what_is_remembered_is_read_as_it_was_written() -> None:
    note = Note("a1", "http://label", 7, WHOLE)
    assert read_note(note.text()) == note
    assert read_note(Note("a1").text()) == Note("a1")
    named_ones = Note("a1", people={"1": "anna@example.org"})
    assert read_note(named_ones.text()) == named_ones


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"archive": ""}', '{"archive": "a", "project": "7"}', '{"archive": "a", "people": 1}'],
)
def test_a_damaged_note_is_said_plainly(text: str) -> None:
    with pytest.raises(ValueError, match="is damaged; delete it"):
        read_note(text)


def annotation(number: int) -> dict[str, Any]:
    choice = {"type": "choices", "value": {"choices": ["zero"]}}
    return {
        "id": number,
        "completed_by": number % 3,
        "result": [choice],
        "updated_at": "2026-05-01T12:00:00Z",
    }


def task(number: int, annotations: int, noise: int) -> dict[str, Any]:
    mine = [annotation(100 * number + n) for n in range(annotations)]
    passing = {"updated_at": str(noise), "drafts": [noise], "comment_count": noise, "predictions": [noise]}
    return {"id": number, "data": {"frame_id": number}, "annotations": mine, **passing}


@given(st.lists(st.integers(1, 3), max_size=6), st.integers(), st.randoms(use_true_random=False))
def test_the_same_answers_are_the_same_bytes_in_whatever_order_they_come(
    sizes: list[int], noise: int, order: random.Random
) -> None:
    people = {"1": "anna@example.org"}
    first = [task(number, size, 0) for number, size in enumerate(sizes)]
    again = [task(number, size, noise) for number, size in enumerate(sizes)]
    order.shuffle(again)
    for each in again:
        order.shuffle(each["annotations"])
    assert answers_file(first, people) == answers_file(again, people)


def test_an_annotator_is_named_by_e_mail_where_it_is_known() -> None:
    content = answers_file([task(1, 3, 0)], {"0": "0", "1": "anna@example.org"})
    records = list(read_export(io.BytesIO(content)))
    assert all(isinstance(record, ParsedAnnotation) for record in records)
    named = [record.annotator for record in records if isinstance(record, ParsedAnnotation)]
    assert named == ["anna@example.org", "2", "0"]  # annotations 100, 101, 102


def test_a_person_keeps_the_name_they_had_first() -> None:
    exported = [task(1, 3, 0)]
    unknown = named(exported, {}, {})
    assert unknown == {"0": "0", "1": "1", "2": "2"}
    assert named(exported, unknown, {1: "anna@example.org"}) == unknown
    known = named(exported, {}, {1: "anna@example.org"})
    assert known["1"] == "anna@example.org"
    for later in ({}, {1: "anna@example.net"}):
        assert named(exported, known, later) == known
    # Whoever has not answered for a while is not forgotten.
    assert named([], known, {}) == known


def test_the_file_is_a_list_with_a_task_a_line() -> None:
    content = answers_file([task(1, 1, 0), task(2, 1, 0)], {})
    assert [one["id"] for one in json.loads(content)] == [1, 2]
    assert content.count(b"\n") == 2

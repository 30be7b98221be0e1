"""The CSV column `judged_classes`, and cells that our own exports keep from being run as formulas."""

from __future__ import annotations

import io
from typing import Any

import pytest

from al_assets.labels.formats import read_export
from al_assets.labels.formats.records import BrokenRecord

HEADER = "frame_id,label,judged_classes\n"


def read(text: str) -> list[Any]:
    return list(read_export(io.BytesIO(text.encode())))


def test_judged_classes_are_a_json_list_and_empty_means_all() -> None:
    some, every = read(f'{HEADER}7,zero,"[""zero"", ""one""]"\n8,zero,\n')
    assert (some.judged, every.judged) == (("zero", "one"), None)


def test_an_empty_label_beside_a_list_is_nobody_of_those() -> None:
    (record,) = read(f'{HEADER}7,,"[""zero""]"\n')
    assert (record.outcome, record.judged) == ("nobody", ("zero",))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("zero|one", "is not a JSON list of names"),
        ("5", "is not a JSON list of names"),
        ('"[""nobody""]"', "is an answer and no class"),
        ('"[[1]]"', "is not text"),
    ],
)
def test_what_is_no_list_of_names_breaks_the_row(cell: str, reason: str) -> None:
    (record,) = read(f"{HEADER}7,zero,{cell}\n")
    assert isinstance(record, BrokenRecord)
    assert reason in record.reason


def test_rows_of_one_answer_list_the_same() -> None:
    records = read(f'{HEADER}7,zero,"[""zero""]"\n7,one,"[""one""]"\n')
    assert [isinstance(record, BrokenRecord) for record in records] == [True, True]


@pytest.mark.parametrize(
    ("cell", "name"),
    [("'=one", "=one"), ("''=one", "'=one"), ("'one", "'one"), ("=one", "=one"), ("'-1", "-1")],
)
def test_an_apostrophe_before_a_formula_is_taken_away_once(cell: str, name: str) -> None:
    (record,) = read(f"frame_id,label\n7,{cell}\n")
    assert record.marks[0].name == name

"""Judgements of a person, of a day, or single ones taken back, as an export like any other."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from al_assets.labels.formats import open_export, retractions
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, ParsedAnnotation
from al_assets.retraction import NothingToRetractError, Retraction, retract
from support.imports import Imports
from support.small_archives import empty_archive


@pytest.fixture
def imports(tmp_path: Path) -> Iterator[Imports]:
    """Three judgements of one person, on two days."""
    archive = empty_archive(tmp_path)
    imports = Imports(archive)
    imports.csv("a.csv", (0, "zero", "2026-05-01"), (1, "one", "2026-05-01"), (2, "two", "2026-05-02"))
    imports.learn()
    yield imports
    archive.database.close()


def annotator(imports: Imports) -> str:
    return str(imports.archive.labels.live_annotations()[0]["annotator"][0])


def test_a_day_of_a_person_is_taken_back_and_the_undo_of_that_brings_it_back(imports: Imports) -> None:
    wish = Retraction(annotator=annotator(imports), day=date(2026, 5, 1))
    path, count = retract(imports.archive, wish)
    assert (path.split("/")[0], count) == ("label_exports", 2)
    assert imports.labels() == {0: {"zero"}, 1: {"one"}, 2: {"two"}}  # nothing happens before the import
    assert imports.learn() == 1
    assert imports.labels() == {2: {"two"}}
    assert imports.count("annotations") == 5
    imports.archive.labels.undo(2)
    imports.learn("next")
    assert imports.labels() == {0: {"zero"}, 1: {"one"}, 2: {"two"}}


def test_one_judgement_is_taken_back_by_its_number(imports: Imports) -> None:
    rows = imports.archive.labels.live_annotations()[0]
    assert retract(imports.archive, Retraction(annotation_ids=[int(rows["annotation_id"][1])]))[1] == 1
    imports.learn()
    assert imports.labels() == {0: {"zero"}, 2: {"two"}}


def test_a_person_may_judge_again_what_was_taken_back(imports: Imports) -> None:
    retract(imports.archive, Retraction(annotator=annotator(imports)))
    imports.learn()
    assert imports.labels() == {}
    imports.csv("b.csv", (0, "one", datetime.now(UTC).isoformat()))
    imports.learn()
    assert imports.labels() == {0: {"one"}}


def test_a_judgement_whose_clock_is_ahead_is_taken_back_too(imports: Imports) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=5)
    imports.csv("b.csv", (3, "zero", ahead.isoformat()))
    imports.learn()
    assert retract(imports.archive, Retraction(annotator=annotator(imports)))[1] == 4
    imports.learn()
    assert imports.labels() == {}


def test_an_answer_without_a_time_counts_again_after_one_without_a_time_was_taken_back(
    imports: Imports,
) -> None:
    imports.csv("b.csv", (3, "zero"))
    imports.learn()
    retract(imports.archive, Retraction(annotator=annotator(imports)))
    imports.learn()
    assert imports.labels() == {}
    imports.csv("c.csv", (3, "one"))
    imports.learn()
    assert imports.labels() == {3: {"one"}}


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Retraction(), "say whose judgements"),
        (Retraction(annotator="somebody else"), "no judgements by somebody else that stand"),
        (Retraction(annotation_ids=[7]), "no judgements numbered 7 that stand"),
        (Retraction(annotator="unknown", day=date(2020, 1, 1)), "of 2020-01-01 that stand"),
    ],
)
def test_what_is_not_there_cannot_be_taken_back(imports: Imports, wish: Retraction, message: str) -> None:
    with pytest.raises(NothingToRetractError, match=message):
        retract(imports.archive, wish)
    assert len(imports.archive.storage.list("label_exports/")) == 1


def test_records_keep_who_and_what_and_broken_ones_are_named() -> None:
    at = datetime(2026, 5, 3, tzinfo=UTC)
    said = {"frame_id": 7, "source_id": "ls:1", "annotator": "ann", "annotated_at": at - timedelta(days=1)}
    content = json.loads(retractions.write([said], reason="r", at=at))
    content["annotations"] += [{"frame_id": "x", "annotator": "ann"}, 3]
    name, records = open_export(io.BytesIO(json.dumps(content).encode()))
    good, *broken = records
    assert name == "retractions"
    assert isinstance(good, ParsedAnnotation)
    assert (good.frame.frame_id, good.source_id, good.annotator, good.outcome, good.annotated_at) == (
        *(7, "ls:1", "ann", "deleted"),
        at,
    )
    assert [record.position for record in broken if isinstance(record, BrokenRecord)] == [2, 3]


@pytest.mark.parametrize(
    "text", ['{"al_retractions": 1', '{"al_retractions": 1}', '{"al_retractions": [], "annotations": 1}']
)
def test_a_broken_file_is_set_aside(text: str) -> None:
    with pytest.raises(ExportUnreadableError, match="retract again"):
        open_export(io.BytesIO(text.encode()))

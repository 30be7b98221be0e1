"""Records against frames and classes: rows, rejects, counts, repeats, and which annotations stand."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from al_assets.labels.annotations import AnnotationRow, Resolved, resolve
from al_assets.labels.class_book import ClassBook
from al_assets.labels.formats import read_export
from al_assets.labels.formats.records import ExportUnreadableError, FrameReference, ParsedAnnotation
from al_assets.labels.standing import said_last, standing

EXPORTS = Path(__file__).parent / "exports"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
FIRST = 16777216
NOTHING = ClassBook.of([])


class Archive:
    """Ten frames of one clip, and an append-only store of annotations, as the tables would keep them."""

    def __init__(self) -> None:
        self.rows: list[AnnotationRow] = []
        self.exports = itertools.count(1)

    def resolve(self, references: Sequence[FrameReference]) -> list[int | str]:
        found: list[int | str] = []
        for reference in references:
            if reference.frame_id is not None and FIRST <= reference.frame_id < FIRST + 10:
                found.append(reference.frame_id)
            elif reference.image is not None and reference.image.startswith("stills/"):
                found.append(FIRST + int(reference.image[-1]))
            else:
                found.append(f"there is no frame {reference.frame_id}")
        return found

    def find(self, content_keys: Sequence[str]) -> Mapping[str, bool]:
        stand = set(standing(self.frame)["content_key"]) if self.rows else set()
        return {
            row.content_key: row.content_key in stand for row in self.rows if row.content_key in content_keys
        }

    @property
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(
            [{name: getattr(row, name) for name in AnnotationRow.__slots__} for row in self.rows]
        )

    def take_in(self, export: bytes | str | Path, book: ClassBook = NOTHING, **options: Any) -> Resolved:
        """One import, committed."""
        data = export.read_bytes() if isinstance(export, Path) else export
        stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
        options = {"export_id": next(self.exports), "imported_at": NOW, "ledger": self, **options}
        parts = list(resolve(read_export(stream), self, book, **options))
        self.rows += [row for part in parts for row in part.annotations]
        return Resolved(
            annotations=[row for part in parts for row in part.annotations],
            rejects=[row for part in parts for row in part.rejects],
            new_classes=[name for part in parts for name in part.new_classes],
            seen=sum(part.seen for part in parts),
            imported=sum(part.imported for part in parts),
            unchanged=sum(part.unchanged for part in parts),
            classes=parts[-1].classes if parts else book,
        )

    def said(self) -> dict[int, tuple[str, ...]]:
        """Standing outcome or classes per frame."""
        stand = standing(self.frame)
        return {
            row.frame_id - FIRST: (row.outcome, *(mark[0] for mark in row.marks))
            for row in stand.itertuples()
        }


@pytest.fixture
def archive() -> Archive:
    return Archive()


def csv(*rows: str) -> str:
    return "frame_id,label,annotator,annotated_at\n" + "".join(
        f"{FIRST + int(row[0])}{row[1:]}\n" for row in rows
    )


def test_an_export_becomes_rows_with_ids_of_export_and_position(archive: Archive) -> None:
    done = archive.take_in(csv("0,zero,anna,", "1,one,anna,", "0,one,anna,"), export_id=17)
    assert [row.annotation_id for row in done.annotations] == [17 * 2**32 + 1, 17 * 2**32 + 2]
    assert done.new_classes == ["zero", "one"]
    assert done.annotations[0].marks == ((1, None), (2, None))
    assert (done.seen, done.imported, done.rejects) == (3, 3, [])


def test_the_same_export_twice_adds_nothing(archive: Archive) -> None:
    first = archive.take_in(EXPORTS / "label_studio.json")
    again = archive.take_in(EXPORTS / "label_studio.json", first.classes)
    assert (len(first.annotations), first.unchanged) == (8, 0)
    assert (again.annotations, again.seen, again.imported, again.unchanged) == ([], 8, 8, 8)


def test_a_changed_export_adds_only_what_changed(archive: Archive) -> None:
    first = archive.take_in(EXPORTS / "label_studio.json")
    later = archive.take_in(EXPORTS / "label_studio_later_snapshot.json", first.classes)
    assert [(row.source_id, row.frame_id - FIRST) for row in later.annotations] == [("ls:6", 5), ("ls:9", 7)]
    assert later.unchanged == 7
    zero = first.classes.class_id("zero")
    changed = [row for row in standing(archive.frame).itertuples() if row.source_id == "ls:6"]
    assert [(row.export_id, row.marks) for row in changed] == [(2, ((zero, None),))]


def test_an_older_export_that_comes_late_changes_nothing(archive: Archive) -> None:
    later = archive.take_in(EXPORTS / "label_studio_later_snapshot.json")
    before = archive.said()
    assert len(archive.take_in(EXPORTS / "label_studio.json", later.classes).annotations) == 1
    assert archive.said() == before
    assert archive.take_in(EXPORTS / "label_studio.json", later.classes).annotations == []


def test_an_answer_that_an_export_gives_twice_is_one(archive: Archive) -> None:
    annotation = {
        "result": [],
        "completed_by": 1,
        "updated_at": "2026-11-01T00:00:00Z",
    }  # older tools gave no ids
    task = {"id": 1, "data": {"frame_id": FIRST}, "annotations": [annotation, annotation]}
    done = archive.take_in(json.dumps([task]))
    assert (len(done.annotations), done.imported, done.unchanged) == (1, 2, 1)


def test_without_times_the_later_export_wins_and_may_take_its_word_back(archive: Archive) -> None:
    book = archive.take_in(csv("0,zero,anna,", "1,zero,anna,")).classes
    book = archive.take_in(csv("0,one,anna,", "1,zero,anna,"), book).classes
    assert archive.said() == {0: ("labelled", 2), 1: ("labelled", 1)}
    back = archive.take_in(csv("0,zero,anna,", "1,zero,anna,"), book)
    assert (len(back.annotations), back.unchanged) == (1, 1)
    assert archive.said() == {0: ("labelled", 1), 1: ("labelled", 1)}


def test_absence_from_a_newer_export_deletes_nothing(archive: Archive) -> None:
    archive.take_in(csv("0,zero,anna,", "1,zero,anna,"))
    archive.take_in(csv("1,zero,anna,"))
    assert set(archive.said()) == {0, 1}


def test_an_import_repeated_after_a_crash_gives_the_same_rows() -> None:
    first, again = Archive(), Archive()
    export = csv("0,zero,anna,", "1,one,ben,2026-11-01T00:00:00Z", "9,?,ben,")
    assert first.take_in(export).annotations == again.take_in(export).annotations


def test_one_block_or_many_give_the_same_rows() -> None:
    export = EXPORTS / "label_studio_later_snapshot.json"
    whole, piecemeal = Archive().take_in(export), Archive().take_in(export, block=1)
    assert (whole.annotations, whole.new_classes) == (piecemeal.annotations, piecemeal.new_classes)


def test_an_unknown_frame_rejects_every_row_of_its_answer(archive: Archive) -> None:
    done = archive.take_in(f"frame_id,label\n{FIRST + 77},zero\n{FIRST},zero\n{FIRST + 77},one\n")
    assert [(row.position, row.reason) for row in done.rejects] == [
        (1, "there is no frame 16777293"),
        (3, "there is no frame 16777293"),
    ]
    assert (done.seen, done.imported, done.new_classes) == (3, 1, ["zero"])


def test_an_unknown_class_rejects_its_whole_annotation_where_the_settings_say_so(archive: Archive) -> None:
    book = ClassBook.of([(4, "zero", [])])
    done = archive.take_in(
        csv("0,zero,anna,", "0,fifi,anna,", "1,zero,anna,"), book, unknown_classes="reject"
    )
    assert [row.position for row in done.rejects] == [1, 2]
    assert done.rejects[0].reason.startswith("unknown class 'fifi'; add it under [classes]")
    assert (done.seen, done.imported, done.new_classes) == (3, 1, [])


def test_a_class_is_found_by_name_then_alias_then_regardless_of_case() -> None:
    book = ClassBook.of([(1, "Fox", ["Vulpes"]), (2, "fox", []), (3, "Füchsin", ["lynx"])])
    assert [book.class_id(name) for name in ("Fox", "fox", "Vulpes", "vulpes", "LYNX")] == [1, 2, 1, 1, 3]
    assert book.class_id("FOX") is None
    assert book.class_id("Fu\u0308chsin") == 3
    assert book.extended(["owl", "elk"]).class_id("elk") == 5


def test_spellings_that_differ_in_case_or_invisible_edges_are_one_new_class(archive: Archive) -> None:
    done = archive.take_in(csv("0,Owl,anna,", "0,owl,anna,", "1,OWL,anna,", "2,\u200bowl ,anna,"))
    assert len(done.new_classes) == 1
    assert {row.marks for row in done.annotations} == {((1, None),)}


def test_an_export_whose_labels_are_notes_is_set_aside_whole(archive: Archive) -> None:
    rows = "".join(f"{FIRST},note {number},a{number}\n" for number in range(1001))
    with pytest.raises(ExportUnreadableError, match="more than 1000 classes"):
        archive.take_in("frame_id,label,annotator\n" + rows)


def test_two_classes_on_a_frame_are_refused_by_a_single_label_task(archive: Archive) -> None:
    done = archive.take_in(csv("0,zero,anna,", "0,one,anna,", "1,one,anna,"), task="single_label")
    assert [row.position for row in done.rejects] == [1, 2]
    assert done.new_classes == ["one"]


def test_a_time_in_the_future_is_refused_since_nothing_could_ever_correct_it(archive: Archive) -> None:
    done = archive.take_in(csv("0,zero,anna,2926-01-01T00:00:00Z", "1,zero,anna,2026-11-22T05:00:00Z"))
    assert [row.position for row in done.rejects] == [1]
    assert "lies in the future" in done.rejects[0].reason


def test_an_export_of_more_records_than_there_are_ids_is_refused() -> None:
    record = ParsedAnnotation(
        positions=(2**31,), frame=FrameReference(FIRST, None, None, None), outcome="nobody", marks=(), raw=""
    )
    with pytest.raises(ExportUnreadableError, match="cut it into parts"):
        list(resolve([record], Archive(), NOTHING, export_id=1, imported_at=NOW))


def test_two_tools_that_count_from_one_do_not_supersede_each_other(archive: Archive) -> None:
    def export(frame: int) -> str:
        annotation = {"id": 1, "result": [], "completed_by": 1, "updated_at": "2026-11-01T00:00:00Z"}
        return json.dumps([{"id": 1, "data": {"frame_id": FIRST + frame}, "annotations": [annotation]}])

    archive.take_in(export(0))
    archive.take_in(export(1))
    assert set(archive.said()) == {0, 1}


def judged(*rows: tuple[Any, ...]) -> list[int]:
    names = ["annotation_id", "source_id", "frame_id", "annotator", "annotated_at", "outcome", "offset_ms"]
    return standing(pd.DataFrame([(*row, None)[:7] for row in rows], columns=names))["annotation_id"].tolist()


def test_the_later_time_supersedes_whatever_the_order_of_arrival() -> None:
    early, late = NOW, NOW + timedelta(hours=1)
    assert judged((1, "ls:1", 7, "a", late, "nobody"), (2, "ls:1", 7, "a", early, "nobody")) == [1]
    assert judged((1, None, 7, "a", late, "nobody"), (2, None, 7, "a", None, "nobody")) == [1]
    assert judged((1, None, 7, "a", None, "nobody"), (2, None, 7, "a", None, "nobody")) == [2]


def test_annotators_and_sources_supersede_themselves_only() -> None:
    rows = [(1, None, 7, "a"), (2, None, 7, "b"), (3, "ls:1", 7, "a"), (4, "a", 7, "a"), (5, None, 8, "a")]
    assert judged(*((*row, NOW, "labelled") for row in rows)) == [1, 2, 3, 4, 5]


def test_a_deletion_that_wins_leaves_nothing_and_one_that_loses_does_nothing() -> None:
    late = NOW + timedelta(hours=1)
    assert judged((1, "ls:1", 7, "a", NOW, "labelled"), (2, "ls:1", 7, "a", late, "deleted")) == []
    assert judged((1, "ls:1", 7, "a", late, "labelled"), (2, "ls:1", 7, "a", NOW, "deleted")) == [1]


def test_of_one_export_the_nearest_moment_stands_and_of_two_exports_the_later() -> None:
    rows = [(1, None, 7, "a", None, "nobody", -200), (2, None, 7, "a", None, "labelled", 0)]
    assert judged(*rows, (3, None, 7, "a", None, "nobody", 40)) == [2]
    assert judged(*rows, (3, None, 7, "a", None, "nobody", None)) == [3]
    assert judged(*rows, (2**32, None, 7, "a", None, "nobody", 400)) == [2**32]


def test_of_two_records_of_one_export_for_one_frame_neither_is_news_when_it_comes_again() -> None:
    names = ["annotation_id", "frame_id", "content_key", "offset_ms"]

    def known(*rows: tuple[int, int, str, int]) -> set[str]:
        table = pd.DataFrame(rows, columns=names)
        return said_last(table.assign(source_id=None, annotator="a", annotated_at=None, outcome="nobody"))

    first = [(1, 7, "near", 0), (2, 7, "far", 400), (3, 8, "other", 0)]
    assert known(*first) == {"near", "far", "other"}
    assert known(*first, (2**32, 7, "changed", 0)) == {"changed", "other"}
    assert known(*first, (2**32, 7, "changed", 0), (2**33, 7, "near", 0)) == {"near", "other"}


def test_no_annotations_stand_where_there_are_none() -> None:
    assert judged() == []

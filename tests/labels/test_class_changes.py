"""Classes renamed, merged and separated: seen at once, kept as history, and past rows as they were."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from al_assets.keys import frame_id
from resources import views
from resources.database import Database
from resources.queries.classes import ClassChangeError, ClassRegister
from resources.queries.labels import LabelLedger
from resources.queries.reviews import ReviewQueries
from resources.queries.selection import SelectionQueries
from support.archive_rows import ArchiveRows

NOW = datetime(2026, 5, 1, 12)


@pytest.fixture
def archive(database: Database) -> ArchiveRows:
    """Classes zero, one and two; one frame that shows zero and one that shows one."""
    with database.write() as connection:
        views.create(connection, views.read_views(connection.dialect.name))
    rows = ArchiveRows(database)
    first, second = rows.video(1, [0, 400])
    rows.classes("zero", "one", "two")
    rows.label(first, 1)
    rows.label(second, 2)
    return rows


def seen(archive: ArchiveRows) -> list[tuple[object, ...]]:
    return archive.query("SELECT frame_id, class_name FROM human_labels ORDER BY frame_id")


def test_a_renamed_class_has_its_new_name_in_views_and_still_knows_its_old_one(archive: ArchiveRows) -> None:
    register, ledger = ClassRegister(archive.database), LabelLedger(archive.database)
    register.rename("ZERO", "Zéro", NOW)
    assert [name for _, name in seen(archive)] == ["Zéro", "one"]
    assert ledger.classes()["aliases"].tolist() == [["zero"], [], []]
    ledger.sync_classes(["zero", "two"], {"zero": ["null"]}, NOW)  # the settings still use the old name
    assert ledger.classes()["name"].tolist() == ["Zéro", "one", "two"]
    assert ledger.classes()["aliases"][0] == ["zero", "null"]
    register.rename("Zéro", "zero", NOW)
    assert [name for _, name in seen(archive)] == ["zero", "one"]


def test_a_merged_class_counts_as_the_other_until_it_is_separated(archive: ArchiveRows) -> None:
    register = ClassRegister(archive.database)
    register.merge("zero", "one", NOW)
    assert [name for _, name in seen(archive)] == ["one", "one"]
    assert [row[0] for row in archive.query("SELECT class_id FROM labels ORDER BY frame_id")] == [1, 2]
    register.separate("zero", NOW)
    assert [name for _, name in seen(archive)] == ["zero", "one"]


def test_there_never_is_a_second_level_of_merges(archive: ArchiveRows) -> None:
    register = ClassRegister(archive.database)
    register.merge("zero", "one", NOW)
    register.merge("one", "two", NOW)
    assert [name for _, name in seen(archive)] == ["two", "two"]
    assert archive.query("SELECT class_id, merged_into FROM classes ORDER BY class_id") == [
        (1, 3),
        (2, 3),
        (3, None),
    ]
    with pytest.raises(ClassChangeError, match="'one' counts as 'two' itself; merge 'two' into that"):
        register.merge("two", "one", NOW)


def test_every_change_is_kept(archive: ArchiveRows) -> None:
    register = ClassRegister(archive.database)
    register.rename("zero", "nil", NOW)
    register.merge("nil", "one", NOW)
    register.separate("nil", NOW)
    assert [tuple(row.values()) for row in register.history()] == [
        (1, "renamed", "zero", "nil", NOW),
        (1, "merged", None, "one", NOW),
        (1, "separated", "one", "nil", NOW),
    ]


@pytest.mark.parametrize(
    ("change", "names", "message"),
    [
        ("rename", ("three", "drei"), "there is no class 'three'; `al classes` lists them"),
        ("rename", ("zero", "ONE"), "'ONE' is a name of class 'one' already"),
        ("rename", ("zero", "zero"), "called 'zero' already"),
        ("rename", ("zero", "Nobody"), "'Nobody' is an answer and no name of a class"),
        ("merge", ("zero", "ZERO"), "are one class already"),
        ("separate", ("zero",), "'zero' is not merged"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_changes_nothing(
    archive: ArchiveRows, change: str, names: tuple[str, ...], message: str
) -> None:
    register = ClassRegister(archive.database)
    before = archive.query("SELECT class_id, name, aliases, merged_into FROM classes ORDER BY class_id")
    with pytest.raises(ClassChangeError, match=message):
        getattr(register, change)(*names, NOW)
    assert (
        archive.query("SELECT class_id, name, aliases, merged_into FROM classes ORDER BY class_id") == before
    )
    assert register.history() == []


def test_a_split_class_is_out_of_use_and_its_frames_are_asked_about_again(archive: ArchiveRows) -> None:
    register, reviews = ClassRegister(archive.database), ReviewQueries(archive.database)
    archive.export(1)
    first, second = frame_id(1, 0), frame_id(1, 5)
    archive.annotation(1 << 32, first, "anna", "labelled", 1)
    archive.annotation((1 << 32) + 1, second, "anna", "labelled", 2)
    register.split("zero", ["nought", "oh"], NOW)
    table = LabelLedger(archive.database).classes()
    assert table[["name", "active"]].to_numpy().tolist() == [
        ["zero", 0],
        ["one", 1],
        ["two", 1],
        ["nought", 1],
        ["oh", 1],
    ]
    assert reviews.of_split_classes().to_numpy().tolist() == [[first, 1]]
    archive.export(2)
    archive.annotation(2 << 32, first, "anna", "labelled", 4, export_id=2)
    assert reviews.of_split_classes().empty
    assert [row["change"] for row in register.history()] == ["split", "split"]
    assert register.parts() == {1: [4, 5]}
    register.rejoin("zero", NOW)
    assert register.parts() == {}
    assert LabelLedger(archive.database).classes()["active"].tolist() == [1, 1, 1, 1, 1]
    assert LabelLedger(archive.database).classes()["merged_into"].tolist()[3:] == [1, 1]
    assert [row["change"] for row in register.history()][2:] == ["merged", "merged", "rejoined"]


def test_hold_out_frames_of_a_split_class_are_asked_about_too(archive: ArchiveRows) -> None:
    (held,) = archive.video(2, [0], split="test")
    archive.export(1)
    archive.annotation(1 << 32, held, "anna", "labelled", 1)
    ClassRegister(archive.database).split("zero", ["nought", "oh"], NOW)
    assert ReviewQueries(archive.database).of_split_classes()["frame_id"].tolist() == [held]
    archive.label(held, 1)
    assert SelectionQueries(archive.database).holdout_labels() == 1


def test_frames_of_a_split_class_are_asked_about_once(archive: ArchiveRows) -> None:
    archive.export(1)
    archive.annotation(1 << 32, frame_id(1, 0), "anna", "labelled", 1)
    ClassRegister(archive.database).split("zero", ["nought", "oh"], NOW)
    archive.add("selection_batches", batch_id=1, created_at=NOW, run_id="a")
    archive.add("selections", batch_id=1, rank=1, frame_id=frame_id(1, 0), arm="second_opinion")
    assert ReviewQueries(archive.database).of_split_classes().empty


def test_a_part_may_keep_the_old_name(archive: ArchiveRows) -> None:
    ClassRegister(archive.database).split("zero", ["zero", "oh"], NOW)
    names = LabelLedger(archive.database).classes()["name"].tolist()
    assert names == ["zero (split, was class 1)", "one", "two", "zero", "oh"]


def test_a_split_class_is_merged_with_none_and_rejoined_only_whole(archive: ArchiveRows) -> None:
    register = ClassRegister(archive.database)
    register.split("zero", ["nought", "oh"], NOW)
    for pair in (("zero", "one"), ("one", "zero")):
        with pytest.raises(ClassChangeError, match="'zero' was split; `al classes rejoin`"):
            register.merge(*pair, NOW)
    register.merge("oh", "one", NOW)
    with pytest.raises(ClassChangeError, match="'oh' was merged or split since"):
        register.rejoin("zero", NOW)
    with pytest.raises(ClassChangeError, match="'one' was not split"):
        register.rejoin("one", NOW)


@pytest.mark.parametrize(
    ("name", "into", "told"),
    [
        ("zero", ["oh"], "two classes or more"),
        ("zero", ["oh", "OH"], "each once"),
        ("zero", ["one", "oh"], "'one' is a name of class 'one' already"),
        ("zero", ["?", "oh"], "is an answer"),
        ("nine", ["a", "b"], "there is no class 'nine'"),
        ("two", ["a", "b"], "'two' counts as 'one'; separate it first"),
        ("one", ["a", "b"], "'two' counts as 'one'; separate it first"),
        ("gone", ["a", "b"], "'gone' was split already"),
    ],
)
def test_a_split_that_could_not_be_understood_is_refused(
    archive: ArchiveRows, name: str, into: list[str], told: str
) -> None:
    register = ClassRegister(archive.database)
    archive.add("classes", class_id=9, name="gone", aliases="[]", active=0)
    register.merge("two", "one", NOW)
    with pytest.raises(ClassChangeError, match=re.escape(told)):
        register.split(name, into, NOW)

"""annotator_agreement: how far people agree."""

import pytest

from support.archive_rows import ArchiveRows


def answer(archive: ArchiveRows, frames: list[int], annotator: str, marks: list[list[int]], **values) -> None:
    first = 2**32 + 1000 * ord(annotator[0])
    for n, (frame, classes) in enumerate(zip(frames, marks, strict=True)):
        outcome = "labelled" if classes else "nobody"
        archive.annotation(first + n, frame, annotator, outcome, *classes, **values)


def test_agreement_and_kappa_of_a_known_table(archive: ArchiveRows) -> None:
    frames = archive.video(1, range(0, 2000, 400))
    archive.classes("zero")
    archive.export(1)
    answer(archive, frames, "ann", [[1], [1], [1], [], []])
    answer(archive, frames, "bob", [[1], [1], [], [1], []])
    columns = "annotator_a, annotator_b, frames, both_present, only_a, only_b, neither, agreement, kappa"
    ((*counts, agreement, kappa),) = archive.query(f"SELECT {columns} FROM annotator_agreement")
    assert counts == ["ann", "bob", 5, 2, 1, 1, 1]
    # chance = 0.6 * 0.6 + 0.4 * 0.4 = 0.52; kappa = (0.6 - 0.52) / 0.48
    assert agreement == pytest.approx(0.6)
    assert kappa == pytest.approx(1 / 6)


def test_kappa_is_unknown_where_chance_alone_agrees(archive: ArchiveRows) -> None:
    frames = archive.video(1, [0])
    archive.classes("zero")
    archive.export(1)
    answer(archive, frames, "ann", [[1]])
    answer(archive, frames, "bob", [[1]])
    assert archive.query("SELECT agreement, kappa FROM annotator_agreement") == [(1.0, None)]


def test_a_class_counts_only_where_both_judged_it(archive: ArchiveRows) -> None:
    frames = archive.video(1, [0, 400])
    archive.classes(
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"
    )
    archive.export(1)
    answer(archive, frames, "ann", [[1], []], judged_through=2)
    answer(archive, frames, "bob", [[1], [12]], judged="[1, 12]")
    rows = archive.query("SELECT class_name, frames, both_present, neither FROM annotator_agreement")
    assert rows == [("zero", 2, 1, 1)]


def test_an_annotator_has_one_voice_a_frame_and_none_for_cannot_tell(archive: ArchiveRows) -> None:
    first, second = archive.video(1, [0, 400])
    archive.classes("zero")
    archive.export(1)
    archive.annotation(2**32, first, "ann", "labelled", 1, source_id="ls:1")
    archive.annotation(2**32 + 1, first, "ann", "nobody", source_id="ls:2")
    archive.annotation(2**32 + 2, first, "bob", "nobody")
    archive.annotation(2**32 + 3, second, "ann", "cannot_tell")
    archive.annotation(2**32 + 4, second, "bob", "labelled", 1)
    assert archive.query("SELECT frames, neither FROM annotator_agreement") == [(1, 1)]

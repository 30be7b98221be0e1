"""Taking an export back: its judgements are out of effect, and what others said still holds, whatever came when."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from al_assets.settings import parse_settings
from support.imports import Imports
from support.small_archives import empty_archive


@pytest.fixture
def imports(tmp_path: Path) -> Iterator[Imports]:
    archive = empty_archive(tmp_path)
    yield Imports(archive)
    archive.database.close()


def test_an_undone_export_is_out_of_effect_and_its_history_stays(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero"), (1, "one"))
    imports.learn()
    imports.csv("b.csv", (0, "two"))
    imports.learn()
    assert imports.archive.labels.undo(2) == 1
    assert imports.labels() == {0: {"zero"}, 1: {"one"}}
    assert imports.count("annotations") == 3
    imports.touch("label_exports/b.csv")
    assert imports.learn() == 0
    assert imports.archive.labels.exports()[1].status == "undone"


@pytest.mark.parametrize("status", ["undone", "quarantined", "unknown"])
def test_only_an_imported_export_can_be_undone(imports: Imports, status: str) -> None:
    if status == "undone":
        imports.csv("a.csv", (0, "zero"))
        imports.learn()
        imports.archive.labels.undo(1)
    elif status == "quarantined":
        imports.drop("label_exports/a.csv", "nonsense")
        imports.learn()
    with pytest.raises(LookupError, match=f"export 1 is {status}, only an imported one"):
        imports.archive.labels.undo(1)


def test_what_a_later_export_repeats_outlives_the_undo_of_the_first(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero", "2026-05-01"), (1, "one", "2026-05-01"))
    imports.learn()
    imports.csv("b.csv", (0, "zero", "2026-05-01"), (2, "two", "2026-05-02"))
    imports.learn()
    imports.archive.labels.undo(1)
    assert imports.learn() == 1
    assert imports.labels() == {0: {"zero"}, 2: {"two"}}
    assert [book[2:] for book in imports.archive.labels.books()] == [(2, 0, 0, 2, 0)]


@pytest.mark.parametrize("gone", [True, False])
def test_an_undo_loses_nothing_when_the_later_file_is_gone_or_overwritten(
    imports: Imports, *, gone: bool
) -> None:
    imports.csv("a.csv", (0, "zero", "2026-05-01"))
    imports.learn()
    imports.csv("b.csv", (0, "zero", "2026-05-01"), (2, "two", "2026-05-02"))
    imports.learn()
    if gone:
        imports.remove("label_exports/b.csv")
    else:
        imports.csv("b.csv", (3, "one"))
    imports.archive.labels.undo(1)
    imports.learn()
    assert imports.labels() == {0: {"zero"}, 2: {"two"}} | ({} if gone else {3: {"one"}})


def test_an_undo_keeps_what_a_later_export_brought_when_even_its_copy_is_gone(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero", "2026-05-01"))
    imports.learn()
    imports.csv("b.csv", (0, "zero", "2026-05-01"), (2, "two", "2026-05-02"))
    imports.learn()
    imports.remove("label_exports/b.csv")
    shutil.rmtree(imports.root / "kept_exports")
    imports.archive.labels.undo(1)
    imports.learn()
    assert imports.labels() == {2: {"two"}}
    kept = imports.archive.labels.exports()[1]
    assert kept.status == "imported"
    assert "not read again after an undo" in str(kept.error)


def test_an_undo_under_a_cumulative_file_reads_the_newest_version_again(imports: Imports) -> None:
    answers = [(0, "zero", "2026-05-01"), (1, "one", "2026-05-02"), (2, "two", "2026-05-03")]
    for number in (1, 2, 3):
        imports.csv("all.csv", *answers[:number])
        imports.learn()
    imports.archive.labels.undo(1)
    imports.learn()
    assert imports.labels() == {0: {"zero"}, 1: {"one"}, 2: {"two"}}
    assert imports.archive.labels.exports("seen", "claimed") == []


ANSWERS = st.tuples(st.integers(0, 3), st.sampled_from(["zero", "one", ""]), st.integers(1, 5))
DROPS = st.lists(ANSWERS, min_size=1, max_size=4, unique_by=lambda answer: answer[0])
STEPS = st.one_of(
    st.tuples(st.just("drop"), DROPS),
    st.tuples(st.just("learn")),
    st.tuples(st.just("undo"), st.integers(1, 4)),
)


@given(st.lists(STEPS, max_size=10))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_labels_are_what_the_exports_in_effect_say_whatever_came_when(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[object, ...]]
) -> None:
    imports = Imports(empty_archive(tmp_path_factory.mktemp("imports")))
    imports.settings = parse_settings({"classes": {"names": ["zero", "one"]}})
    (imports.root / "label_exports").mkdir()
    said: dict[str, list[tuple[int, str, int]]] = {}
    number = 0
    for step, *arguments in [*steps, ("learn",)]:
        if step == "drop":
            number += 1  # a file of its own, so that what it said can be read again
            (answers,) = arguments
            said[f"{number}.csv"] = list(answers)  # type: ignore[call-overload]
            imports.csv(
                f"{number}.csv", *((n, label, f"2026-05-0{day}") for n, label, day in said[f"{number}.csv"])
            )
        elif step == "learn":
            imports.learn()
        elif any(
            e.export_id == arguments[0] and e.status == "imported" for e in imports.archive.labels.exports()
        ):
            imports.archive.labels.undo(int(str(arguments[0])))
            imports.learn()
    days: dict[int, int] = {}
    latest: dict[int, set[str]] = {}
    for export in imports.archive.labels.exports("imported"):
        for n, label, day in said[export.uri.removeprefix("label_exports/")]:
            if day >= days.get(n, 0):
                latest[n] = {label} | (latest[n] if day == days.get(n) else set())
                days[n] = day
    found = imports.labels()
    assert found.keys() == latest.keys()
    assert all(present in [{label} - {""} for label in latest[n]] for n, present in found.items())
    books = imports.archive.labels.books()
    sizes = {f"label_exports/{name}": len(answers) for name, answers in said.items()}
    assert all(imported + rejected == sizes[uri] for _, uri, imported, rejected, *_ in books)
    imports.archive.database.close()

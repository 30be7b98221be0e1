"""The asset `labels` over the ledger: every export ends somewhere, nothing is said twice, and all can be undone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import dagster as dg
import pytest

from al_assets.labels import assets
from al_assets.labels.assets import current_labels, import_all
from al_assets.settings import parse_settings
from resources.archive import Archive
from resources.queries.labels import LedgerConflictError
from resources.sql_io_manager import SqlIOManager
from support.archive_rows import ArchiveRows
from support.imports import FRAMES, HEADER, LOG, Imports
from support.small_archives import empty_archive


@pytest.fixture
def imports(tmp_path: Path) -> Iterator[Imports]:
    archive = empty_archive(tmp_path)
    yield Imports(archive)
    archive.database.close()


def run_labels(imports: Imports) -> dg.ExecuteInProcessResult:
    """A real run of the asset."""
    database = imports.archive.database
    with dg.instance_for_test() as instance:
        return dg.materialize(
            [assets.labels],
            instance=instance,
            resources={
                "archive": imports.archive,
                "settings": imports.settings,
                "io_manager": SqlIOManager(database=database),
            },
        )


def test_a_run_imports_what_waits_and_writes_the_consensus(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero"), (1, ""))
    imports.drop("label_exports/broken.json", '[{"id": 1, "data"')
    imports.take_in_exports()
    result = run_labels(imports)
    (event,) = result.asset_materializations_for_node("labels")
    found = {
        name: event.metadata[name].value
        for name in ("exports_imported", "quarantined_exports", "labelled_frames")
    }
    assert found == {"exports_imported": 1, "quarantined_exports": 1, "labelled_frames": 2}
    rows = ArchiveRows(imports.archive.database).query(
        "SELECT frame_id, class_id, present FROM labels ORDER BY 1"
    )
    assert rows == [(FRAMES[0], 1, 1), (FRAMES[1], 1, 0)]


def test_the_same_answers_under_another_name_add_nothing(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero", "2026-05-01"))
    imports.learn()
    imports.csv("b.csv", (0, "zero", "2026-05-01"))
    imports.learn()
    assert imports.ledger() == [("imported", 1, 0), ("imported", 1, 0)]
    assert imports.count("annotations") == imports.count("annotation_labels") == 1


def test_a_changed_export_adds_only_what_changed(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero", "2026-05-01"), (1, "one", "2026-05-01"))
    imports.learn()
    imports.csv("a.csv", (0, "zero", "2026-05-01"), (1, "two", "2026-05-02"), (2, "zero", "2026-05-02"))
    imports.learn()
    assert imports.count("annotations") == 4
    assert imports.labels() == {0: {"zero"}, 1: {"two"}, 2: {"zero"}}
    assert [export.imported for export in imports.archive.labels.exports()] == [2, 3]


def test_the_latest_version_of_a_file_without_times_is_the_latest_word(imports: Imports) -> None:
    for label in ("zero", "one", "zero"):
        imports.csv("a.csv", (0, label))
        imports.learn()
    assert imports.labels() == {0: {"zero"}}
    assert len(imports.ledger()) == 3


def test_a_half_written_file_is_set_aside_and_imported_when_it_is_whole(imports: Imports) -> None:
    imports.drop("label_exports/a.csv", HEADER + f"{FRAMES[0]},zero,anna,\n{FRAMES[1]},on")
    imports.csv("b.csv", (2, "zero"))
    assert imports.learn() == 1
    set_aside, imported = imports.archive.labels.exports()
    assert (set_aside.status, imported.status) == ("quarantined", "imported")
    assert "half-written" in str(set_aside.error)
    imports.csv("a.csv", (0, "zero"), (1, "one"))
    assert imports.learn() == 1
    assert imports.labels() == {0: {"zero"}, 1: {"one"}, 2: {"zero"}}


def test_an_unknown_class_is_added_or_its_record_refused_as_the_owner_wants(imports: Imports) -> None:
    imports.settings = parse_settings({"classes": {"names": ["zero"], "unknown": "reject"}})
    imports.csv("a.csv", (0, "zero"), (1, "fifi"))
    imports.learn()
    assert imports.ledger() == [("imported", 1, 1)]
    (reason,) = ArchiveRows(imports.archive.database).query("SELECT reason FROM label_rejects")[0]
    assert "fifi" in reason
    assert "al.toml" in reason
    imports.settings = parse_settings({"classes": {"names": ["zero"]}})
    imports.csv("a.csv", (0, "zero"), (1, "fifi"), (2, "fifi"))
    imports.learn()
    assert imports.archive.labels.classes()["name"].tolist() == ["zero", "fifi"]
    assert imports.labels() == {0: {"zero"}, 1: {"fifi"}, 2: {"fifi"}}


def test_imported_and_rejected_add_up_to_what_was_seen(imports: Imports) -> None:
    answers = [
        f"{FRAMES[0]},zero,anna,",
        "123456789,zero,anna,",
        "nonsense,zero,anna,",
        f"{FRAMES[1]},one,anna,never",
    ]
    imports.drop("label_exports/a.csv", HEADER + "".join(f"{row}\n" for row in answers))
    imports.learn()
    (book,) = imports.archive.labels.books()
    _, _, imported, rejected, _, stored, refused = book
    assert (imported, rejected, stored, refused) == (1, 3, 1, 3)
    records = ArchiveRows(imports.archive.database).query(
        "SELECT record FROM label_rejects ORDER BY position"
    )
    assert [record for (record,) in records] == answers[1:]


def test_a_run_that_died_after_claiming_leaves_its_exports_to_the_next(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.take_in_exports()
    (export,) = imports.archive.labels.claim("dead")
    assert export.status == "claimed"
    assert imports.learn("next") == 1
    assert imports.ledger() == [("imported", 1, 0)]
    assert imports.learn("third") == 0


def test_a_run_whose_claim_was_taken_writes_nothing(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.take_in_exports()
    (mine,) = imports.archive.labels.claim("slow")
    imports.learn("quick")
    with pytest.raises(LedgerConflictError, match="taken by another run"):
        imports.archive.labels.set_aside(mine, "slow", "unreadable", imports.now)
    assert assets.import_all(imports.archive, imports.settings, run_id="slow", log=LOG) == 0
    assert imports.ledger() == [("imported", 1, 0)]


def test_a_claim_passes_to_the_run_that_claimed_last(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.take_in_exports()
    (first,) = imports.archive.labels.claim("first")
    (second,) = imports.archive.labels.claim("second")
    with pytest.raises(LedgerConflictError, match="taken by another run"):
        imports.archive.labels.set_aside(first, "first", "unreadable", imports.now)
    imports.archive.labels.set_aside(second, "second", "unreadable", imports.now)
    assert imports.ledger() == [("quarantined", None, None)]


def test_two_runs_at_once_import_each_export_once(imports: Imports) -> None:
    for number in range(12):
        imports.csv(f"{number}.csv", (number % 6, f"class {number}", f"2026-05-{number + 1:02}"))
    imports.take_in_exports()
    together, done = Barrier(2), list[int]()

    def run(run_id: str) -> None:
        together.wait()
        done.append(import_all(imports.archive, imports.settings, run_id=run_id, log=LOG))

    threads = [Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert sum(done) + imports.learn("last") == 12
    assert imports.count("annotations") == 12
    assert {status for status, *_ in imports.ledger()} == {"imported"}


def test_a_version_that_was_replaced_before_a_run_came_to_read_it_is_imported_all_the_same(
    imports: Imports,
) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.take_in_exports()
    imports.csv("a.csv", (1, "one"))
    assert imports.learn() == 2
    assert imports.labels() == {0: {"zero"}, 1: {"one"}}


def test_a_version_that_is_gone_with_its_copy_is_set_aside_and_not_imported_as_another(
    imports: Imports,
) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.take_in_exports()
    imports.csv("a.csv", (0, "one"))
    shutil.rmtree(imports.root / "kept_exports")
    assert imports.learn() == 1
    first, second = imports.archive.labels.exports()
    assert (first.status, second.status) == ("quarantined", "imported")
    assert imports.labels() == {0: {"one"}}


def test_a_copy_that_was_damaged_is_not_read_in_place_of_the_file(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.take_in_exports()
    (copy,) = (imports.root / "kept_exports").iterdir()
    copy.write_bytes(copy.read_bytes().replace(b"zero", b"one!"))
    assert imports.learn() == 1
    assert imports.labels() == {0: {"zero"}}


def test_an_export_that_was_away_when_it_was_to_be_read_is_imported_when_it_is_back(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.take_in_exports()
    imports.move("label_exports/a.csv", "away.csv")
    shutil.rmtree(imports.root / "kept_exports")
    assert import_all(imports.archive, imports.settings, run_id="run", log=LOG) == 0
    imports.move("away.csv", "label_exports/a.csv")
    assert imports.learn() == 1
    assert imports.ledger() == [("imported", 1, 0)]


def test_a_file_that_trips_the_importer_is_set_aside_and_stops_no_other(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.csv("b.csv", (1, "one"))
    read = assets.read_import

    def trips(archive: Archive, settings: object, spool: object, *, path: str, export_id: int) -> object:
        if export_id == 1:
            raise KeyError("surprise")
        return read(archive, settings, spool, path=path, export_id=export_id)  # type: ignore[arg-type]

    monkeypatch.setattr(assets, "read_import", trips)
    assert imports.learn() == 1
    assert "stumbled over it (KeyError: 'surprise')" in str(imports.archive.labels.exports()[0].error)
    monkeypatch.undo()
    imports.touch("label_exports/a.csv")
    assert imports.learn() == 1
    assert imports.ledger() == [("imported", 1, 0), ("imported", 1, 0)]


def test_classes_of_the_settings_come_first_and_a_change_of_case_is_no_new_class(imports: Imports) -> None:
    imports.csv("a.csv", (0, "Zero"))
    imports.learn()
    imports.settings = parse_settings({"classes": {"names": ["zero", "one"], "aliases": {"zero": ["null"]}}})
    imports.csv("b.csv", (1, "NULL"), (2, "ONE"))
    imports.learn()
    classes = imports.archive.labels.classes()
    assert list(zip(classes["name"], classes["aliases"], strict=True)) == [("Zero", ["null"]), ("one", [])]
    assert imports.labels() == {0: {"Zero"}, 1: {"Zero"}, 2: {"one"}}


def test_label_studio_and_csv_meet_on_one_frame(imports: Imports) -> None:
    task = {
        "id": 7,
        "data": {"frame_id": FRAMES[0]},
        "annotations": [
            {
                "id": 9,
                "completed_by": 3,
                "updated_at": "2026-05-02T10:00:00Z",
                "result": [
                    {"type": "choices", "value": {"choices": ["zero"]}, "from_name": "c", "to_name": "i"}
                ],
            }
        ],
    }
    imports.drop("label_exports/a.json", json.dumps([task]))
    imports.csv("b.csv", (0, "zero"))
    imports.learn()
    (row,) = current_labels(imports.archive, imports.settings).to_pylist()
    assert (row["present"], row["annotators"]) == (1, 2)


def test_votes_of_a_merged_class_count_for_the_one_that_it_counts_as(imports: Imports) -> None:
    answers = (("a", "bos"), ("b", "cow"), ("c", ""))
    rows = "".join(f"{FRAMES[0]},{label},{who}\n" for who, label in answers)
    imports.drop("label_exports/a.csv", f"frame_id,label,annotator\n{rows}")
    imports.learn()
    assert imports.labels() == {0: set()}
    imports.archive.classes.merge("bos", "cow", imports.archive.now())
    assert imports.labels() == {0: {"cow"}}
    imports.archive.classes.separate("bos", imports.archive.now())
    assert imports.labels() == {0: set()}


def test_a_name_that_only_case_tells_apart_is_refused_and_no_third_class(imports: Imports) -> None:
    imports.archive.labels.sync_classes(
        ["zero", "one"], {"zero": ["Cow"], "one": ["cow"]}, imports.archive.now()
    )
    imports.csv("a.csv", (0, "COW"), (1, "cow"))
    imports.learn()
    assert imports.ledger() == [("imported", 1, 1)]
    assert imports.labels() == {1: {"one"}}

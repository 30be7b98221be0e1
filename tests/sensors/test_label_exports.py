"""Ticks of `label_exports`: versions that stand still are registered, and one learn run is asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.archive import Archive
from resources.errors import StorageError
from resources.spool import Spool
from resources.storage import Storage
from sensors.label_exports import make_label_exports
from support.archive_rows import NOW, ArchiveRows
from support.small_archives import SmallArchive, empty_archive
from support.ticks import FAILURE, SUCCESS, Ticks, asked

ANSWERS = "frame_id,label\n16777216,zero\n"


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[Ticks]:
    archive = empty_archive(tmp_path)
    with dg.instance_for_test() as instance:
        yield Ticks(archive, instance)
    archive.database.close()


def tick(ticks: Ticks) -> list[str]:
    return [job for job, *_ in asked(ticks.tick(make_label_exports(ticks.settings)))]


def settle(archive: Archive, run_id: str = "run", status: str = "imported") -> None:
    """What a learn run leaves: every waiting export imported."""
    for export in archive.labels.claim(run_id):
        if status == "imported":
            counts = {"imported": 1, "rejected": 0, "unchanged": 0, "format": "csv"}
            archive.labels.store(
                export,
                run_id,
                brought=Spool(),
                new_classes={},
                counts=counts,
                now=archive.now(),
            )
        else:
            archive.labels.set_aside(export, run_id, "half-written", archive.now())


def test_an_export_is_registered_after_two_looks_and_learned_from_once(ticks: Ticks) -> None:
    ticks.drop("label_exports/a.csv", ANSWERS)
    assert tick(ticks) == []
    assert "1 file may still be growing" in ticks.message
    assert tick(ticks) == ["learn"]
    (export,) = ticks.archive.labels.exports()
    assert (export.uri, export.status) == ("label_exports/a.csv", "seen")
    assert export.sha256 == ticks.archive.storage.sha256("label_exports/a.csv")


def test_new_exports_show_in_the_lineage(ticks: Ticks) -> None:
    ticks.drop("label_exports/a.csv", ANSWERS)
    tick(ticks)
    with dg.build_sensor_context(instance=ticks.instance, resources={"archive": ticks.archive}) as context:
        result = make_label_exports(ticks.settings)(context)
    assert isinstance(result, dg.SensorResult)
    (event,) = result.asset_events
    assert event.asset_key == dg.AssetKey("label_exports")
    assert event.metadata["export_ids"].value == "1"


def test_an_export_still_growing_is_not_registered(ticks: Ticks) -> None:
    for rows in range(3):
        ticks.drop("label_exports/a.csv", ANSWERS + "16777217,one\n" * rows)
        assert tick(ticks) == []
    assert ticks.archive.labels.exports() == []


def test_learn_is_not_asked_for_while_it_or_score_runs(ticks: Ticks) -> None:
    ticks.drop("label_exports/a.csv", ANSWERS)
    tick(ticks)
    ticks.launch("score")
    assert tick(ticks) == []
    assert "to be learnt from after the run in progress" in ticks.message
    ticks.end(SUCCESS)
    assert tick(ticks) == ["learn"]
    ticks.drop("label_exports/b.csv", ANSWERS)
    assert tick(ticks) == tick(ticks) == []


def test_learn_that_failed_is_not_asked_for_again_until_there_is_more_to_learn(ticks: Ticks) -> None:
    ticks.drop("label_exports/a.csv", ANSWERS)
    tick(ticks)
    tick(ticks)
    ticks.end(FAILURE)
    assert tick(ticks) == []
    assert "learn failed on these: 1 new label export; see its run, then re-execute it" in ticks.message
    ticks.drop("label_exports/b.csv", ANSWERS + "\n")
    tick(ticks)
    assert tick(ticks) == ["learn"]


def test_many_exports_that_failed_do_not_hide_a_later_one(ticks: Ticks) -> None:
    for number in range(150):
        ticks.drop(f"label_exports/{number:03}.csv", f"frame_id,label\n{number},zero\n")
    tick(ticks)
    assert tick(ticks) == ["learn"]
    ticks.end(FAILURE)
    ticks.drop("label_exports/zzz.csv", ANSWERS)
    tick(ticks)
    assert tick(ticks) == ["learn"]


def test_imported_exports_are_left_alone(ticks: Ticks) -> None:
    ticks.drop("label_exports/a.csv", ANSWERS)
    tick(ticks)
    tick(ticks)
    settle(ticks.archive)
    ticks.end(SUCCESS)
    ticks.touch("label_exports/a.csv")
    assert [tick(ticks) for _ in range(3)] == [[], [], []]
    assert ticks.message == "every label export is imported"


def test_exports_registered_before_copies_were_kept_get_theirs(ticks: Ticks) -> None:
    ticks.drop("label_exports/a.csv", ANSWERS)
    tick(ticks)
    tick(ticks)
    (copy,) = ticks.archive.storage.list("kept_exports/")
    ticks.archive.storage.delete(copy.path)
    tick(ticks)
    assert [file.path for file in ticks.archive.storage.list("kept_exports/")] == [copy.path]
    ticks.archive.storage.delete(copy.path)
    ticks.drop("label_exports/a.csv", ANSWERS + "16777217,one\n")
    tick(ticks)
    assert ticks.archive.storage.list("kept_exports/") == []  # what it was is gone; what it is still moves


def test_classes_that_were_split_are_learned_from_once(ticks: Ticks) -> None:
    rows = ArchiveRows(ticks.archive.database)
    rows.classes("zero", "one")
    before, after = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    ticks.archive.classes.split("zero", ["nought", "oh"], NOW)
    assert tick(ticks) == []  # no labels were made yet
    rows.add("materializations", materialization_id=1, asset="labels", committed_at=before)
    assert tick(ticks) == ["learn"]
    assert tick(ticks) == []
    ticks.end(SUCCESS)
    rows.add("materializations", materialization_id=2, asset="labels", committed_at=after)
    ticks.archive.classes.rename("one", "One", after + timedelta(hours=1))
    assert tick(ticks) == []


def test_exports_to_be_read_again_after_an_undo_are_asked_for_though_they_were_learned_once(
    ticks: Ticks,
) -> None:
    for name in "ab":
        ticks.drop(f"label_exports/{name}.csv", ANSWERS + f"{ord(name)},zero\n")
        tick(ticks)
        assert tick(ticks) == ["learn"]
        settle(ticks.archive)
        ticks.end(SUCCESS)
    with ticks.archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE label_exports SET unchanged = 1 WHERE export_id = 2")
    ticks.archive.labels.undo(1)
    assert tick(ticks) == ["learn"]


def test_a_quarantined_export_is_tried_again_when_it_changes_or_is_touched(ticks: Ticks) -> None:
    ticks.drop("label_exports/a.json", '[{"id": 1')
    tick(ticks)
    assert tick(ticks) == ["learn"]
    settle(ticks.archive, status="quarantined")
    ticks.end(SUCCESS)
    assert tick(ticks) == tick(ticks) == []
    ticks.touch("label_exports/a.json")
    tick(ticks)
    assert tick(ticks) == ["learn"]
    settle(ticks.archive, status="quarantined")
    ticks.end(SUCCESS)
    ticks.drop("label_exports/a.json", '[{"id": 1}]')
    tick(ticks)
    assert tick(ticks) == ["learn"]
    assert [export.status for export in ticks.archive.labels.exports()] == ["quarantined", "seen"]


def test_an_older_version_put_back_is_news_even_with_its_old_time(ticks: Ticks) -> None:
    path = ticks.drop("label_exports/a.csv", ANSWERS)
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    ticks.take_in_exports()
    ticks.drop("label_exports/a.csv", ANSWERS.replace("zero", "one!"))
    ticks.take_in_exports()
    path.write_text(ANSWERS)
    os.utime(path, ns=times)
    assert ticks.take_in_exports() == [3]
    assert ticks.take_in_exports() == []


def test_the_same_file_copied_over_itself_is_no_new_version(ticks: Ticks) -> None:
    ticks.drop("label_exports/a.csv", ANSWERS)
    assert ticks.take_in_exports() == [1]
    ticks.drop("label_exports/a.csv", ANSWERS)
    assert ticks.take_in_exports(3) == []


def test_a_failed_listing_raises(ticks: Ticks) -> None:
    ticks.root.rename(ticks.root.with_name("unmounted"))
    with pytest.raises(StorageError, match="does not exist"):
        tick(ticks)


class OneLocked(Storage):
    """Storage that lists a.csv and does not let it be read."""

    def open(self, path: str) -> BinaryIO:
        if path.endswith("a.csv"):
            raise StorageError("permission denied")
        return super().open(path)


def test_an_export_that_cannot_be_read_is_said_and_holds_up_no_other(ticks: Ticks) -> None:
    ticks.archive = Archive(database=ticks.archive.database, storage=OneLocked(url=str(ticks.root)))
    ticks.drop("label_exports/a.csv", ANSWERS)
    ticks.drop("label_exports/b.csv", ANSWERS)
    tick(ticks)
    assert tick(ticks) == ["learn"]
    assert [export.uri for export in ticks.archive.labels.exports()] == ["label_exports/b.csv"]
    messages = [(tick(ticks) and ticks.message) or ticks.message for _ in range(2)]
    assert any("label_exports/a.csv cannot be taken in: permission denied" in message for message in messages)


STEPS = st.lists(
    st.one_of(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), st.just("look")), max_size=20
)


@given(STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_dropped_when_each_version_that_stood_still_is_registered_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str | tuple[str, str]]
) -> None:
    archive = SmallArchive(empty_archive(tmp_path_factory.mktemp("exports")))
    (archive.root / "label_exports").mkdir()
    expected: list[tuple[str, str]] = []
    here: dict[str, str] = {}
    still: dict[str, int] = {}
    for step in [*steps, "look", "look"]:
        if isinstance(step, tuple):
            name, content = step
            archive.drop(f"label_exports/{name}", content)
            here[name], still[name] = content, 0
            continue
        archive.take_in_exports(1)
        for name in sorted(here):
            still[name] += 1
            latest = [content for other, content in expected if other == name][-1:]
            if still[name] == 2 and latest != [here[name]]:
                expected.append((name, here[name]))
    found = archive.archive.labels.exports()
    hashes = {content: hashlib.sha256(content.encode()).hexdigest() for content in "xyz"}
    assert [(e.uri, e.sha256) for e in found] == [(f"label_exports/{n}", hashes[c]) for n, c in expected]
    archive.archive.database.close()

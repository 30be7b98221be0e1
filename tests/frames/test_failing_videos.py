"""Runs in which storage fails for one video: the others stand, the failure is named, only it is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import dagster as dg
import pytest

from al_assets.automation import FAILED_TAG
from al_assets.frames import assets
from al_assets.one_by_one import IN_A_ROW
from resources.errors import StorageError
from resources.storage import Storage
from support.frame_runs import Runs
from support.small_archives import empty_archive

QUICK = dg.RetryPolicy(max_retries=1)


class Unreadable(Storage):
    """Storage that cannot read files whose name begins with "bad", and says what was asked for."""

    def source(self, path: str) -> str | BinaryIO:
        READ.append(path.removeprefix("videos/"))
        if "/bad" in path:
            raise StorageError("the network is gone")
        return super().source(path)


READ: list[str] = []


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    READ.clear()
    monkeypatch.setattr(assets.frames.node_def, "_retry_policy", QUICK)
    archive = empty_archive(tmp_path)
    with dg.instance_for_test() as instance:
        yield Runs(archive, instance)
    archive.database.close()


def prepare(runs: Runs, *names: str) -> None:
    for number, name in enumerate(names):
        runs.clip(f"{name}.mp4", n=2, first=number)
    runs.look()


def key(runs: Runs, name: str) -> str:
    return runs.video(f"{name}.mp4").video_id


def test_one_failing_video_does_not_cost_the_others_and_is_tried_again_alone(runs: Runs) -> None:
    prepare(runs, "a", "bad", "c")
    runs.index(expect=False, storage=Unreadable(url=str(runs.root)))
    assert READ == ["a.mp4", "bad.mp4", "c.mp4", "bad.mp4"]
    assert runs.statuses() == {"a.mp4": "indexed", "bad.mp4": "registered", "c.mp4": "indexed"}
    assert runs.archive.videos.failures() == [("bad.mp4", "registered", "the network is gone")]


def test_the_run_names_what_failed_and_the_partitions_of_the_others_are_materialised(runs: Runs) -> None:
    prepare(runs, "a", "bad", "c")
    result = runs.index(expect=False, storage=Unreadable(url=str(runs.root)))
    run = runs.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags[FAILED_TAG] == key(runs, "bad")
    made = runs.instance.get_materialized_partitions(dg.AssetKey("frames"))
    assert made == {key(runs, "a"), key(runs, "c")}


def test_storage_that_is_down_is_not_asked_for_every_video(runs: Runs) -> None:
    prepare(runs, *(f"bad-{number}" for number in range(IN_A_ROW + 3)))
    runs.index(expect=False, storage=Unreadable(url=str(runs.root)))
    assert len(set(READ)) == IN_A_ROW


def test_a_video_that_is_read_after_all_has_no_fault_any_more(runs: Runs) -> None:
    prepare(runs, "a", "bad")
    runs.index(expect=False, storage=Unreadable(url=str(runs.root)))
    runs.index()
    assert runs.archive.videos.failures() == []

"""Fixtures of the tests that have Dagster run the asset `frames`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from al_assets.partitions import VIDEOS
from support.frame_runs import Runs
from support.small_archives import empty_archive


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance of Dagster, which takes longer to make than most tests take."""
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def runs(tmp_path: Path, instance: dg.DagsterInstance) -> Iterator[Runs]:
    """An empty archive, and no partition keys of the test before."""
    for key in instance.get_dynamic_partitions(str(VIDEOS.name)):
        instance.delete_dynamic_partition(str(VIDEOS.name), key)
    archive = empty_archive(tmp_path)
    yield Runs(archive, instance)
    archive.database.close()

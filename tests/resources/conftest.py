"""Fixtures of the labelling tool's tests: an archive connected to a real Label Studio, and two people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.imports import FRAMES
from support.label_studio import Person, Server
from support.small_archives import empty_archive
from support.tool_archives import ToolArchive


@pytest.fixture
def connected(tmp_path: Path, label_studio: Server) -> Iterator[ToolArchive]:
    archive = ToolArchive(empty_archive(tmp_path), label_studio.resource())
    yield archive
    archive.archive.database.close()


@pytest.fixture
def sent(connected: ToolArchive, label_studio: Server) -> list[int]:
    """Numbers of the tasks of a batch of three frames that is in the project."""
    connected.send(1, FRAMES[:3])
    connected.sync()
    return [task["id"] for task in label_studio.tasks(connected.project)]


@pytest.fixture(scope="module")
def anna(label_studio: Server) -> Person:
    return label_studio.person("anna")


@pytest.fixture(scope="module")
def bert(label_studio: Server) -> Person:
    return label_studio.person("bert")

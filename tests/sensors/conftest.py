"""Fixtures of the ticks of the labelling tool: a Dagster instance of their own, and a person who answers."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from support.label_studio import Person, Server


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture(scope="module")
def anna(label_studio: Server) -> Person:
    return label_studio.person("anna")

"""Entering a real server for tests: a skip with its reason where it is not installed, unless it must be. No server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

import pytest

from support.servers import ServerMissingError

Server = TypeVar("Server")


@contextmanager
def running(starting: AbstractContextManager[Server]) -> Iterator[Server]:
    """The running server; skip where it is not installed, unless AL_TEST_REQUIRE_SERVERS says that it must be."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(starting)
        except ServerMissingError as missing:
            if os.environ.get("AL_TEST_REQUIRE_SERVERS") == "1":
                pytest.fail(f"{missing}; AL_TEST_REQUIRE_SERVERS=1 makes this a failure")
            pytest.skip(str(missing))
        yield server

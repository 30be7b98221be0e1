"""Whether pyodbc and Microsoft's driver can be had here. No test and no fixture."""

from __future__ import annotations

import os

import pytest

from resources import azure_sql
from resources.errors import DatabaseError


def needed() -> None:
    """Skip the test where they are missing, unless AL_TEST_REQUIRE_SERVERS says that they must not be."""
    try:
        azure_sql.installed_driver()
    except DatabaseError as missing:
        if os.environ.get("AL_TEST_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{missing}; AL_TEST_REQUIRE_SERVERS=1 makes this a failure")
        pytest.skip(str(missing))

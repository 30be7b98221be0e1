"""An archive for the tests of the views: empty tables, with the views over them, once per dialect."""

import pytest

from resources import views
from resources.database import Database
from support.archive_rows import ArchiveRows


@pytest.fixture
def archive(database: Database) -> ArchiveRows:
    """An empty archive with its views."""
    with database.write() as connection:
        views.create(connection, views.read_views(connection.dialect.name))
    return ArchiveRows(database)

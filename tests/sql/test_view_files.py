"""What every view file must keep: its header is the promise that analysts read."""

import pytest

from resources import views
from resources.database import Database
from support.archive_rows import ArchiveRows

NAMES = [view.name for view in views.read_views()]


def test_a_view_has_exactly_the_columns_that_its_header_promises(archive: ArchiveRows) -> None:
    with archive.database.read() as connection:
        actual = {name: list(connection.exec_driver_sql(f"SELECT * FROM {name}").keys()) for name in NAMES}
    assert actual == {view.name: list(view.columns) for view in views.read_views()}


def test_the_example_of_every_view_runs(archive: ArchiveRows) -> None:
    for view in views.read_views():
        assert archive.query(view.example) == [], view.name


def test_the_views_that_analysts_rely_on_are_there() -> None:
    promised = "current_predictions frame_labels sightings co_occurrence class_distribution confused_pairs"
    assert {*promised.split(), "learning_curve", "label_provenance", "annotator_agreement"} <= set(NAMES)


def test_every_view_can_be_spelt_for_every_dialect() -> None:
    for dialect in ("sqlite", "postgresql", "mssql"):
        assert {view.name for view in views.read_views(dialect)} == set(NAMES)


def test_a_dialects_own_spelling_belongs_to_a_view() -> None:
    assert {path.stem for path in (views.SQL / "views").glob("*/*.sql")} <= set(NAMES)


def test_a_view_comes_after_those_that_it_reads() -> None:
    assert (
        NAMES.index("unreviewed_predictions") < NAMES.index("sighting_frames") < NAMES.index("co_occurrence")
    )


def test_a_header_without_a_grain_is_refused_by_name(tmp_path) -> None:
    (tmp_path / "short.sql").write_text("-- short: nothing else.\nCREATE VIEW short AS SELECT 1\n")
    with pytest.raises(views.ViewFileError, match=r"short.sql: the header lacks Columns, Example, Grain"):
        views.read_views(folder=tmp_path)


def test_postgresql_shows_the_promise_as_comments(postgresql_database: Database) -> None:
    with postgresql_database.write() as connection:
        views.create(connection, views.read_views("postgresql"))
        comment = "SELECT col_description('learning_curve'::regclass, 8)"
        assert connection.exec_driver_sql(comment).scalar() == "lower end of the 95 % interval"

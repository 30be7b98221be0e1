"""sql/queries and sql/roles: what analysts start from, run as they stand."""

import re
from contextlib import nullcontext

import pytest
import sqlalchemy as sa

from resources import views
from resources.database import Database
from resources.tables import metadata
from resources.views import SQL, read_views
from support.archive_rows import ArchiveRows

ROLES = {path.name: path.read_text(encoding="utf-8") for path in sorted((SQL / "roles").glob("*.sql"))}
QUERIES = sorted(path.stem for path in (SQL / "queries").glob("*.sql"))


def read(name: str) -> str:
    return (SQL / "queries" / f"{name}.sql").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_opens_with_what_it_answers(name: str) -> None:
    title = read(name).splitlines()[0]
    assert title.removeprefix("-- ").lower().startswith(name.replace("_", " "))
    assert ": " in title


def test_every_query_runs_on_an_empty_archive(archive: ArchiveRows) -> None:
    for name in QUERIES:
        assert archive.query(read(name)) == [], name


def test_every_statement_of_the_readme_runs(archive: ArchiveRows) -> None:
    text = (SQL.parent / "README.md").read_text(encoding="utf-8")
    statements = [
        part for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL) for part in block.split(";\n")
    ]
    assert len(statements) >= 4
    for statement in statements:
        if statement.strip():
            assert archive.database.fetch(sa.text(statement)).num_rows == 0, statement


def test_counts_per_individual_lead_with_the_most_seen(archive: ArchiveRows) -> None:
    first, second = archive.video(1, [0, 400])
    archive.classes("zero", "one", "two")
    archive.serve("m")
    archive.label(first, 2)
    archive.predict("m", second, (2, 0.9), (1, 0.9))
    assert archive.query(read("counts_per_individual")) == [
        ("one", 2, 1, 1, 1),
        ("zero", 1, 1, 0, 1),
        ("two", 0, 0, 0, 0),
    ]


def test_who_is_seen_with_whom_adds_up_videos(archive: ArchiveRows) -> None:
    archive.classes("zero", "one")
    for number in (1, 2):
        (frame,) = archive.video(number, [0])
        archive.label(frame, 1)
        archive.label(frame, 2)
    assert archive.query(read("who_is_seen_with_whom")) == [(None, "zero", "one", 2, 2, 2)]


def test_people_against_the_model_shows_confident_errors(archive: ArchiveRows) -> None:
    first, second = archive.video(1, [0, 400])
    archive.classes("zero")
    archive.serve("m")
    for frame, present in ((first, 0), (second, 1)):
        archive.label(frame, 1, present=present)
        archive.predict("m", frame, (1, 0.75))
    assert archive.query(read("people_against_the_model")) == [("v1", 0, 0, "zero", 0.75, 1, 2**32)]


def test_yield_of_batches_counts_answers_by_arm(archive: ArchiveRows) -> None:
    frames = archive.video(1, [0, 400, 800])
    archive.classes("zero")
    archive.export(1)
    archive.add("selection_batches", batch_id=1, strategy="margin")
    for rank, (frame, arm) in enumerate(zip(frames, ["strategy", "strategy", "random"], strict=True), 1):
        archive.add("selections", batch_id=1, rank=rank, frame_id=frame, arm=arm)
    archive.annotation(2**32, frames[0], "ann", "labelled", 1)
    archive.annotation(2**32 + 1, frames[1], "ann", "cannot_tell")
    archive.annotation(2**32 + 2, frames[2], "ann", "nobody")
    assert archive.query(read("yield_of_batches")) == [
        (1, "margin", "random", 1, 0, 1, 0, 1),
        (1, "margin", "strategy", 2, 1, 0, 1, 1),
    ]


def test_an_analyst_reads_the_platforms_views_and_nothing_else(postgresql_database: Database) -> None:
    with postgresql_database.write() as connection:
        views.create(connection, read_views("postgresql"))
        connection.exec_driver_sql("CREATE VIEW payroll AS SELECT COUNT(*) AS videos FROM videos")
        driver = connection.connection.driver_connection
        driver.execute(ROLES["analyst.sql"])
        driver.execute(ROLES["analyst.sql"])
    for name, allowed in (("class_distribution", True), ("videos", False), ("payroll", False)):
        with postgresql_database.read() as connection:
            connection.exec_driver_sql("SET LOCAL ROLE al_analyst")
            refused = (
                nullcontext()
                if allowed
                else pytest.raises(sa.exc.ProgrammingError, match="permission denied")
            )
            with refused:
                connection.exec_driver_sql(f"SELECT * FROM {name}")
    with postgresql_database.write() as connection:
        connection.exec_driver_sql("DROP OWNED BY al_analyst; DROP ROLE al_analyst")


@pytest.mark.parametrize("file", ROLES)
def test_a_role_may_read_every_view(file: str) -> None:
    granted = re.findall(r"^GRANT SELECT ON (\w+) TO al_analyst;$", ROLES[file], re.MULTILINE)
    assert granted == sorted(view.name for view in read_views())


def test_sql_server_takes_the_role_twice(mssql_database: Database) -> None:
    with mssql_database.write() as connection:
        views.create(connection, read_views("mssql"))
    code = re.sub(r"^--.*$", "", ROLES["analyst_sql_server.sql"], flags=re.MULTILINE)
    statements = [part for part in code.split(";") if part.strip()]
    with mssql_database.at_once() as connection:
        for statement in statements * 2:
            connection.exec_driver_sql(statement)
        for statement in statements[1:]:
            connection.exec_driver_sql(statement.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        connection.exec_driver_sql("DROP ROLE al_analyst")


def test_every_view_and_table_is_described() -> None:
    assert [
        column for table in metadata.tables.values() for column in table.columns if not column.comment
    ] == []

"""Migrations: they make what tables.py says, once, whoever else tries at the same time."""

import re
import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from resources import migrations, views
from resources.database import Database
from resources.errors import DatabaseError
from resources.tables import metadata
from support.archive_rows import ArchiveRows

EARLIER = [script.revision for script in migrations.scripts().walk_revisions()][1:]


@pytest.fixture
def empty(database: Database) -> Database:
    """A database with nothing in it, once per dialect."""
    metadata.drop_all(database.engine)
    return database


def execute(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(statement)


def test_migrations_make_what_the_tables_say(empty: Database) -> None:
    migrations.upgrade(empty)
    with empty.read() as connection:
        assert migrations.compare(connection) == []


def test_migrations_make_the_same_sql_as_the_metadata(empty: Database) -> None:
    # The comparison does not see WITHOUT ROWID, the order of columns, or comments.
    listing = {
        "sqlite": "SELECT name, REPLACE(REPLACE(sql, CHAR(10), ''), CHAR(9), '') FROM sqlite_master "
        "WHERE type <> 'view' AND name NOT LIKE '%alembic%' ORDER BY name",
        "postgresql": "SELECT c.relname, a.attnum, a.attname, FORMAT_TYPE(a.atttypid, a.atttypmod), a.attnotnull, "
        "a.attstorage, c.reloptions, COL_DESCRIPTION(c.oid, a.attnum) "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 "
        "AND c.relname NOT LIKE 'alembic%%' ORDER BY 1, 2",
        "mssql": "SELECT o.name, c.column_id, c.name, t.name, c.max_length, c.is_nullable, c.collation_name "
        "FROM sys.columns c JOIN sys.objects o ON o.object_id = c.object_id "
        "JOIN sys.types t ON t.user_type_id = c.user_type_id "
        "WHERE o.type = 'U' AND o.name NOT LIKE 'alembic%' ORDER BY o.name, c.column_id",
    }[empty.dialect_name]
    migrations.upgrade(empty)
    with empty.read() as connection:
        migrated = [tuple(row) for row in connection.exec_driver_sql(listing)]
    with empty.write() as connection:
        views.drop(connection, views.read_views(empty.dialect_name))
    metadata.drop_all(empty.engine)
    metadata.create_all(empty.engine)
    with empty.read() as connection:
        assert [tuple(row) for row in connection.exec_driver_sql(listing)] == migrated


def test_a_second_upgrade_does_nothing(empty: Database) -> None:
    done = migrations.upgrade(empty)
    assert done[0] == f"schema: empty -> {migrations.head()}"
    assert [line.startswith("page compression") for line in done[2:]] == [True] * (
        empty.dialect_name == "mssql"
    )
    assert migrations.current(empty) == migrations.head()
    assert migrations.upgrade(empty) == []
    assert migrations.differences(empty) == []


@pytest.mark.parametrize("revision", EARLIER)
def test_an_upgrade_from_every_earlier_revision_keeps_the_rows(empty: Database, revision: str) -> None:
    with empty.write() as connection, migrations.configured(connection) as config:
        command.upgrade(config, revision)
    rows = ArchiveRows(empty)
    first, second = rows.video(1, [0, 400])
    rows.classes("seven")
    rows.label(first, 1)
    rows.add("embeddings", embedder_id="e", frame_id=second, vector=bytes(2_560))
    assert migrations.upgrade(empty)[0] == f"schema: {revision} -> {migrations.head()}"
    assert migrations.differences(empty) == []
    assert rows.query("SELECT frame_id, class_name FROM human_labels") == [(first, "seven")]
    assert rows.query("SELECT frame_id, vector FROM embeddings") == [(second, bytes(2_560))]


def test_incidents_of_runs_outlive_the_change_of_their_key(empty: Database) -> None:
    with empty.write() as connection, migrations.configured(connection) as config:
        command.upgrade(config, "0005")
    execute(
        empty,
        "INSERT INTO incidents (run_id, job, cause, fix, happened_at) "
        "VALUES ('r1', 'learn', 'the disk is full', 'make room', '2026-01-02')",
    )
    migrations.upgrade(empty)
    with empty.read() as connection:
        rows = connection.exec_driver_sql("SELECT incident_id, kind, severity, cause FROM incidents").all()
    assert [tuple(row) for row in rows] == [("r1", "run", "error", "the disk is full")]


def test_two_processes_that_migrate_at_once_both_end_well(empty: Database) -> None:
    code = (
        "import sys; from resources.database import Database; from resources import migrations\n"
        "database = Database(url=sys.argv[1]); print('ready', flush=True); sys.stdin.readline()\n"
        "print(bool(migrations.upgrade(database)))"
    )
    empty.close()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([sys.executable, "-c", code, empty.url], **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * 2
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sorted(process.communicate()[0] for process in running) == ["False\n", "True\n"]
    assert migrations.differences(empty) == []


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty: Database) -> None:
    execute(empty, "CREATE TABLE recordings (own_column INTEGER)")  # stands where a view must go
    with pytest.raises(DatabaseError):
        migrations.upgrade(empty)
    with empty.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["recordings"]


def test_a_view_that_was_changed_is_named_and_restored(empty: Database) -> None:
    migrations.upgrade(empty)
    execute(empty, "DROP VIEW learning_curve")
    execute(empty, "CREATE VIEW learning_curve AS SELECT 1 AS changed")
    assert migrations.differences(empty) == ["view learning_curve is missing or is not that of sql/views"]
    assert migrations.upgrade(empty) == [f"views: {len(views.read_views())} created"]
    assert migrations.differences(empty) == []


def test_views_may_read_each_other_otherwise_than_before(empty: Database) -> None:
    migrations.upgrade(empty)
    files = views.read_views(empty.dialect_name)
    readers = {"annotation_classes"}
    for view in files:  # in order, so that readers of readers are found too
        if readers & set(re.findall(r"\w+", view.statement)):
            readers.add(view.name)
    others = [view for view in files if view.name not in readers]
    with empty.write() as connection:
        views.drop(connection, files)
        views.create(connection, others)
        connection.exec_driver_sql("CREATE VIEW annotation_classes AS SELECT class_name FROM sightings")
    migrations.upgrade(empty)
    assert migrations.differences(empty) == []


def test_differences_are_readable(empty: Database) -> None:
    migrations.upgrade(empty)
    with empty.write() as connection:
        change = Operations(MigrationContext.configure(connection))
        change.drop_index("ix_videos_path", table_name="videos")
        change.drop_table("arrivals")
        change.add_column("embedders", sa.Column("colour", sa.Integer()))
    assert sorted(migrations.differences(empty)) == [
        "column embedders.colour is not in this version",
        "index ix_videos_path is missing",
        "table arrivals is missing",
    ]


def test_an_organisations_own_tables_are_no_difference_and_stay(empty: Database) -> None:
    execute(empty, "CREATE TABLE expeditions (name VARCHAR(20))")
    execute(empty, "CREATE INDEX ix_expeditions ON expeditions (name)")
    migrations.upgrade(empty)
    assert migrations.differences(empty) == []


def test_a_database_of_a_newer_version_is_refused_with_what_to_do(empty: Database) -> None:
    migrations.upgrade(empty)
    execute(empty, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(migrations.MigrationError, match=r"revision 9999.*install the version that made it"):
        migrations.upgrade(empty)
    assert migrations.differences(empty)[0].startswith("the schema is at revision 9999")


def test_tables_that_no_migration_made_are_refused_by_name(database: Database) -> None:
    with pytest.raises(
        migrations.MigrationError, match="has a table 'annotation_labels' that no migration made"
    ):
        migrations.upgrade(database)


def test_an_upgrade_keeps_who_may_read_a_view(postgresql_database: Database) -> None:
    metadata.drop_all(postgresql_database.engine)
    migrations.upgrade(postgresql_database)
    with postgresql_database.write() as connection:
        connection.exec_driver_sql('CREATE ROLE "an analyst"')
        connection.exec_driver_sql('GRANT SELECT ON learning_curve TO "an analyst" WITH GRANT OPTION')
        connection.exec_driver_sql("GRANT SELECT ON learning_curve TO PUBLIC")
        connection.exec_driver_sql("COMMENT ON VIEW sightings IS 'of an older version'")
    assert migrations.upgrade(postgresql_database)
    query = (
        "SELECT grantee, is_grantable FROM information_schema.table_privileges "
        "WHERE table_name = 'learning_curve' AND grantee <> CURRENT_USER ORDER BY 1"
    )
    with postgresql_database.write() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
        assert found == [("PUBLIC", "NO"), ("an analyst", "YES")]
        connection.exec_driver_sql('DROP OWNED BY "an analyst"; DROP ROLE "an analyst"')


def test_a_view_of_an_organisation_over_ours_is_named(postgresql_database: Database) -> None:
    metadata.drop_all(postgresql_database.engine)
    migrations.upgrade(postgresql_database)
    execute(postgresql_database, "CREATE VIEW our_report AS SELECT * FROM learning_curve")
    assert migrations.upgrade(postgresql_database) == []
    execute(postgresql_database, "COMMENT ON VIEW sightings IS 'of an older version'")
    with pytest.raises(views.ViewInUseError, match=r"your view 'our_report'.*drop it, upgrade"):
        migrations.upgrade(postgresql_database)

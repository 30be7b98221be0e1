"""What goes to SQL Server, read as T-SQL without a server: DDL, views and what analysts start from.

Statements that SQLAlchemy builds are read as they run, on whichever database: see `tests/conftest.py`.
"""

import io

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from resources import migrations, views
from resources.bulk.mssql_dialect import Dialect
from resources.tables import metadata
from support import tsql

VIEWS = {view.name: view for view in views.read_views("mssql")}
QUERIES = sorted((views.SQL / "queries").glob("*.sql"))


def revisions() -> list[str]:
    """The statements of every revision, as Alembic would send them."""
    rendered = io.StringIO()
    context = MigrationContext.configure(dialect=Dialect(), opts={"as_sql": True, "output_buffer": rendered})
    context.dialect.default_schema_name = "dbo"
    with Operations.context(context):
        for script in reversed(list(migrations.scripts().walk_revisions())):
            script.module.upgrade()
    return [text for text in rendered.getvalue().replace("GO\n", "").split(";") if text.strip()]


def test_every_revision_is_tsql() -> None:
    statements = revisions()
    assert [fault for text in statements for fault in tsql.faults(text)] == []
    made, dropped = (sum(word in text for text in statements) for word in ("CREATE TABLE", "DROP TABLE"))
    assert made - dropped == len(metadata.tables)
    assert any("DATETIME2(3)" in text for text in statements)


def test_keys_fit_the_pages_of_sql_server() -> None:
    """At most 900 bytes in a clustered key and 1,700 in an index (learn.microsoft.com, maximum capacity)."""
    too_long = []
    for table in metadata.tables.values():
        too_long += [(table.name, "key")] if _bytes(table.primary_key.columns) > 900 else []
        too_long += [(table.name, index.name) for index in table.indexes if _bytes(index.columns) > 1_700]
    assert too_long == []


def _bytes(columns) -> int:
    dialect = Dialect()
    total = 0
    for column in columns:
        spelled = column.type.compile(dialect)
        length = getattr(column.type, "length", None)
        total += 8 if length is None else length * (2 if spelled.startswith("N") else 1)
    return total


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_and_its_example_are_tsql(name: str) -> None:
    assert tsql.faults(VIEWS[name].statement) == []
    assert tsql.faults(VIEWS[name].example) == []


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_of_the_folder_is_tsql(path) -> None:
    assert tsql.faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t LIMIT 1",
        "SELECT a || b FROM t",
        "SELECT a FROM (SELECT a FROM t ORDER BY a) s",
        "SELECT a FROM (SELECT a FROM t)",
        "SELECT a FROM (SELECT COUNT(*) FROM t) s",
        "SELECT a FROM t GROUP BY 1",
        "SELECT SUBSTR(a, 1, 2) FROM t",
        "SELECT STRFTIME('%Y', a) FROM t",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
        "SELECT a FROM t JOIN s USING (a)",
        "SELECT a FROM t WHERE (a = 1) <> (b = 2)",
        "SELECT a > 3 AS many FROM t",
        "SELECT a FROM t WHERE a",
        "SELECT a FROM t WHERE b = 1 AND NOT a",
        "SELECT a FROM t WHERE (a, b) IN (SELECT a, b FROM s)",
        "SELECT a, b FROM t GROUP BY a",
        "SELECT a, COUNT(*) AS n FROM t",
        "SELECT TOP 3 a FROM t ORDER BY a OFFSET 2 ROWS",
        "CREATE TABLE IF NOT EXISTS t (a INT)",
    ],
)
def test_what_is_not_tsql_is_found(text: str) -> None:
    assert tsql.faults(text) != []

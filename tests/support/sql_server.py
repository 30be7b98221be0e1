"""A database of our own on the SQL Server that AL_TEST_MSSQL_URL names, and emptying it between tests. No fixture."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from resources import bulk
from resources.database import Database
from resources.errors import DatabaseError
from resources.tables import metadata


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """URL of a new database, dropped afterwards; of the named one, if it is empty, where none may be created."""
    parsed = sa.make_url(url)
    if not parsed.host or not parsed.database or "odbc_connect" in parsed.query:
        raise RuntimeError(
            "AL_TEST_MSSQL_URL must name host and database: mssql+pyodbc://user:password@host/database"
        )
    named = Database(url=url)
    name = f"al_test_{secrets.token_hex(4)}"
    try:
        with named.at_once() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except DatabaseError as error:
        _refuse_used(named, error)
        _allow_snapshots(named)
        yield url
        wipe(named, tables=False)
        named.close()
        return
    own = Database(url=parsed.set(database=name).render_as_string(hide_password=False))
    with own.at_once() as connection:
        # Tables are dropped there.
        if connection.exec_driver_sql("SELECT DB_NAME()").scalar() != name:
            raise RuntimeError(f"AL_TEST_MSSQL_URL does not lead to {name} but elsewhere")
    _allow_snapshots(own)
    try:
        yield own.url
    finally:
        own.close()
        with named.at_once() as connection:
            with suppress(sa.exc.DBAPIError):  # Azure SQL and others drop it all the same
                connection.exec_driver_sql(f"ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
            connection.exec_driver_sql(f"DROP DATABASE {name}")
        named.close()


def wipe(database: Database, *, tables: bool = True) -> None:
    """Leave the tables of tables.py with no row, and nothing else; without `tables` nothing at all."""
    with database.write() as connection:
        there = _names(connection, "U")
        for view in _names(connection, "V"):
            connection.exec_driver_sql(f"DROP VIEW [{view}]")
        as_declared = tables and _columns(connection) == {
            (table.name, column.name) for table in metadata.tables.values() for column in table.columns
        }
        for table in there:
            connection.exec_driver_sql(f"{'TRUNCATE' if as_declared else 'DROP'} TABLE [{table}]")
        if tables and not as_declared:
            metadata.create_all(connection)


def _names(connection: sa.Connection, kind: str) -> list[str]:
    """Tables or views, the youngest first: it may read older ones, and some servers hold it to that."""
    query = (
        "SELECT o.name FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id "
        "WHERE o.type = ? AND s.name = SCHEMA_NAME() ORDER BY o.object_id DESC"
    )
    return [row[0] for row in connection.exec_driver_sql(query, (kind,))]


def _columns(connection: sa.Connection) -> set[tuple[str, str]]:
    """Table and name of every column: a test may have migrated, dropped or altered."""
    query = (
        "SELECT o.name, c.name FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id "
        "JOIN sys.schemas AS s ON s.schema_id = o.schema_id WHERE o.type = 'U' AND s.name = SCHEMA_NAME()"
    )
    return {(row[0], row[1]) for row in connection.exec_driver_sql(query)}


def _refuse_used(named: Database, refusal: DatabaseError) -> None:
    with named.write() as connection:
        if used := [*_names(connection, "U"), *_names(connection, "V")]:
            raise RuntimeError(
                f"AL_TEST_MSSQL_URL: no database can be created ({refusal}), and the one named holds {used[0]}; name "
                "an empty one"
            )


def _allow_snapshots(database: Database) -> None:
    with suppress(DatabaseError), database.at_once() as connection:
        bulk.dialect("mssql").allow_snapshots(connection)

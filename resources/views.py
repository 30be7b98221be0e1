"""The files of sql/views: what they promise, and putting them into a database. No tables, no migrations."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import sqlalchemy as sa

import resources
from resources.errors import DatabaseError

SQL = Path(resources.__file__).parent.parent / "sql"
"""The folder beside the packages, in a checkout and in site-packages alike."""

_STORED = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'view'",
    "postgresql": "SELECT relname, COALESCE(OBJ_DESCRIPTION(oid, 'pg_class'), '') FROM pg_class "
    "WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace",
    "mssql": "SELECT o.name, m.definition FROM sys.sql_modules m JOIN sys.objects o ON o.object_id = m.object_id "
    "JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type = 'V' AND s.name = SCHEMA_NAME()",
}
_GRANTS = {
    "postgresql": "SELECT table_name, grantee, privilege_type, CASE is_grantable WHEN 'YES' THEN 'W' ELSE 'G' END "
    "FROM information_schema.table_privileges "
    "WHERE table_schema = :schema AND table_name IN :names AND grantee <> CURRENT_USER",
    # INFORMATION_SCHEMA would show only what this very user granted.
    "mssql": "SELECT o.name, who.name, p.permission_name, p.state FROM sys.database_permissions p "
    "JOIN sys.objects o ON o.object_id = p.major_id JOIN sys.schemas s ON s.schema_id = o.schema_id "
    "JOIN sys.database_principals who ON who.principal_id = p.grantee_principal_id "
    "WHERE p.class = 1 AND p.minor_id = 0 AND p.state IN ('G', 'W', 'D') AND s.name = :schema AND o.name IN :names",
}
_READERS = sa.text(
    "SELECT reader.relname FROM pg_depend d JOIN pg_rewrite rule ON rule.oid = d.objid "
    "JOIN pg_class reader ON reader.oid = rule.ev_class JOIN pg_class ours ON ours.oid = d.refobjid "
    "WHERE ours.relnamespace = current_schema()::regnamespace AND ours.relname IN :names "
    "AND reader.relname NOT IN :names ORDER BY reader.relname"
).bindparams(sa.bindparam("names", expanding=True))


class ViewFileError(ValueError):
    """A file of sql/views does not keep to the form that its header promises."""


class ViewInUseError(DatabaseError):
    """A view that must be made anew is read by one that the platform does not know."""


@dataclass(frozen=True)
class View:
    """One view: its header, which is the promise to analysts, and its statement."""

    name: str
    purpose: str
    grain: str
    columns: dict[str, str]
    notes: str
    example_title: str
    example: str
    statement: str

    @property
    def fingerprint(self) -> str:
        """Changes with every change of the promise or of the statement."""
        promise = repr((self.purpose, self.columns, self.statement))
        return hashlib.sha256(promise.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Grant:
    """A right on a view. state as SQL Server spells it: G granted, W granted with the right to grant, D denied."""

    view: str
    grantee: str
    privilege: str
    state: str


def read_views(dialect_name: str = "sqlite", folder: Path = SQL / "views") -> list[View]:
    """Every view in an order in which they can be created; a dialect's own spelling where there is one.

    Raises ViewFileError with the file's name.
    """
    views = {}
    for path in sorted(folder.glob("*.sql")):
        view = _parse(path.stem, path.read_text(encoding="utf-8"))
        own = folder / dialect_name / path.name
        if own.is_file():
            view = View(**{**view.__dict__, "statement": _split(own.read_text(encoding="utf-8"))[1]})
        if not re.match(rf"CREATE VIEW {view.name} AS\s", view.statement):
            raise ViewFileError(
                f"sql/views: {path.name} must hold the one statement CREATE VIEW {view.name} AS ..."
            )
        views[view.name] = view
    return [views[name] for name in _order(views)]


def stand(connection: sa.Connection, views: Sequence[View]) -> dict[str, bool]:
    """For each view of the files: is it in the database exactly as written?"""
    stored = _stored(connection)
    return {view.name: _mark(connection, view) in stored.get(view.name, "") for view in views}


def drop(connection: sa.Connection, views: Sequence[View]) -> list[Grant]:
    """Drop those of the views that are there; returns their rights, which would be lost, for `create`.

    Raises ViewInUseError where PostgreSQL would refuse because of a view that is not the platform's.
    """
    there = [view.name for view in views if view.name in _stored(connection)]
    if not there:
        return []
    quoted = [connection.dialect.identifier_preparer.quote(name) for name in there]
    if connection.dialect.name == "sqlite":
        for name in quoted:
            connection.exec_driver_sql(f"DROP VIEW {name}")
        return []
    if connection.dialect.name == "postgresql":
        _refuse_readers(connection, there)
    query = sa.text(_GRANTS[connection.dialect.name]).bindparams(sa.bindparam("names", expanding=True))
    where = {"schema": connection.dialect.default_schema_name, "names": there}
    grants = [Grant(*row) for row in connection.execute(query, where)]
    # In one statement: which view reads which may differ from version to version.
    connection.exec_driver_sql(f"DROP VIEW {', '.join(reversed(quoted))}")
    return grants


def create(connection: sa.Connection, views: Sequence[View], grants: Iterable[Grant] = ()) -> None:
    """Create the views in order, with comments where the dialect has them, and restore grants."""
    quote = connection.dialect.identifier_preparer.quote
    # psycopg looks for placeholders even where no parameters are given.
    escape = connection.dialect.paramstyle in ("format", "pyformat")
    for view in views:
        connection.exec_driver_sql(view.statement.replace("%", "%%") if escape else view.statement)
        if connection.dialect.name == "postgresql":
            _comment(connection, view)
    names = {view.name for view in views}
    for grant in grants:
        if grant.view in names:
            who = "PUBLIC" if grant.grantee == "PUBLIC" else quote(grant.grantee)
            verb, option = {"D": ("DENY", ""), "W": ("GRANT", " WITH GRANT OPTION")}.get(
                grant.state, ("GRANT", "")
            )
            connection.exec_driver_sql(f"{verb} {grant.privilege} ON {quote(grant.view)} TO {who}{option}")


def _refuse_readers(connection: sa.Connection, names: Sequence[str]) -> None:
    reader = connection.scalar(_READERS, {"names": names})
    if reader is not None:
        raise ViewInUseError(
            f"your view {reader!r} reads one of the platform's views, which must be made anew; note its definition, "
            "drop it, upgrade, and create it again"
        )


def _stored(connection: sa.Connection) -> dict[str, str]:
    query = _STORED.get(connection.dialect.name)
    if query is None:
        return dict.fromkeys(sa.inspect(connection).get_view_names(), "")
    return {row[0]: row[1] for row in connection.exec_driver_sql(query)}


def _mark(connection: sa.Connection, view: View) -> str:
    """What the database keeps of a view word for word: the statement, but on PostgreSQL only the comment."""
    return f"[{view.fingerprint}]" if connection.dialect.name == "postgresql" else view.statement


def _comment(connection: sa.Connection, view: View) -> None:
    literal = sa.String().literal_processor(connection.dialect)
    assert literal is not None
    text = literal(f"{view.purpose} {view.grain} [{view.fingerprint}]")
    connection.exec_driver_sql(f"COMMENT ON VIEW {view.name} IS {text}")
    for column, meaning in view.columns.items():
        connection.exec_driver_sql(f"COMMENT ON COLUMN {view.name}.{column} IS {literal(meaning)}")


def _order(views: dict[str, View]) -> list[str]:
    """Names so that each comes after those that it reads; ties by name."""
    words = {name: set(re.findall(r"\w+", _code(view.statement))) for name, view in views.items()}
    reads = {name: sorted((words[name] & views.keys()) - {name}) for name in sorted(views)}
    return list(TopologicalSorter(reads).static_order())


def _code(statement: str) -> str:
    return "\n".join(line.split("--")[0] for line in statement.splitlines())


def _split(text: str) -> tuple[list[str], str]:
    """The comment lines that open a file, without their dashes, and the statement that follows."""
    lines = text.splitlines()
    end = next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return [line[2:].removeprefix(" ") for line in lines[:end]], "\n".join(lines[end:]).strip().rstrip(";")


def _parse(name: str, text: str) -> View:
    header, statement = _split(text)
    parts: dict[str, list[str]] = {}
    key = ""
    for line in header:
        opening = re.match(rf"({name}|Grain|Columns|Notes|Example):(.*)", line)
        if opening:
            key = opening[1]
            parts[key] = [opening[2].strip()]
        elif key:
            parts[key].append(line)
    missing = {name, "Grain", "Columns", "Example"} - parts.keys()
    if missing:
        raise ViewFileError(f"sql/views/{name}.sql: the header lacks {', '.join(sorted(missing))}")
    return View(
        name=name,
        purpose=_prose(parts[name]),
        grain=_prose(parts["Grain"]),
        columns=_columns(name, parts["Columns"][1:]),
        notes=_prose(parts.get("Notes", [])),
        example_title=parts["Example"][0],
        example="\n".join(line.removeprefix("  ") for line in parts["Example"][1:]),
        statement=statement,
    )


def _columns(name: str, lines: Sequence[str]) -> dict[str, str]:
    columns = {}
    for line in lines:
        found = re.match(r"  (\w+)\s+(\S.*)", line)
        if not found:
            raise ViewFileError(
                f"sql/views/{name}.sql: this line names no column and its meaning: {line.strip()!r}"
            )
        columns[found[1]] = found[2]
    return columns


def _prose(lines: Iterable[str]) -> str:
    text = " ".join(line.strip() for line in lines)
    return text[:1].upper() + text[1:]

"""The schema of a database brought to that of tables.py, and compared with it. No table definitions, no data.

Revisions lie in sql/migrations, views in sql/views. A developer writes the next revision, after a change of
tables.py, by `python -m resources.migrations "what changes"`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from resources import bulk, views
from resources.errors import BusyDatabaseError, DatabaseError
from resources.tables import metadata

Result = TypeVar("Result")
# Servers that speak T-SQL over PostgreSQL lengthen an index's name by a hash.
HASHED = re.compile(r"[0-9a-f]{32}$")
# Alembic keeps the running migration in module globals.
_alembic = threading.Lock()


class MigrationError(DatabaseError):
    """The database cannot be brought to this version's schema; says what to do."""


class Transactions(Protocol):
    """What migrations need of a `Database`."""

    def read(self) -> AbstractContextManager[sa.Connection]:
        """A connection for reading."""

    def write(self) -> AbstractContextManager[sa.Connection]:
        """A connection in one transaction, the only writer where the dialect knows but one."""

    def at_once(self) -> AbstractContextManager[sa.Connection]:
        """A connection that commits every statement by itself."""

    def retry(self, attempt: Callable[[], Result]) -> Result:
        """Call `attempt`, and again after transient faults."""


def upgrade(database: Transactions) -> list[str]:
    """Bring the schema to head, in one transaction, and the views to the files; returns what was done.

    Nothing is written where nothing is to be done. Two processes may call it at once: on SQLite `write` takes
    the writer's lock (BEGIN IMMEDIATE), other dialects take a named one, and whoever comes second finds the
    work done. Raises MigrationError for a database that this version does not know.
    """
    _allow_snapshots(database)
    # Where the other process commits in the middle of a look, SQL Server ends that look as a conflict.
    return database.retry(lambda: _upgrade(database))


def _upgrade(database: Transactions) -> list[str]:
    with database.read() as connection:
        if _is_current(connection):
            return []
    with database.write() as connection:
        bulk.dialect(connection.dialect.name).lock(connection, "migrations")
        if _is_current(connection):
            return []
        before = _known_revision(connection)
        files = views.read_views(connection.dialect.name)
        grants = views.drop(connection, files)
        with configured(connection) as config:
            command.upgrade(config, "head")
        views.create(connection, files, grants)
        after = _revision(connection)
    moved = [f"schema: {before or 'empty'} -> {after}"] if before != after else []
    done = [*moved, f"views: {len(files)} created"]
    if moved:
        with database.at_once() as connection:
            done += bulk.dialect(connection.dialect.name).compress(connection)
    return done


def _allow_snapshots(database: Transactions) -> None:
    try:
        with database.at_once() as connection:
            bulk.dialect(connection.dialect.name).allow_snapshots(connection)
    except BusyDatabaseError:
        raise
    except DatabaseError:
        pass  # Who may not switch it on learns at the first read whether it is missing.


def head() -> str:
    """The newest revision that this version of the software has."""
    return str(scripts().get_current_head())


def current(database: Transactions) -> str | None:
    """The revision that the database is at; None for a database without the platform's tables."""
    with database.read() as connection:
        return _revision(connection)


def differences(database: Transactions) -> list[str]:
    """How the database differs from tables.py and sql/views, one readable line each; empty when it does not.

    Tables and views that the platform does not know are an organisation's own and do not count.
    """
    with database.read() as connection:
        found = [_say(change) for change in _flat(compare(connection)) if not _is_foreign(change)]
        revision = _revision(connection)
        if revision != head():
            found.insert(0, f"the schema is at revision {revision or 'none'}, this version's is {head()}")
        files = views.read_views(connection.dialect.name)
        changed = [name for name, stands in views.stand(connection, files).items() if not stands]
        return found + [f"view {name} is missing or is not that of sql/views" for name in changed]


def compare(connection: sa.Connection) -> list[Any]:
    """Alembic's comparison of the database with tables.py: tables, columns, types, nulls, indexes."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    found = list(compare_metadata(context, metadata))
    renamed = {
        _index(change) for change in found if change[0] == "remove_index" and HASHED.search(change[1].name)
    }
    standing = renamed & {_index(change) for change in found if change[0] == "add_index"}
    return [
        change
        for change in found
        if change[0] not in ("add_index", "remove_index") or _index(change) not in standing
    ]


def _index(change: tuple[Any, ...]) -> tuple[Any, ...]:
    index = change[1]
    return index.table.name, tuple(column.name for column in index.columns), bool(index.unique)


def revise(database: Transactions, message: str, revision_id: str) -> str:
    """Write the revision that takes this database to tables.py; returns its file. For developers."""
    with database.write() as connection, configured(connection) as config:
        script = command.revision(config, message, autogenerate=True, rev_id=revision_id)
        assert isinstance(script, Script)
    path = Path(script.path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "# ### " not in line), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(path)], check=True)
    return str(path)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(views.SQL / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def scripts() -> ScriptDirectory:
    """The revisions of sql/migrations."""
    return ScriptDirectory.from_config(_config())


@contextmanager
def configured(connection: sa.Connection) -> Iterator[Config]:
    """Alembic's configuration for a connection, in one thread at a time."""
    config = _config()
    config.attributes["connection"] = connection
    with _alembic:
        yield config


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known_revision(connection: sa.Connection) -> str | None:
    revision = _revision(connection)
    known = {script.revision for script in scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise MigrationError(
            f"the database is at revision {revision}, which this version of the software does not know; "
            "install the version that made it, or a newer one"
        )
    if revision is None:
        standing = sorted(set(sa.inspect(connection).get_table_names()) & metadata.tables.keys())
        if standing:
            raise MigrationError(
                f"the database has a table {standing[0]!r} that no migration made; point AL_DATABASE_URL to an "
                "empty database or schema"
            )
    return revision


def _is_current(connection: sa.Connection) -> bool:
    if _revision(connection) != head():
        return False
    return all(views.stand(connection, views.read_views(connection.dialect.name)).values())


def _flat(changes: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Alembic groups the changes of one column in a list."""
    for change in changes:
        if isinstance(change, list):
            yield from change
        else:
            yield change


def _is_foreign(change: tuple[Any, ...]) -> bool:
    table = change[1] if change[0] == "remove_table" else getattr(change[1], "table", None)
    return change[0].startswith("remove_") and table is not None and table.name not in metadata.tables


def _say(change: tuple[Any, ...]) -> str:
    kind, what = change[0], change[1]
    if kind in ("add_table", "remove_table"):
        return f"table {what.name} {'is missing' if kind == 'add_table' else 'is not in this version'}"
    if kind in ("add_column", "remove_column"):
        state = "is missing" if kind == "add_column" else "is not in this version"
        return f"column {change[2]}.{change[3].name} {state}"
    if kind.startswith("modify_"):
        aspect = kind.removeprefix("modify_")
        return f"column {change[2]}.{change[3]}: {aspect} is {change[5]!r}, should be {change[6]!r}"
    verb = "is missing" if kind.startswith("add_") else "is not in this version"
    return f"{kind.split('_', 1)[1]} {getattr(what, 'name', what)} {verb}"


def _main(message: str) -> str:
    """Next revision, against an empty SQLite database brought to head."""
    from resources.database import Database

    database = Database(url="sqlite:///file:revise?mode=memory&cache=shared&uri=true")
    number = len(list(scripts().walk_revisions())) + 1
    if number > 1:
        upgrade(database)
    return revise(database, message, f"{number:04d}")


if __name__ == "__main__":
    print(_main(" ".join(sys.argv[1:]) or "unnamed"))
